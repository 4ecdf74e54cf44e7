"""An answer on its way back: frames → events → restored events → the client's frames. One stream, one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from lynkr.answer import Refused, gather, spread
from lynkr.changes import Changes
from lynkr.events import Delta, End, Event, Failed, MalformedStream, Passed, Ping, Refusal, Start, Unfinished
from lynkr.formats import ENVELOPES, Codec, Speech
from lynkr.formats.refusals import BY_STATUS, by_words
from lynkr.formats.watch import parsed
from lynkr.framing.frame import Frame
from lynkr.target import Label
from lynkr.translate.restore import Restorer
from lynkr.translate.tools import Names
from lynkr.usage import CHARS_PER_TOKEN, Heard, Usage

# A frame larger than this is no frame.
LIMIT = 64 * 1024 * 1024


@dataclass(slots=True)
class Told:
    """What an answer has told so far: what the ledger wants to know of it."""

    usage: Usage | None = None
    chars: int = 0
    complete: bool = False
    failure: Refusal | None = None

    def take(self, event: Event) -> None:
        match event:
            case Delta():
                self.chars += len(event.text)
            case Start() | End():
                self.usage = event.usage or self.usage
                self.complete = isinstance(event, End)
            case Failed():
                self.failure = event.refusal

    def heard(self) -> Heard:
        """The same for the meter."""
        failure = (self.failure.code or self.failure.kind)[:80] if self.failure else None
        return Heard(self.usage, self.complete, self.complete, self.chars, failure)


class Interpreter:
    """Translates one answer that is streamed. `feed` and `finish` give events, `say` the bytes for some."""

    def __init__(self, speech: Speech, codec: Codec, label: Label, names: Names, changes: Changes) -> None:
        self.told = Told()
        self._heard = self._frames = 0
        # What could not be read, while what came before it is being told.
        self._broken: MalformedStream | None = None
        self._framing = speech.Framing()
        self._reader = speech.AnswerReader(label, changes)
        self._writer = codec.AnswerWriter(label, changes)
        self._restorer = Restorer(names, label.id)

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completed. Raises MalformedStream: with the next piece, or at the end, where something
        came before it that can be told."""
        if self._broken is not None:
            raise self._broken
        events = list[Event]()
        try:
            for frame in self._framed(data):
                events += self._restored(self._reader.frame(frame))
        except MalformedStream as error:
            if not events:
                raise
            self._broken = error
        return events

    def _framed(self, data: bytes) -> list[Frame]:
        frames = self._framing.feed(data)
        self._heard += len(data)
        self._frames += len(frames)
        if self._framing.pending > LIMIT:
            raise MalformedStream("an event has no end")
        return frames

    def finish(self) -> list[Event]:
        """The events that the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        if self._broken is not None:
            raise self._broken
        last = [event for frame in self._framing.rest() for event in self._restored(self._reader.frame(frame))]
        if self.told.complete or self.told.failure:
            return last
        if self._heard and not self._frames and not last:
            raise MalformedStream("there is no event in it")
        return last + list(self._restored(self._reader.end()))

    def say(self, events: Iterable[Event]) -> bytes:
        """The client's bytes for some events."""
        return b"".join(map(self._writer.event, events))

    def _restored(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if self.told.failure:
                return  # what follows an error is not an answer
            self.told.take(event)
            for restored in self._restorer.event(event):
                yield _counted(restored, self.told) if isinstance(restored, End) else restored


class Unwrapper(Interpreter):
    """Takes a client's own events out of a cloud's envelope; they pass as they are, and are read for their figures."""

    def __init__(self, speech: Speech, codec: Codec, label: Label, names: Names, changes: Changes) -> None:
        super().__init__(speech, codec, label, names, changes)
        self._envelope = ENVELOPES[speech.NAME]

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completed. Raises MalformedStream for what is no envelope."""
        return [event for frame in self._framed(data) for event in self._passed(frame)]

    def finish(self) -> list[Event]:
        """What stands in a last frame without an end. Raises MalformedStream where the answer is not whole."""
        if self.told.complete or self.told.failure:
            return []
        last = [event for frame in self._framing.rest() for event in self._passed(frame)]
        if not self.told.complete and not self.told.failure:
            raise Unfinished("the stream ended before the answer did")
        return last

    def _passed(self, frame: Frame) -> Iterator[Event]:
        events: list[Event] = []
        with suppress(MalformedStream):  # an order of events that is not known here is the client's to judge
            events = self._reader.frame(frame)
        for event in events:
            self.told.take(event)
        failed = next((event for event in events if isinstance(event, Failed)), None)
        if failed is not None and frame.name.startswith("!"):
            yield failed
        elif data := self._envelope.passed(frame):
            yield Passed(data, silent=bool(events) and silent(events))


def whole(
    body: bytes, speech: Speech, codec: Codec, label: Label, names: Names, changes: Changes, *, streamed: bool
) -> tuple[bytes, Told]:
    """A whole answer in the client's format, and what it told; `streamed` says that the client wants it as a stream.

    Raises MalformedStream where it is none, Refused where it is an error.
    """
    value = parsed(body)
    if not value:
        raise MalformedStream("the answer is not a JSON object")
    if value.get("error"):
        raise Refused(speech.read_refusal(value))
    told, restorer = Told(), Restorer(names, label.id)
    events = list[Event]()
    for event in spread(speech.read_answer(value, label, changes)):
        told.take(event)
        events += restorer.event(event)
    events = [_counted(event, told) if isinstance(event, End) else event for event in events]
    if streamed:
        writer = codec.AnswerWriter(label, changes)
        return b"".join(map(writer.event, events)), told
    return codec.write_answer(gather(events), label, changes), told


def _counted(end: End, told: Told) -> End:
    """An end with figures: clients count on them, and the ledger marks an estimate as the one that it is."""
    return replace(end, usage=end.usage or told.usage or Usage(output=max(1, told.chars // CHARS_PER_TOKEN)))


def refusal(body: bytes, status: int, retry_after: str | None, speech: Speech, named: str = "") -> Refusal:
    """What a lane's error answer says; `named` is what AWS calls it in a header.

    Whatever is no error of its format is still told, as it came.
    """
    value = parsed(body)
    if value and named:
        value.setdefault("__type", f"#{named}")
    if value:
        found = speech.read_refusal(value)
    else:
        words = " ".join(body[:500].decode("utf-8", "replace").split())
        found = Refusal("server", words or f"the lane answered with status {status} and no word")
    kind = by_words(found).kind
    if kind == "rate_limit" and status == 413:
        kind = "too_large"  # Groq: one request is more than a minute's allowance
    if kind == "server" or (kind == "invalid" and status not in (400, 422)):
        kind = BY_STATUS.get(status, "invalid" if 400 <= status < 500 else "server")
    return replace(found, kind=kind, status=status, retry_after=found.retry_after or retry_after)


def silent(events: Iterable[Event]) -> bool:
    """Whether events say nothing yet: the answer may still turn out to be an error with a status."""
    return all(isinstance(e, Start | Ping) or (isinstance(e, Passed) and e.silent) for e in events)
