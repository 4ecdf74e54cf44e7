"""A Converse answer of Amazon Bedrock's, read: as an AWS event stream, or whole."""

from __future__ import annotations

from typing import Any

from lynkr.answer import Answer, AnswerPart
from lynkr.changes import Changes
from lynkr.conversation import Call, Opaque, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Start, Stop, Unfinished
from lynkr.formats.bedrock import failed
from lynkr.formats.values import dicts, dumps, text
from lynkr.formats.watch import count, member, parsed
from lynkr.framing.frame import Frame
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.usage import Usage

_STOPS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.CONTEXT,
    "tool_use": Stop.CALLS,
    "content_filtered": Stop.REFUSED,
    "guardrail_intervened": Stop.REFUSED,
}


class AnswerReader:
    """Reads one streamed answer, frame by frame."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._label, self._changes = label, changes
        self._open: tuple[object, AnswerPart] | None = None
        self._seal: Seal | None = None
        self._deltas = self._started = False
        self._stop = ""
        self._usage: Usage | None = None

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        if frame.name.startswith("!"):
            return [Failed(failed(frame))]
        event = parsed(frame.data)
        match frame.name:
            case "contentBlockDelta":
                return self._delta(event)
            case "contentBlockStart":
                use = member(member(event, "start"), "toolUse")
                return self._begin(event, Call(text(use, "toolUseId"), text(use, "name")) if use else Text(""))
            case "contentBlockStop":
                return self._close(event)
            case "messageStart":
                self._started = True
                return [Start(f"msg_{self._label.id}", self._label.home.model)]
            case "messageStop":
                self._stop = text(event, "stopReason")
            case "metadata":
                self._usage = usage_of(member(event, "usage"))
        return []

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        if not self._stop or self._open is not None or not self._started:
            raise Unfinished("the stream ended before messageStop")
        return [End(_STOPS.get(self._stop, Stop.END), self._usage)]

    def _begin(self, event: dict[str, Any], part: AnswerPart) -> list[Event]:
        if self._open is not None or not self._started:
            raise MalformedStream("a content block starts where none may")
        self._open, self._deltas, self._seal = (event.get("contentBlockIndex"), part), False, None
        return [Open(part)]

    def _delta(self, event: dict[str, Any]) -> list[Event]:
        delta = member(event, "delta")
        thought = member(delta, "reasoningContent")
        begun: list[Event] = []
        if self._open is None:
            # Only a tool's block has to have a start.
            begun = self._begin(event, Thinking("") if thought else Text(""))
        assert self._open is not None
        index, part = self._open
        if index != event.get("contentBlockIndex"):
            raise MalformedStream("a delta belongs to no open content block")
        if thought and isinstance(part, Text) and not self._deltas:
            raise MalformedStream("a thought in a block of text")
        if "signature" in thought:
            self._seal = Seal("anthropic.signature", text(thought, "signature"))
        if "redactedContent" in thought:
            self._seal = Seal("anthropic.redacted", text(thought, "redactedContent"))
        if "citation" in delta:
            self._changes.drop("citations", "they have another form in each format")
        said = text(delta, "text") or text(thought, "text") or text(member(delta, "toolUse"), "input")
        self._deltas = self._deltas or bool(said)
        return [*begun, Delta(said)] if said else begun

    def _close(self, event: dict[str, Any]) -> list[Event]:
        if self._open is None:
            return []  # an empty text, which had no start either
        index, part = self._open
        if index != event.get("contentBlockIndex"):
            raise MalformedStream("a content block stops that is not open")
        self._open = None
        empty = [Delta("{}")] if isinstance(part, Call) and not self._deltas else []
        return [*empty, Close(self._seal)]


def read_answer(body: dict[str, Any], label: Label, changes: Changes) -> Answer:
    """A whole answer. Raises MalformedStream where it is none."""
    message = member(member(body, "output"), "message")
    if not isinstance(message.get("content"), list):
        raise MalformedStream("the answer has no content")
    parts = tuple(_part(block) for block in dicts(message["content"]))
    end = End(_STOPS.get(text(body, "stopReason"), Stop.END), usage_of(member(body, "usage")))
    return Answer(f"msg_{label.id}", label.home.model, parts, end)


def _part(block: dict[str, Any]) -> AnswerPart:
    if "text" in block:
        return Text(text(block, "text"))
    if use := member(block, "toolUse"):
        return Call(text(use, "toolUseId"), text(use, "name"), dumps(use.get("input") or {}))
    if thought := member(block, "reasoningContent"):
        if redacted := text(thought, "redactedContent"):
            return Thinking("", Seal("anthropic.redacted", redacted))
        said = member(thought, "reasoningText")
        signature = text(said, "signature")
        return Thinking(text(said, "text"), Seal("anthropic.signature", signature) if signature else None)
    return Opaque(Format.BEDROCK_CONVERSE, next(iter(block), "block"), block)


def usage_of(figures: dict[str, Any]) -> Usage | None:
    """Converse's `usage` object: the counts do not overlap."""
    if not figures:
        return None
    details = figures.get("cacheDetails")
    hour = sum(
        count(detail, "inputTokens")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    )
    written = count(figures, "cacheWriteInputTokens")
    hour = min(hour, written)
    return Usage(
        input=count(figures, "inputTokens"),
        cache_read=count(figures, "cacheReadInputTokens"),
        cache_write=written - hour,
        cache_write_1h=hour,
        output=count(figures, "outputTokens"),
    )
