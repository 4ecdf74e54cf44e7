"""A generateContent answer, written: streamed, or whole. A call leaves when its arguments are whole."""

from __future__ import annotations

from typing import Any

from lynkr.answer import Answer
from lynkr.changes import Changes
from lynkr.conversation import Call, Opaque, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, Open, Passed, Ping, Start, Stop
from lynkr.formats.gemini.envelope import closed
from lynkr.formats.gemini.errors import refusal_body
from lynkr.formats.values import dump, parsed_object
from lynkr.framing import sse
from lynkr.target import Label
from lynkr.usage import Usage

_REASONS = {
    Stop.END: "STOP",
    Stop.SEQUENCE: "STOP",
    Stop.LENGTH: "MAX_TOKENS",
    Stop.CONTEXT: "MAX_TOKENS",
    Stop.CALLS: "STOP",
    Stop.PAUSE: "STOP",
    Stop.REFUSED: "SAFETY",
}
# An empty line: Google's clients take a comment for a broken answer (gemini-cli 0.61.0, google-genai 3.4.0).
PING = b"\n"
_WHY = "Gemini's API has no such content"


class AnswerWriter:
    """Writes one streamed answer."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._label, self._changes = label, changes
        self._tail = {"modelVersion": label.model, "responseId": label.id}
        self._part: Text | Thinking | Call | Opaque | None = None
        self._held: list[str] = []
        self._thought: Thinking | None = None

    def event(self, event: Event) -> bytes:
        """The bytes that say `event`."""
        match event:
            case Delta():
                return self._delta(event.text)
            case Open():
                return self._open(event.part)
            case Close():
                return self._close(event)
            case Start():
                self._tail = {
                    "modelVersion": event.model or self._label.model,
                    "responseId": event.id or self._label.id,
                }
                return b""
            case End():
                return self._chunk([{"text": ""}], _REASONS[event.stop], event.usage or Usage())
            case Failed():
                return refusal_body(event.refusal)[1]
            case Ping():
                return PING
            case Passed():
                return event.data

    def _open(self, part: Text | Thinking | Call | Opaque) -> bytes:
        self._part, self._held = part, []
        if isinstance(part, Opaque):
            if part.text:
                self._changes.change(part.what, "as text")
                return self._chunk([{"text": part.text}])
            self._changes.drop(part.what, _WHY)
        return b""

    def _delta(self, said: str) -> bytes:
        match self._part:
            case Text():
                return self._chunk([{"text": said}])
            case Thinking():
                self._held.append(said)
                return self._chunk([{"text": said, "thought": True}])
            case Call():
                self._held.append(said)
        return b""

    def _close(self, event: Close) -> bytes:
        part, said = self._part, "".join(self._held)
        self._part, self._held = None, []
        if isinstance(part, Call):
            thought, self._thought = self._thought, None
            return self._chunk([_call(part, said, thought, self._label)])
        if isinstance(part, Thinking):
            self._thought = Thinking(said, event.seal)
        return b""

    def _chunk(self, parts: list[dict[str, Any]], finish: str | None = None, usage: Usage | None = None) -> bytes:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        chunk: dict[str, Any] = {"candidates": [candidate]}
        if usage is not None:
            chunk["usageMetadata"] = figures(usage)
        return sse.write("", dump({**chunk, **self._tail}))


def _call(call: Call, said: str, thought: Thinking | None, label: Label) -> dict[str, Any]:
    given = parsed_object(said)
    args = {"malformed": said} if given is None else given
    part: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": args}}
    if call.seal is not None and call.seal.kind == "gemini.signature":
        part["thoughtSignature"] = call.seal.data
    elif thought is not None:
        part["thoughtSignature"] = closed(thought, label.home)
    return part


def write_answer(answer: Answer, label: Label, changes: Changes) -> bytes:
    """The body of a whole answer."""
    parts: list[dict[str, Any]] = []
    thought: Thinking | None = None
    for part in answer.parts:
        match part:
            case Text():
                parts += [{"text": part.text}] if part.text else []
            case Thinking():
                thought = part
                parts += [{"text": part.text, "thought": True}] if part.text else []
            case Call():
                parts.append(_call(part, part.arguments, thought, label))
                thought = None
            case Opaque():
                if part.text:
                    changes.change(part.what, "as text")
                    parts.append({"text": part.text})
                else:
                    changes.drop(part.what, _WHY)
    content = {"role": "model", "parts": parts}
    return dump(
        {
            "candidates": [{"content": content, "finishReason": _REASONS[answer.end.stop], "index": 0}],
            "usageMetadata": figures(answer.end.usage or Usage()),
            "modelVersion": answer.model or label.model,
            "responseId": answer.id or label.id,
        }
    )


def figures(usage: Usage) -> dict[str, Any]:
    """The `usageMetadata` object: the prompt holds what was cached, candidates leave thoughts out."""
    return {
        "promptTokenCount": usage.prompt,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.prompt + usage.output,
    }
