"""A Converse request of Amazon Bedrock's, written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Conversation,
    Media,
    Opaque,
    Part,
    Result,
    Seal,
    Text,
    Thinking,
    Tool,
    Turn,
)
from lynkr.formats.unsaid import Unsaid
from lynkr.target import Target

_FORMAT = "Bedrock Converse"
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9\s\-()\[\]]")
_NOTHING = {"type": "object", "properties": {}}


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`. The model stands in the path."""
    return _Writer(target, changes).body(conversation)


class _Writer:
    def __init__(self, target: Target, changes: Changes) -> None:
        self.target, self.can, self.changes = target, target.can, changes
        self.unsaid = Unsaid(changes, _FORMAT)

    def body(self, c: Conversation) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if limits := self.limits(c):
            body["inferenceConfig"] = limits
        if extra := self.claude_s(c):
            body["additionalModelRequestFields"] = extra
        if tools := self.tools(c):
            body["toolConfig"] = tools
        if c.system:
            body["system"] = [said for part in c.system for said in self.text(part)]
        if c.output is not None and c.output.schema is not None:
            self.changes.drop("JSON output", f"{_FORMAT} has it for some models only")
        elif c.output is not None:
            self.unsaid.setting("JSON output without a schema")
        body["messages"] = self.messages(c.turns)
        return body

    def limits(self, c: Conversation) -> dict[str, Any]:
        named = {"maxTokens": c.max_output, "temperature": c.sampling.temperature, "topP": c.sampling.top_p}
        found: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        if c.stop:
            found["stopSequences"] = list(c.stop)
        for name in ("seed", "presence_penalty", "frequency_penalty"):
            if getattr(c.sampling, name) is not None:
                self.unsaid.setting(name)
        self.unsaid.naming(c)
        return found

    def claude_s(self, c: Conversation) -> dict[str, Any]:
        """What only Claude on Bedrock has a word for."""
        if not self.can.thinking:
            if c.sampling.top_k is not None:
                self.unsaid.setting("top_k")
            return {}
        found: dict[str, Any] = {} if c.sampling.top_k is None else {"top_k": c.sampling.top_k}
        match c.reasoning.mode:
            case "budget":
                found["thinking"] = {"type": "enabled", "budget_tokens": c.reasoning.budget or 1024}
            case "adaptive" | "between_tools" as mode:
                found["thinking"] = {"type": mode}
            case "off":
                found["thinking"] = {"type": "disabled"}
        if c.reasoning.effort in self.can.efforts:
            found["output_config"] = {"effort": c.reasoning.effort}
        return found

    def tools(self, c: Conversation) -> dict[str, Any]:
        told = [said for tool in c.tools for said in self.tool(tool)]
        used = {part.name: part for turn in c.turns for part in turn.parts if isinstance(part, Call)}
        if c.choice is not None and c.choice.mode == "none":
            self.changes.change("tool_choice", "no tools are shown")
            told = []
        if not told and used:
            # A conversation with calls is refused where no tools are named.
            told = [{"toolSpec": {"name": name, "inputSchema": {"json": _NOTHING}}} for name in used]
            self.changes.change("tools", "those of earlier calls are named: the format demands it")
        if not told:
            return {}
        if c.parallel is False:
            self.unsaid.setting("parallel tool calls off")
        said: dict[str, Any] = {"tools": told}
        if c.choice is not None and c.choice.mode != "none":
            if len(c.choice.only) == 1 and c.choice.mode == "any":
                return {**said, "toolChoice": {"tool": {"name": c.choice.only[0]}}}
            if c.choice.only:
                self.changes.change("tool_choice", f"{_FORMAT} cannot narrow it to several tools")
            said["toolChoice"] = {c.choice.mode: {}}
        return said

    def tool(self, tool: Tool | Opaque) -> Iterator[dict[str, Any]]:
        if isinstance(tool, Opaque):
            self.unsaid.tool(tool)
            return
        spec: dict[str, Any] = {"name": tool.name}
        if tool.description:
            spec["description"] = tool.description
        if tool.strict:
            self.unsaid.setting("strict tools")
        yield {"toolSpec": {**spec, "inputSchema": {"json": tool.schema or _NOTHING}}}
        yield from self.point(tool)

    def messages(self, turns: Iterable[Turn]) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        for turn in turns:
            role = "assistant" if turn.role == "assistant" else "user"
            parts = sorted(turn.parts, key=lambda part: not isinstance(part, Result)) if role == "user" else turn.parts
            if role == "assistant":
                parts = tuple(self.speakable(parts))
            content = [said for part in parts for said in self.part(part)]
            if not content:
                continue
            if any("document" in said for said in content) and not any("text" in said for said in content):
                # Refused without words beside it.
                self.changes.change("a document alone", "with a word beside it: the format demands it")
                content.append({"text": "(a document)"})
            if messages and messages[-1]["role"] == role:
                messages[-1]["content"] += content
            else:
                messages.append({"role": role, "content": content})
        return messages

    def speakable(self, parts: Iterable[Part]) -> Iterator[Part]:
        """The parts that a model may say; pictures are the user's alone."""
        for part in parts:
            if isinstance(part, Media):
                self.unsaid.media(part, "of the model's")
            else:
                yield part

    def part(self, part: Part) -> Iterator[dict[str, Any]]:
        match part:
            case Text():
                yield from self.text(part)
            case Thinking():
                yield from self.thought(part)
            case Call():
                self.unsaid.thoughts(part)
                given = self.unsaid.arguments(part)
                yield {"toolUse": {"toolUseId": part.id, "name": part.name, "input": given}}
                yield from self.point(part)
            case Result():
                content = [said for inner in part.parts for said in self.inner(inner)] or [{"text": "(no output)"}]
                status = {"status": "error"} if part.error else {}
                yield {"toolResult": {"toolUseId": part.call_id, "content": content, **status}}
                yield from self.point(part)
            case Media():
                yield from self.media(part)
                yield from self.point(part)
            case Opaque():
                if words := self.unsaid.words(part):
                    yield {"text": words}

    def inner(self, part: object) -> Iterator[dict[str, Any]]:
        if isinstance(part, Text | Media | Opaque):
            yield from (said for said in self.part(part) if "cachePoint" not in said)

    def text(self, part: Text) -> Iterator[dict[str, Any]]:
        # Refused as empty; there is nothing in it to lose.
        if part.text.strip():
            yield {"text": part.text}
            yield from self.point(part)

    def thought(self, part: Thinking) -> Iterator[dict[str, Any]]:
        match part.seal:
            case Seal("anthropic.signature", data) as seal if seal.at(self.target.home):
                yield {"reasoningContent": {"reasoningText": {"text": part.text, "signature": data}}}
            case Seal("anthropic.redacted", data) as seal if seal.at(self.target.home):
                yield {"reasoningContent": {"redactedContent": data}}
            case _:
                self.unsaid.thoughts(part)

    def media(self, part: Media) -> Iterator[dict[str, Any]]:
        if part.data is not None and part.kind == "image" and part.mime in _IMAGES:
            yield {"image": {"format": _IMAGES[part.mime], "source": {"bytes": part.data}}}
        elif part.data is not None and part.kind == "document" and part.mime in _DOCUMENTS:
            name = _NOT_IN_A_NAME.sub(" ", part.name or "document")
            yield {"document": {"format": _DOCUMENTS[part.mime], "name": name, "source": {"bytes": part.data}}}
        else:
            by = "by URL" if part.url else "by file id" if part.file else f"({part.mime})"
            self.unsaid.media(part, by)

    def point(self, part: Text | Tool | Call | Result | Media) -> Iterator[dict[str, Any]]:
        if part.cache is None:
            return
        if not self.can.cache_marks:
            self.changes.drop("cache breakpoint", "this model has no prompt cache there")
            return
        yield {"cachePoint": {"type": "default", **({"ttl": "1h"} if part.cache == "1h" else {})}}
