"""A Responses answer, read: streamed, or whole.

Items may be streamed side by side (each event names its item); one is told at a time and the events of the others are
held back until it is done. A server may leave the deltas out: then the whole item tells all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.answer import Answer, AnswerPart, spread
from lynkr.changes import Changes
from lynkr.conversation import Call, Opaque, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Start, Stop, Unfinished
from lynkr.formats.openai import read_refusal
from lynkr.formats.openai_responses.figures import usage_in
from lynkr.formats.values import dicts, dumps, text
from lynkr.formats.watch import member, parsed
from lynkr.framing.frame import Frame
from lynkr.lane import Format
from lynkr.target import Label

_DELTAS = {
    "response.output_text.delta": Text,
    "response.refusal.delta": Text,
    "response.reasoning_summary_text.delta": Thinking,
    "response.reasoning_text.delta": Thinking,
    "response.function_call_arguments.delta": Call,
    "response.custom_tool_call_input.delta": Call,
}
_KINDS = {"function_call": "function", "custom_tool_call": "custom"}


class AnswerReader:
    """Reads one streamed answer, frame by frame."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._changes = changes
        self._started = self._over = self._called = self._refused = False
        self._telling: object = None  # the index of the item that is told
        self._items: dict[object, _Item] = {}

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        if frame.data.strip() == b"[DONE]":
            return []
        event = parsed(frame.data)
        kind = text(event, "type")
        if kind in _DELTAS:
            return self._hold(event, self._item(event).delta(_DELTAS[kind], text(event, "delta")))
        match kind:
            case "response.output_item.added":
                return self._hold(event, self._item(event).begin(member(event, "item")))
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                return self._hold(event, self._item(event).delta(Thinking, "\n\n"))
            case "response.content_part.done" | "response.output_text.done":
                return self._hold(event, self._item(event).part_done())
            case "response.output_item.done":
                return self._done(event)
            case "response.created":
                self._started = True
                response = member(event, "response")
                return [Start(text(response, "id"), text(response, "model"))]
            case "response.completed" | "response.incomplete":
                return self._end(member(event, "response"))
            case "response.failed":
                return [Failed(read_refusal(member(event, "response")))]
            case "error":
                return [Failed(read_refusal(event))]
            case "":
                raise MalformedStream("an event is not a JSON object with a type")
        return []

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        if not self._over:
            raise Unfinished("the stream ended before response.completed")
        return []

    def _item(self, event: dict[str, Any]) -> _Item:
        index = event.get("output_index", 0)
        if not self._started:
            raise MalformedStream("an item begins before the response")
        if not isinstance(index, int):
            raise MalformedStream("an item's index is no number")
        return self._items.setdefault(index, _Item())

    def _hold(self, event: dict[str, Any], events: Iterator[Event]) -> list[Event]:
        """The events of an item if it is the one that is told; else they wait until that is over."""
        index = event.get("output_index", 0)
        item, before = self._items[index], list[Event]()
        if self._telling != index:
            told = self._items.get(self._telling)
            # Words may end where others begin (some servers end an item of reasoning last of all); a call may not.
            if told is not None and not told.done:
                if told.calling:
                    item.held += events
                    return []
                before = list(told.break_off())
            self._telling = index
        return [*before, *events]

    def _done(self, event: dict[str, Any]) -> list[Event]:
        whole, index = member(event, "item"), event.get("output_index", 0)
        item = self._item(event)
        said = self._hold(event, item.finish(whole))
        self._called = self._called or text(whole, "type") in _KINDS
        self._refused = self._refused or _refuses(whole)
        if _cites(whole):
            self._changes.drop("citations", "they have another form in each format")
        if self._telling != index:
            return said
        del self._items[index]
        self._telling = None
        # The next in line tells what it held back; more than one may be done already.
        for waiting in sorted(key for key in self._items if isinstance(key, int)):
            held = self._items[waiting]
            said += held.held
            held.held = []
            if held.done:
                del self._items[waiting]
            elif held.opened:
                self._telling = waiting
                break
        return said

    def _end(self, response: dict[str, Any]) -> list[Event]:
        if not self._started:
            raise MalformedStream("the response ends before it began")
        self._over = True
        events: list[Event] = []
        for index in sorted(key for key in self._items if isinstance(key, int)):
            item = self._items[index]
            events += [*item.held, *item.break_off()]
        return [*events, _ending(response, called=self._called, refused=self._refused)]


class _Item:
    """One output item on its way."""

    def __init__(self) -> None:
        self.held: list[Event] = []
        self.done = False
        self._open: AnswerPart | None = None
        self._told = 0
        self._broken = False

    @property
    def opened(self) -> bool:
        """Whether a part of it is being told."""
        return self._open is not None

    @property
    def calling(self) -> bool:
        """Whether that part is a call."""
        return isinstance(self._open, Call)

    def break_off(self) -> Iterator[Event]:
        """Ends the part that is being told, before its item is done."""
        part, self._open = self._open, None
        if part is not None:
            self._broken = True
            yield Close()

    def begin(self, item: dict[str, Any]) -> Iterator[Event]:
        if self._open is not None:
            raise MalformedStream("an item begins twice")
        part = _empty(item)
        if part is not None:
            self._open = part
            self._told += 1
            yield Open(part)

    def delta(self, kind: type[Text | Thinking | Call], said: str) -> Iterator[Event]:
        if not isinstance(self._open, kind):
            if kind is Call:
                raise MalformedStream("arguments belong to no call")
            yield from self.part_done()
            self._open = Text("") if kind is Text else Thinking("")
            self._told += 1
            yield Open(self._open)
        if said:
            yield Delta(said)
            self._told += 1

    def part_done(self) -> Iterator[Event]:
        # A reasoning item's seal comes with the item's end, and a call is one item.
        if isinstance(self._open, Text):
            self._open = None
            yield Close()

    def finish(self, item: dict[str, Any]) -> Iterator[Event]:
        self.done = True
        parts = list(_parts(item))
        if self._broken and self._open is None:
            # Its words were told; its seal comes only now.
            if isinstance(parts[0] if parts else None, Thinking) and (seal := _seal(item)):
                yield Open(Thinking(""))
                yield Close(seal)
            return
        if not self._told or (self._told == 1 and self._open is not None and not isinstance(self._open, Text)):
            # No deltas came.
            if self._open is not None:
                yield from _rest(self._open, parts)
                return
            for event in spread(Answer(parts=tuple(parts))):
                if not isinstance(event, Start | End):
                    yield event
            return
        part, self._open = self._open, None
        if part is not None:
            yield Close(_seal(item) if isinstance(part, Thinking) else None)


def _rest(part: AnswerPart, parts: list[AnswerPart]) -> Iterator[Event]:
    """What the whole item adds to a part that was opened and got no deltas."""
    whole = parts[0] if parts else part
    if isinstance(whole, Call):
        arguments = whole.arguments or ("{}" if whole.kind == "function" else "")
        if arguments:
            yield Delta(arguments)
        yield Close()
    elif isinstance(whole, Thinking):
        if whole.text:
            yield Delta(whole.text)
        yield Close(whole.seal)
    else:
        yield Close()


def _empty(item: dict[str, Any]) -> AnswerPart | None:
    match text(item, "type"):
        case "function_call" | "custom_tool_call" as kind:
            return Call(text(item, "call_id"), text(item, "name"), "", _KINDS[kind], item.get("namespace"))  # type: ignore[arg-type]
        case "reasoning":
            return Thinking("")
    return None


def _parts(item: dict[str, Any]) -> Iterator[AnswerPart]:
    match text(item, "type"):
        case "message":
            for part in dicts(item.get("content")):
                yield Text(text(part, "text") or text(part, "refusal"))
        case "function_call" | "custom_tool_call" as kind:
            arguments = text(item, "arguments" if kind == "function_call" else "input")
            yield Call(
                text(item, "call_id"), text(item, "name"), arguments or ("{}" if kind == "function_call" else ""),
                _KINDS[kind], item.get("namespace"),  # type: ignore[arg-type]
            )  # fmt: skip
        case "reasoning":
            words = [text(piece, "text") for piece in dicts(item.get("content")) or dicts(item.get("summary"))]
            if words or _seal(item):
                yield Thinking("\n\n".join(words), _seal(item))
        case kind:
            yield Opaque(Format.OPENAI_RESPONSES, kind or "item", item)


def _refuses(item: dict[str, Any]) -> bool:
    return any(part.get("type") == "refusal" for part in dicts(item.get("content")))


def _cites(item: dict[str, Any]) -> bool:
    return any(part.get("annotations") for part in dicts(item.get("content")))


def _seal(item: dict[str, Any]) -> Seal | None:
    if not text(item, "encrypted_content"):
        return None
    kept = {name: item.get(name) for name in ("id", "summary", "encrypted_content")}
    return Seal("openai.reasoning", dumps(kept))


def read_answer(body: dict[str, Any], label: Label, changes: Changes) -> Answer:
    """A whole answer. Raises MalformedStream where it is none."""
    output = body.get("output")
    if not isinstance(output, list):
        raise MalformedStream("the answer has no output")
    items = dicts(output)
    if any(map(_cites, items)):
        changes.drop("citations", "they have another form in each format")
    parts = tuple(part for item in items for part in _parts(item))
    refused = any(map(_refuses, items))
    end = _ending(body, called=any(isinstance(part, Call) for part in parts), refused=refused)
    return Answer(text(body, "id"), text(body, "model"), parts, end)


def _ending(response: dict[str, Any], *, called: bool, refused: bool) -> End:
    usage = usage_in(response)
    reason = text(member(response, "incomplete_details"), "reason")
    if response.get("status") == "incomplete" or reason:
        return End(Stop.REFUSED if reason == "content_filter" else Stop.LENGTH, usage)
    return End(Stop.CALLS if called else Stop.REFUSED if refused else Stop.END, usage)
