"""A Chat Completions request, written, for OpenAI and the many who speak it after OpenAI do.

The plain forms are preferred (text as a string, results as text) because templates of local servers know only those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Media, Opaque, Result, Text, Thinking, Tool, Turn
from lynkr.formats.unsaid import Unsaid
from lynkr.formats.values import ERROR_MARK, hidden, plain_schema
from lynkr.target import Target

_FORMAT = "Chat Completions"


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    return _Writer(target, changes).body(conversation)


class _Writer:
    def __init__(self, target: Target, changes: Changes) -> None:
        self.target, self.can, self.changes = target, target.can, changes
        self.unsaid = Unsaid(changes, _FORMAT)

    def body(self, c: Conversation) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.target.home.model}
        if c.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if c.max_output is not None:
            body[self.can.output_limit] = c.max_output
        body |= self.settings(c)
        tools = [said for tool in c.tools if (said := self.tool(tool)) is not None]
        if tools:
            body["tools"] = tools
            body |= self.choice(c)
        body["messages"] = list(self.messages(c))
        return body

    def settings(self, c: Conversation) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
            if (value := getattr(c.sampling, name)) is not None:
                found[name] = value
        if c.sampling.top_k is not None:
            self.unsaid.setting("top_k")
        if c.stop:
            found["stop"] = list(c.stop)
        found |= self.reasoning(c)
        if c.output is not None and c.output.schema is not None:
            strict = {} if c.output.strict is None else {"strict": c.output.strict}
            form = {"name": c.output.name, "schema": c.output.schema, **strict}
            found["response_format"] = {"type": "json_schema", "json_schema": form}
        elif c.output is not None:
            found["response_format"] = {"type": "json_object"}
        if c.verbosity is not None:
            found["verbosity"] = c.verbosity
        if c.user is not None:
            found["user"] = hidden(c.user)
            self.changes.change("user id", "as a hash")
        if c.cache_key is not None and self.can.cache_key:
            found["prompt_cache_key"] = c.cache_key
        elif c.cache_key is not None:
            self.changes.drop("prompt_cache_key", "this lane has no such setting")
        return found

    def reasoning(self, c: Conversation) -> dict[str, Any]:
        field, asked = self.can.effort_field, c.reasoning
        if field == "reasoning":  # OpenRouter's way
            said: dict[str, Any] = {"enabled": False} if asked.mode == "off" else {}
            if asked.effort:
                said = {"effort": asked.effort}
            elif asked.budget:
                said = {"max_tokens": asked.budget}
            return {"reasoning": said} if said else {}
        return {field: asked.effort} if field and asked.effort else {}

    def tool(self, tool: Tool | Opaque) -> dict[str, Any] | None:
        if isinstance(tool, Opaque):
            self.unsaid.tool(tool)
            return None
        said: dict[str, Any] = {"name": tool.name}
        if tool.description:
            said["description"] = tool.description
        said["parameters"] = plain_schema(tool.schema)
        if tool.strict is not None and self.can.strict_tools:
            said["strict"] = tool.strict
        return self.marked({"type": "function", "function": said}, tool)

    def choice(self, c: Conversation) -> dict[str, Any]:
        said: dict[str, Any] = {} if c.parallel is None else {"parallel_tool_calls": c.parallel}
        if c.choice is None:
            return said
        if len(c.choice.only) == 1 and c.choice.mode == "any":
            return {**said, "tool_choice": {"type": "function", "function": {"name": c.choice.only[0]}}}
        if c.choice.only:
            self.changes.change("tool_choice", "not every server can narrow it to several tools")
        return {**said, "tool_choice": {"auto": "auto", "any": "required", "none": "none"}[c.choice.mode]}

    def messages(self, c: Conversation) -> Iterator[dict[str, Any]]:
        if any(part.text for part in c.system):
            yield {"role": self.can.system_role, "content": self.plain(c.system)}
        for turn in c.turns:
            if turn.role == "assistant":
                yield from self.said(turn)
            else:
                yield from self.heard(turn)

    def heard(self, turn: Turn) -> Iterator[dict[str, Any]]:
        """What the model is told: results first, each in a message of its own, then the rest in one."""
        behind: list[dict[str, Any]] = []
        for part in turn.parts:
            if isinstance(part, Result):
                yield {"role": "tool", "tool_call_id": part.call_id, "content": self.result(part, behind)}
        content = [said for part in turn.parts if (said := self.part(part)) is not None]
        if behind or content:
            role = "user" if turn.role == "user" else self.can.system_role
            yield {"role": role, "content": _simple(behind + content)}

    def result(self, part: Result, behind: list[dict[str, Any]]) -> str:
        """A result's text; what is not text goes behind the results."""
        words = list[str]()
        for inner in part.parts:
            match inner:
                case Text():
                    words.append(inner.text)
                case Media():
                    if (said := self.media(inner)) is not None:
                        self.changes.change(f"{inner.kind} in a tool result", "in the message after it")
                        words.append(f"[{inner.kind}: in the next message]")
                        behind += [{"type": "text", "text": f"[{inner.kind} of tool call {part.call_id}]"}, said]
                case Opaque():
                    words += filter(None, [self.unsaid.words(inner)])
        if part.error:
            self.changes.change("is_error", "as words before the result")
        self.unsaid.breakpoints((part,))
        return (ERROR_MARK if part.error else "") + "\n".join(words)

    def part(self, part: object) -> dict[str, Any] | None:
        match part:
            case Text():
                return self.marked({"type": "text", "text": part.text}, part) if part.text else None
            case Media():
                said = self.media(part)
                return self.marked(said, part) if said else None
            case Opaque():
                words = self.unsaid.words(part)
                return {"type": "text", "text": words} if words else None
        return None

    def said(self, turn: Turn) -> Iterator[dict[str, Any]]:
        """What the model said. Nothing at all is no message."""
        words, calls = list[str](), list[dict[str, Any]]()
        message: dict[str, Any] = {"role": "assistant"}
        for part in turn.parts:
            match part:
                case Text():
                    words += [part.text] if part.text else []
                    self.unsaid.breakpoints((part,))
                case Thinking():
                    message |= self.thoughts(part, message)
                case Call():
                    calls.append(self.call(part))
                    self.unsaid.breakpoints((part,))
                case Opaque():
                    words += filter(None, [self.unsaid.words(part)])
                case Media():
                    self.unsaid.media(part, "of the model's")
        if not words and not calls:
            return
        message["content"] = "\n\n".join(words) if words else None
        yield message | ({"tool_calls": calls} if calls else {})

    def call(self, part: Call) -> dict[str, Any]:
        function = {"name": part.name, "arguments": part.arguments or "{}"}
        said = {"id": part.id, "type": "function", "function": function}
        if part.seal is not None and part.seal.kind == "chat.signature" and part.seal.at(self.target.home):
            return {**said, "extra_content": {"google": {"thought_signature": part.seal.data}}}
        self.unsaid.thoughts(part)
        return said

    def thoughts(self, part: Thinking, message: dict[str, Any]) -> dict[str, Any]:
        seal = part.seal
        if seal is not None and seal.at(self.target.home):
            if seal.kind == "chat.details":
                return {"reasoning_details": [*message.get("reasoning_details", []), *json.loads(seal.data)]}
            if seal.kind == "chat.reasoning" and self.can.replays_reasoning:
                return {"reasoning_content": message.get("reasoning_content", "") + part.text}
        self.unsaid.thoughts(part)
        return {}

    def media(self, part: Media) -> dict[str, Any] | None:
        url = part.url if part.data is None else f"data:{part.mime};base64,{part.data}"
        if part.kind == "image" and url is not None:
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        if part.kind == "document" and part.data is not None:
            return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": url}}
        if part.kind == "document" and part.file is not None and self.target.own:
            return {"type": "file", "file": {"file_id": part.file}}
        if part.kind == "audio" and part.data is not None:
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.mime.partition("/")[2]}}
        by = "by file id" if part.file else "by URL" if part.url else ""
        self.unsaid.media(part, by)
        return None

    def plain(self, parts: Iterable[Text]) -> str | list[dict[str, Any]]:
        parts = [part for part in parts if part.text]
        if self.can.cache_marks and any(part.cache for part in parts):
            return [self.marked({"type": "text", "text": part.text}, part) for part in parts]
        self.unsaid.breakpoints(parts)
        return "\n\n".join(part.text for part in parts)

    def marked(self, said: dict[str, Any], part: Text | Media | Tool) -> dict[str, Any]:
        if part.cache is None:
            return said
        if not self.can.cache_marks:
            self.unsaid.breakpoints((part,))
            return said
        return {**said, "cache_control": {"type": "ephemeral", **({"ttl": "1h"} if part.cache == "1h" else {})}}


def _simple(content: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Content as a string where it is one text and nothing else."""
    if len(content) == 1 and set(content[0]) == {"type", "text"}:
        return str(content[0]["text"])
    return content
