"""An /api/chat request of Ollama's, written.

The context size is said where the profile knows it, and nothing may be cut off: on its own Ollama takes a small default
and silently drops the oldest messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Media, Opaque, Result, Text, Thinking, Tool, Turn
from lynkr.formats.unsaid import Unsaid
from lynkr.formats.values import ERROR_MARK, plain_schema
from lynkr.target import Target

_FORMAT = "Ollama's API"
# How long the model stays loaded between requests: coding sessions have longer pauses than the default five minutes.
KEEP_ALIVE = "30m"
_OPTIONS = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    return _Writer(target, changes).body(conversation)


class _Writer:
    def __init__(self, target: Target, changes: Changes) -> None:
        self.target, self.can, self.changes = target, target.can, changes
        self.unsaid = Unsaid(changes, _FORMAT)

    def body(self, c: Conversation) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.target.home.model, "stream": c.stream, "keep_alive": KEEP_ALIVE}
        body |= {"truncate": False, "options": self.options(c)} | self.thinking(c)
        if c.output is not None:
            body["format"] = c.output.schema if c.output.schema is not None else "json"
        tools = [said for tool in c.tools if (said := self.tool(tool)) is not None]
        if tools and c.choice is not None and c.choice.mode == "none":
            self.changes.change("tool_choice", "no tools are shown")
            tools = []
        if tools:
            body["tools"] = tools
            if c.choice is not None and (c.choice.mode == "any" or c.choice.only):
                self.unsaid.setting("tool_choice")
            if c.parallel is False:
                self.unsaid.setting("parallel tool calls off")
        body["messages"] = list(self.messages(c))
        return body

    def options(self, c: Conversation) -> dict[str, Any]:
        found: dict[str, Any] = {} if self.can.context is None else {"num_ctx": self.can.context}
        if c.max_output is not None:
            found["num_predict"] = c.max_output
        for name in _OPTIONS:
            if (value := getattr(c.sampling, name)) is not None:
                found[name] = value
        if c.stop:
            found["stop"] = list(c.stop)
        self.unsaid.naming(c)
        return found

    def thinking(self, c: Conversation) -> dict[str, Any]:
        asked = c.reasoning
        if asked.mode == "off" and "off" in self.can.thinking:
            return {"think": False}
        if asked.effort in self.can.efforts:
            return {"think": asked.effort}
        return {"think": True} if asked.mode == "adaptive" and "adaptive" in self.can.thinking else {}

    def tool(self, tool: Tool | Opaque) -> dict[str, Any] | None:
        if isinstance(tool, Opaque):
            self.unsaid.tool(tool)
            return None
        self.unsaid.breakpoints((tool,))
        if tool.strict:
            self.unsaid.setting("strict tools")
        schema = plain_schema(tool.schema)
        return {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": schema},
        }

    def messages(self, c: Conversation) -> Iterator[dict[str, Any]]:
        if c.system:
            self.unsaid.breakpoints(c.system)
            yield {"role": "system", "content": "\n\n".join(part.text for part in c.system if part.text)}
        for turn in c.turns:
            if turn.role == "assistant":
                yield from self.said(turn)
            else:
                yield from self.heard(turn)

    def heard(self, turn: Turn) -> Iterator[dict[str, Any]]:
        for part in turn.parts:
            if isinstance(part, Result):
                yield self.result(part)
        words, images = self.words(part for part in turn.parts if not isinstance(part, Result))
        if words or images:
            role = "system" if turn.role == "system" else "user"
            yield {"role": role, "content": "\n\n".join(words)} | ({"images": images} if images else {})

    def result(self, part: Result) -> dict[str, Any]:
        self.unsaid.breakpoints((part,))
        words, images = self.words(part.parts)
        if part.error:
            self.changes.change("is_error", "as words before the result")
        content = (ERROR_MARK if part.error else "") + "\n".join(words)
        message: dict[str, Any] = {"role": "tool", "tool_name": part.name, "content": content}
        return message | ({"images": images} if images else {})

    def words(self, parts: Iterable[object]) -> tuple[list[str], list[str]]:
        """The texts and the images of some parts."""
        words, images = list[str](), list[str]()
        for part in parts:
            match part:
                case Text():
                    self.unsaid.breakpoints((part,))
                    words += [part.text] if part.text else []
                case Media(kind="image", data=str(data)):
                    self.unsaid.breakpoints((part,))
                    images.append(data)
                case Media():
                    by = "by URL" if part.url else "by file id" if part.file else ""
                    self.unsaid.media(part, by)
                case Opaque():
                    words += filter(None, [self.unsaid.words(part)])
        return words, images

    def said(self, turn: Turn) -> Iterator[dict[str, Any]]:
        words, _ = self.words(part for part in turn.parts if isinstance(part, Text | Opaque))
        message: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(words)}
        calls = list[dict[str, Any]]()
        for part in turn.parts:
            match part:
                case Call():
                    self.unsaid.breakpoints((part,))
                    self.unsaid.thoughts(part)
                    calls.append({"function": {"name": part.name, "arguments": self.unsaid.arguments(part)}})
                case Media():
                    self.unsaid.media(part, "of the model's")
                case Thinking():
                    if part.seal is not None and part.seal.kind == "chat.reasoning" and part.seal.at(self.target.home):
                        message["thinking"] = message.get("thinking", "") + part.text
                    else:
                        self.unsaid.thoughts(part)
        if words or calls:
            yield message | ({"tool_calls": calls} if calls else {})
