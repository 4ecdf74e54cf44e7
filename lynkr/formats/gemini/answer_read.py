"""A generateContent answer, read: streamed, or whole. Calls arrive whole; what continues is text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.answer import Answer, gather
from lynkr.changes import Changes
from lynkr.conversation import Call, Opaque, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, MalformedStream, Open, Refusal, Start, Stop, Unfinished
from lynkr.formats.gemini.figures import usage_of
from lynkr.formats.google import read_refusal
from lynkr.formats.values import dumps, text
from lynkr.formats.watch import member, parsed
from lynkr.framing.frame import Frame
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.usage import Usage

_STOPS = {
    "STOP": Stop.END,
    "MAX_TOKENS": Stop.LENGTH,
    "SAFETY": Stop.REFUSED,
    "PROHIBITED_CONTENT": Stop.REFUSED,
    "BLOCKLIST": Stop.REFUSED,
    "SPII": Stop.REFUSED,
    "RECITATION": Stop.REFUSED,
    "LANGUAGE": Stop.REFUSED,
    "IMAGE_SAFETY": Stop.REFUSED,
    "IMAGE_PROHIBITED_CONTENT": Stop.REFUSED,
    "IMAGE_RECITATION": Stop.REFUSED,
    "MODEL_ARMOR": Stop.REFUSED,
}
_FAILURES = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
             "MALFORMED_RESPONSE")  # fmt: skip


class AnswerReader:
    """Reads one streamed answer, frame by frame. Calls without an id get one after the label's."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._seed, self._changes = label.id, changes
        self._started = self._over = False
        self._open: Text | Thinking | None = None
        self._seal: Seal | None = None
        self._finish = ""
        self._usage: Usage | None = None
        self._calls = 0

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        chunk = parsed(frame.data)
        if not chunk:
            raise MalformedStream("a chunk is not a JSON object")
        return list(self._chunk(chunk))

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        if self._over:
            return []
        if not self._finish:
            raise Unfinished("the stream ended before the answer did")
        self._over = True
        events = list(self._close())
        if self._finish in _FAILURES:
            return [*events, Failed(Refusal("server", f"the model ended its answer with {self._finish}; try again"))]
        stop = _STOPS.get(self._finish, Stop.END)
        return [*events, End(Stop.CALLS if self._calls and stop is Stop.END else stop, self._usage)]

    def _chunk(self, chunk: dict[str, Any]) -> Iterator[Event]:
        if chunk.get("error"):
            yield Failed(read_refusal(chunk))
            return
        if not self._started:
            self._started = True
            yield Start(text(chunk, "responseId"), text(chunk, "modelVersion"))
        if figures := member(chunk, "usageMetadata"):
            self._usage = usage_of(figures)
        candidates = chunk.get("candidates")
        candidate = candidates[0] if isinstance(candidates, list) and candidates else {}
        if not isinstance(candidate, dict):
            raise MalformedStream("a candidate is not an object")
        parts = member(candidate, "content").get("parts")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                yield from self._part(part)
        if candidate.get("groundingMetadata") or candidate.get("citationMetadata"):
            self._changes.drop("citations", "they have another form in each format")
        blocked = text(member(chunk, "promptFeedback"), "blockReason")
        self._finish = text(candidate, "finishReason") or ("SAFETY" if blocked else "") or self._finish

    def _part(self, part: dict[str, Any]) -> Iterator[Event]:
        signature = text(part, "thoughtSignature")
        seal = Seal("gemini.signature", signature) if signature else None
        if call := member(part, "functionCall"):
            yield from self._close()
            self._calls += 1
            call_id = text(call, "id") or f"call_{self._seed}_{self._calls}"
            yield Open(Call(call_id, text(call, "name"), seal=seal))
            yield Delta(dumps(call.get("args") or {}))
            yield Close()
            return
        if "text" not in part:
            kind = next((name for name in part if name != "thoughtSignature"), "part")
            words = text(member(part, "executableCode"), "code") or text(member(part, "codeExecutionResult"), "output")
            yield from self._close()
            yield Open(Opaque(Format.GEMINI, kind, part, words))
            yield Close()
            return
        said, kind_of = text(part, "text"), Thinking if part.get("thought") is True else Text
        if said:
            if not isinstance(self._open, kind_of):
                yield from self._close()
                self._open = kind_of("")
                yield Open(self._open)
            yield Delta(said)
        if seal is not None and kind_of is Thinking:
            self._seal = seal
        elif seal is not None:
            # The signature of a text is a thought of its own, without words.
            yield from self._close()
            yield Open(Thinking(""))
            yield Close(seal)

    def _close(self) -> Iterator[Event]:
        part, seal = self._open, self._seal
        self._open = self._seal = None
        if part is not None:
            yield Close(seal if isinstance(part, Thinking) else None)


def read_answer(body: dict[str, Any], label: Label, changes: Changes) -> Answer:
    """A whole answer. Raises MalformedStream where it is none."""
    reader = AnswerReader(label, changes)
    return gather([*reader._chunk(body), *reader.end()])
