"""A Messages request, written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Conversation,
    Media,
    Opaque,
    Part,
    Reasoning,
    Reference,
    Result,
    Seal,
    Text,
    Thinking,
    Tool,
    Turn,
)
from lynkr.formats.unsaid import Unsaid
from lynkr.lane import Format
from lynkr.target import Target

# The field is required; what a model that is not in the table takes at the least.
DEFAULT_OUTPUT = 32_000
MAX_BREAKPOINTS = 4
_FORMAT = "Anthropic Messages"


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    return _Writer(target, changes).body(conversation)


class _Writer:
    def __init__(self, target: Target, changes: Changes) -> None:
        self.target, self.changes = target, changes
        self.unsaid = Unsaid(changes, _FORMAT)
        self.breakpoints = 0

    def body(self, c: Conversation) -> dict[str, Any]:
        self.breakpoints = 0
        body: dict[str, Any] = {
            "model": self.target.home.model,
            "max_tokens": self.target.can.max_output or DEFAULT_OUTPUT if c.max_output is None else c.max_output,
        }
        if c.stream:
            body["stream"] = True
        body |= self.settings(c) | _thinking(c.reasoning)
        if c.tools:
            body["tools"] = [self.tool(tool) for tool in c.tools if self.keeps(tool)]
        if choice := self.choice(c):
            body["tool_choice"] = choice
        system = [self.cached({"type": "text", "text": part.text}, part) for part in c.system if part.text]
        if c.billing is not None:
            system.insert(0, {"type": "text", "text": c.billing})
        if system:
            body["system"] = system
        body["messages"] = self.messages(c.turns)
        return body

    def settings(self, c: Conversation) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("temperature", "top_p", "top_k"):
            if (value := getattr(c.sampling, name)) is not None:
                found[name] = min(value, 1) if name == "temperature" else value
        if (c.sampling.temperature or 0) > 1:
            self.changes.change("temperature", f"at most 1 in {_FORMAT}")
        for name in ("seed", "presence_penalty", "frequency_penalty"):
            if getattr(c.sampling, name) is not None:
                self.unsaid.setting(name)
        if c.verbosity is not None:
            self.unsaid.setting("verbosity")
        if c.stop:
            found["stop_sequences"] = list(c.stop)
        if c.user:
            found["metadata"] = {"user_id": c.user}
        if c.cache_key is not None:
            self.unsaid.setting("prompt_cache_key")
        settings: dict[str, Any] = {}
        if c.reasoning.effort and c.reasoning.effort not in ("none", "minimal"):
            settings["effort"] = c.reasoning.effort
        if c.output is not None and c.output.schema is not None:
            settings["format"] = {"type": "json_schema", "schema": c.output.schema}
        elif c.output is not None:
            self.changes.drop("JSON output without a schema", f"{_FORMAT} needs a schema")
        return found | ({"output_config": settings} if settings else {})

    def keeps(self, tool: Tool | Opaque) -> bool:
        if isinstance(tool, Opaque) and tool.origin is not Format.ANTHROPIC:
            self.changes.drop(tool.what, f"{_FORMAT} has no such tool")
            return False
        return True

    def tool(self, tool: Tool | Opaque) -> dict[str, Any]:
        if isinstance(tool, Opaque):
            return dict(tool.value)
        said: dict[str, Any] = {"name": tool.name}
        if tool.description:
            said["description"] = tool.description
        said["input_schema"] = tool.schema or {"type": "object", "properties": {}}
        if tool.strict is not None:
            said["strict"] = tool.strict
        if tool.deferred:
            said["defer_loading"] = True
        return self.cached(said, tool)

    def choice(self, c: Conversation) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if c.choice is not None:
            said = {"type": c.choice.mode}
            if len(c.choice.only) == 1 and c.choice.mode == "any":
                said = {"type": "tool", "name": c.choice.only[0]}
            elif c.choice.only:
                self.changes.change("tool_choice", f"{_FORMAT} cannot narrow it to several tools")
        if c.parallel is not None and c.tools and said.get("type") != "none":
            said = {"type": "auto", **said, "disable_parallel_tool_use": not c.parallel}
        # An answer without tools has no use for a choice, and the API refuses one.
        return said if c.tools else {}

    def messages(self, turns: Iterable[Turn]) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        for turn in turns:
            content = [said for part in self.speakable(turn) if (said := self.part(part)) is not None]
            if turn.role == "user":
                content.sort(key=lambda block: block["type"] != "tool_result")
            if not content:
                continue
            if messages and messages[-1]["role"] == turn.role != "system":
                before = messages[-1]["content"]
                before += content
                before.sort(key=lambda block: block["type"] != "tool_result")
            else:
                effort = {"output_config": {"effort": turn.effort}} if turn.effort else {}
                messages.append({"role": turn.role, "content": content, **effort})
        return messages

    def speakable(self, turn: Turn) -> Iterable[Part]:
        """The parts of a turn; pictures are the user's alone."""
        for part in turn.parts:
            if isinstance(part, Media) and turn.role == "assistant":
                self.unsaid.media(part, "of the model's")
            else:
                yield part

    def part(self, part: Part) -> dict[str, Any] | None:
        match part:
            case Text():
                # Refused as empty; there is nothing in it to lose.
                return self.cached({"type": "text", "text": part.text}, part) if part.text.strip() else None
            case Thinking():
                return self.thinking(part)
            case Call():
                self.unsaid.thoughts(part)
                given = self.unsaid.arguments(part)
                return self.cached({"type": "tool_use", "id": part.id, "name": part.name, "input": given}, part)
            case Result():
                return self.result(part)
            case Media():
                return self.media(part)
        return self.opaque(part)

    def thinking(self, part: Thinking) -> dict[str, Any] | None:
        match part.seal:
            case Seal("anthropic.signature", data) if part.seal.at(self.target.home):
                return {"type": "thinking", "thinking": part.text, "signature": data}
            case Seal("anthropic.redacted", data) if part.seal.at(self.target.home):
                return {"type": "redacted_thinking", "data": data}
        self.unsaid.thoughts(part)
        return None

    def result(self, part: Result) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for inner in part.parts:
            if isinstance(inner, Reference):
                content.append({"type": "tool_reference", "tool_name": inner.tool})
            elif (said := self.part(inner)) is not None:
                content.append(said)
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.call_id}
        if len(content) == 1 and set(content[0]) == {"type", "text"}:
            block["content"] = content[0]["text"]
        elif content:
            block["content"] = content
        if part.error:
            block["is_error"] = True
        return self.cached(block, part)

    def media(self, part: Media) -> dict[str, Any] | None:
        if part.kind not in ("image", "document"):
            self.unsaid.media(part)
            return None
        if part.data is not None:
            source = {"type": "base64", "media_type": part.mime, "data": part.data}
        elif part.url is not None:
            source = {"type": "url", "url": part.url}
        elif part.file is not None and self.target.own:
            source = {"type": "file", "file_id": part.file}
        else:
            self.changes.drop(f"{part.kind} by file id", "a file belongs to the provider that holds it")
            return None
        block: dict[str, Any] = {"type": part.kind, "source": source}
        if part.kind == "document" and part.name:
            block["title"] = part.name
        return self.cached(block, part)

    def opaque(self, part: Opaque) -> dict[str, Any] | None:
        if part.origin is Format.ANTHROPIC:
            return dict(part.value)
        words = self.unsaid.words(part)
        return {"type": "text", "text": words} if words else None

    def cached(self, block: dict[str, Any], part: Text | Call | Media | Result | Tool) -> dict[str, Any]:
        if part.cache is None:
            return block
        self.breakpoints += 1
        if self.breakpoints > MAX_BREAKPOINTS:
            self.changes.drop("cache breakpoint", f"{_FORMAT} takes {MAX_BREAKPOINTS}")
            return block
        return {**block, "cache_control": {"type": "ephemeral", **({"ttl": "1h"} if part.cache == "1h" else {})}}


def _thinking(reasoning: Reasoning) -> dict[str, Any]:
    display = {} if reasoning.shown is None else {"display": "summarized" if reasoning.shown else "omitted"}
    match reasoning.mode:
        case "budget":
            return {"thinking": {"type": "enabled", "budget_tokens": reasoning.budget or 1024, **display}}
        case "adaptive" | "between_tools":
            return {"thinking": {"type": reasoning.mode, **display}}
        case "off":
            return {"thinking": {"type": "disabled"}}
    return {}
