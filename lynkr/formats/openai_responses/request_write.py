"""A Responses request, written: stateless (`store` false), the whole conversation as items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Media, Opaque, Part, Result, Seal, Text, Thinking, Tool, Turn
from lynkr.formats.unsaid import Unsaid
from lynkr.formats.values import ERROR_MARK, hidden
from lynkr.target import Target

_FORMAT = "the Responses API"


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    return _Writer(target, changes).body(conversation)


class _Writer:
    def __init__(self, target: Target, changes: Changes) -> None:
        self.target, self.changes = target, changes
        self.unsaid = Unsaid(changes, _FORMAT)

    def body(self, c: Conversation) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.target.home.model, "store": False}
        if c.stream:
            body["stream"] = True
        if c.max_output is not None:
            body["max_output_tokens"] = c.max_output
        body |= self.settings(c) | self.asked(c)
        tools = [said for tool in c.tools if (said := self.tool(tool)) is not None]
        if tools:
            body["tools"] = tools
            body |= self.choice(c)
        if c.system:
            self.unsaid.breakpoints(c.system)
            body["instructions"] = "\n\n".join(part.text for part in c.system if part.text)
        body["input"] = [item for turn in c.turns for item in self.items(turn)]
        return body

    def settings(self, c: Conversation) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("temperature", "top_p"):
            if (value := getattr(c.sampling, name)) is not None:
                found[name] = value
        for name in ("top_k", "seed", "presence_penalty", "frequency_penalty"):
            if getattr(c.sampling, name) is not None:
                self.unsaid.setting(name)
        if c.stop:
            self.unsaid.setting("stop sequences")
        if c.user is not None:
            found["safety_identifier"] = hidden(c.user)
            self.changes.change("user id", "as a hash")
        if c.cache_key is not None:
            found["prompt_cache_key"] = c.cache_key
        return found

    def asked(self, c: Conversation) -> dict[str, Any]:
        """How the answer is to be thought out and shaped."""
        found: dict[str, Any] = {}
        if self.target.can.efforts:
            found["include"] = ["reasoning.encrypted_content"]
        reasoning = {"effort": c.reasoning.effort} if c.reasoning.effort else {}
        if c.reasoning.shown or (c.reasoning.shown is None and c.reasoning.mode in ("adaptive", "budget")):
            reasoning["summary"] = "auto"
        if reasoning and self.target.can.efforts:
            found["reasoning"] = reasoning
        form: dict[str, Any] = {}
        if c.output is not None and c.output.schema is not None:
            strict = {} if c.output.strict is None else {"strict": c.output.strict}
            form["format"] = {"type": "json_schema", "name": c.output.name, "schema": c.output.schema, **strict}
        elif c.output is not None:
            form["format"] = {"type": "json_object"}
        if c.verbosity is not None:
            form["verbosity"] = c.verbosity
        return found | ({"text": form} if form else {})

    def tool(self, tool: Tool | Opaque) -> dict[str, Any] | None:
        if isinstance(tool, Opaque):
            self.unsaid.tool(tool)
            return None
        self.unsaid.breakpoints((tool,))
        said: dict[str, Any] = {"type": "function", "name": tool.name}
        if tool.description:
            said["description"] = tool.description
        # Left out, it would mean true here and refuse most schemas.
        strict = tool.strict is True
        return {**said, "parameters": tool.schema or {"type": "object", "properties": {}}, "strict": strict}

    def choice(self, c: Conversation) -> dict[str, Any]:
        said: dict[str, Any] = {} if c.parallel is None else {"parallel_tool_calls": c.parallel}
        if c.choice is None:
            return said
        mode = {"auto": "auto", "any": "required", "none": "none"}[c.choice.mode]
        named = [{"type": "function", "name": name} for name in c.choice.only]
        if len(named) == 1 and c.choice.mode == "any":
            return {**said, "tool_choice": named[0]}
        if named:
            return {**said, "tool_choice": {"type": "allowed_tools", "mode": mode, "tools": named}}
        return {**said, "tool_choice": mode}

    def items(self, turn: Turn) -> Iterator[dict[str, Any]]:
        role = {"system": "developer"}.get(turn.role, turn.role)
        spoken: list[dict[str, Any]] = []
        for part in turn.parts:
            item = self.item(part)
            if item is None:
                spoken += self.content(part, of_model=turn.role == "assistant")
                continue
            if spoken:
                yield {"type": "message", "role": role, "content": spoken}
                spoken = []
            yield item
        if spoken:
            yield {"type": "message", "role": role, "content": spoken}

    def item(self, part: Part) -> dict[str, Any] | None:
        """The item that `part` is of its own; None for what stands in a message, or nowhere."""
        match part:
            case Call():
                self.unsaid.thoughts(part)
                self.unsaid.breakpoints((part,))
                call = {"type": "function_call", "call_id": part.id, "name": part.name}
                return {**call, "arguments": part.arguments or "{}"}
            case Result():
                self.unsaid.breakpoints((part,))
                return {"type": "function_call_output", "call_id": part.call_id, "output": self.output(part)}
            case Thinking(seal=Seal("openai.reasoning", data) as seal) if seal.at(self.target.home):
                return {"type": "reasoning", **{k: v for k, v in json.loads(data).items() if v is not None}}
        return None

    def output(self, part: Result) -> str | list[dict[str, Any]]:
        if part.error:
            self.changes.change("is_error", "as words before the result")
        mark = [{"type": "input_text", "text": ERROR_MARK}] if part.error else []
        content = mark + [said for inner in part.parts for said in self.content(inner, of_model=False)]
        if all(piece["type"] == "input_text" for piece in content):
            words = [piece["text"] for piece in content[len(mark) :]]
            return (ERROR_MARK if part.error else "") + "\n".join(words)
        return content

    def content(self, part: object, *, of_model: bool) -> list[dict[str, Any]]:
        match part:
            case Text():
                self.unsaid.breakpoints((part,))
                return [{"type": "output_text" if of_model else "input_text", "text": part.text}] if part.text else []
            case Media():
                if of_model:
                    self.unsaid.media(part, "of the model's")
                    return []
                self.unsaid.breakpoints((part,))
                return self.media(part)
            case Opaque():
                return self.content(Text(self.unsaid.words(part)), of_model=of_model)
            case Thinking():
                self.unsaid.thoughts(part)
        return []

    def media(self, part: Media) -> list[dict[str, Any]]:
        url = part.url if part.data is None else f"data:{part.mime};base64,{part.data}"
        if part.kind == "image" and url is not None:
            return [{"type": "input_image", "image_url": url, "detail": part.detail or "auto"}]
        if part.kind == "document" and part.data is not None:
            return [{"type": "input_file", "filename": part.name or "document.pdf", "file_data": url}]
        if part.kind == "document" and part.url is not None:
            return [{"type": "input_file", "file_url": part.url}]
        if part.file is not None and self.target.own:
            return [{"type": f"input_{'image' if part.kind == 'image' else 'file'}", "file_id": part.file}]
        by = "by file id" if part.file else ""
        self.unsaid.media(part, by)
        return []
