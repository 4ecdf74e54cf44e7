"""A Messages answer, read: streamed, or whole."""

from __future__ import annotations

from typing import Any

from lynkr.answer import Answer, AnswerPart
from lynkr.changes import Changes
from lynkr.conversation import Call, Opaque, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Ping, Start, Stop, Unfinished
from lynkr.formats.anthropic.errors import read_refusal
from lynkr.formats.anthropic.figures import usage_of
from lynkr.formats.values import dumps, optional, text
from lynkr.formats.watch import member, parsed
from lynkr.framing.frame import Frame
from lynkr.lane import Format
from lynkr.target import Label

_STOPS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.CONTEXT,
    "tool_use": Stop.CALLS,
    "pause_turn": Stop.PAUSE,
    "refusal": Stop.REFUSED,
    "compaction": Stop.LENGTH,
}


class AnswerReader:
    """Reads one streamed answer, frame by frame."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._changes = changes
        self._figures: dict[str, Any] = {}
        self._stop: dict[str, Any] = {}
        self._open: tuple[object, AnswerPart] | None = None
        self._given: Any = None
        self._seal: Seal | None = None
        self._deltas = self._started = self._ended = False

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        event = parsed(frame.data)
        match event.get("type"):
            case "content_block_delta":
                return self._delta(event)
            case "content_block_start":
                return self._block(event)
            case "content_block_stop":
                return self._close(event)
            case "message_start":
                message = member(event, "message")
                self._figures |= _known(member(message, "usage"))
                self._started = True
                return [Start(text(message, "id"), text(message, "model"), usage_of(self._figures))]
            case "message_delta":
                self._figures |= _known(member(event, "usage"))
                self._stop |= _known(member(event, "delta"))
                return []
            case "message_stop":
                return self._end()
            case "error":
                return [Failed(read_refusal(event))]
            case "ping":
                return [Ping()]
            case None:
                raise MalformedStream("an event is not a JSON object with a type")
        return []

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        if not self._ended:
            raise Unfinished("the stream ended before message_stop")
        return []

    def _block(self, event: dict[str, Any]) -> list[Event]:
        if self._open is not None or not self._started:
            raise MalformedStream("a content block starts where none may")
        block = member(event, "content_block")
        part = _part(block)
        self._deltas, self._seal, self._given = False, None, None
        events: list[Event] = []
        match part:
            case Text(said):
                part = Text("")
            case Thinking(said, seal):
                part, self._seal = Thinking(""), seal
            case Call():
                said, self._given = "", block.get("input")
                part = Call(part.id, part.name)
            case _:
                said = ""
        self._open = (event.get("index"), part)
        events.append(Open(part))
        if said:
            events.append(Delta(said))
        return events

    def _delta(self, event: dict[str, Any]) -> list[Event]:
        delta, (index, part) = event.get("delta"), self._open or (None, None)
        if part is None or index != event.get("index") or not isinstance(delta, dict):
            raise MalformedStream("a delta belongs to no open content block")
        match delta.get("type"), part:
            case ("text_delta", Text()) | ("thinking_delta", Thinking()) | ("input_json_delta", Call()):
                names = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
                said = text(delta, names[delta["type"]])
                self._deltas = self._deltas or bool(said)
                return [Delta(said)] if said else []
            case "signature_delta", Thinking():
                self._seal = Seal("anthropic.signature", text(delta, "signature"))
            case "citations_delta", _:
                self._changes.drop("citations", "they have another form in each format")
        return []

    def _close(self, event: dict[str, Any]) -> list[Event]:
        if self._open is None or self._open[0] != event.get("index"):
            raise MalformedStream("a content block stops that is not open")
        part, self._open = self._open[1], None
        if isinstance(part, Call) and not self._deltas:
            # What stands at the block's start counts where nothing follows: some servers send no deltas, and a call
            # without arguments has empty ones.
            return [Delta(dumps(self._given or {})), Close()]
        return [Close(self._seal)]

    def _end(self) -> list[Event]:
        if self._open is not None or not self._started:
            raise MalformedStream("the message stops in the middle")
        self._ended = True
        return [_ending(self._stop, self._figures)]


def read_answer(body: dict[str, Any], label: Label, changes: Changes) -> Answer:
    """A whole answer. Raises MalformedStream where it is none."""
    if not isinstance(body.get("content"), list) or not all(isinstance(block, dict) for block in body["content"]):
        raise MalformedStream("the answer has no content")
    parts = tuple(map(_part, body["content"]))
    if any(block.get("citations") for block in body["content"]):
        changes.drop("citations", "they have another form in each format")
    return Answer(text(body, "id"), text(body, "model"), parts, _ending(body, member(body, "usage")))


def _part(block: dict[str, Any]) -> AnswerPart:
    match block.get("type"):
        case "text":
            return Text(text(block, "text"))
        case "thinking":
            signature = text(block, "signature")
            return Thinking(text(block, "thinking"), Seal("anthropic.signature", signature) if signature else None)
        case "redacted_thinking":
            return Thinking("", Seal("anthropic.redacted", text(block, "data")))
        case "tool_use":
            return Call(text(block, "id"), text(block, "name"), dumps(block.get("input") or {}))
    kind = text(block, "type") or "block"
    return Opaque(Format.ANTHROPIC, kind, block, text(block, "content") if kind == "compaction" else "")


def _ending(said: dict[str, Any], figures: dict[str, Any]) -> End:
    stop = _STOPS.get(text(said, "stop_reason"), Stop.END)
    return End(stop, usage_of(figures) if figures else None, optional(said, "stop_sequence"))


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
