"""A Messages answer, written: streamed, or whole.

Thinking that was made elsewhere is signed with lynkr's own envelope, so that it can be told from Anthropic's when it
comes back: it goes to its maker again, and never to another.
"""

from __future__ import annotations

from typing import Any

from lynkr.answer import Answer
from lynkr.changes import Changes
from lynkr.conversation import Call, Home, Opaque, Seal, Text, Thinking, wrap
from lynkr.events import Close, Delta, End, Event, Failed, Open, Passed, Ping, Start, Stop
from lynkr.formats.anthropic.errors import refusal_event
from lynkr.formats.values import dump, parsed_object
from lynkr.framing import sse
from lynkr.target import Label
from lynkr.usage import Usage

_REASONS = {
    Stop.END: "end_turn",
    Stop.SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.CONTEXT: "model_context_window_exceeded",
    Stop.CALLS: "tool_use",
    Stop.PAUSE: "pause_turn",
    Stop.REFUSED: "refusal",
}
PING = sse.write("ping", b'{"type":"ping"}')


class AnswerWriter:
    """Writes one streamed answer."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._label, self._changes = label, changes
        self._home = label.home
        self._index = -1
        self._part: Text | Thinking | Call | Opaque | None = None
        self._shown = False

    def event(self, event: Event) -> bytes:
        """The bytes that say `event`."""
        match event:
            case Delta():
                return self._delta(event.text)
            case Open():
                return self._open(event.part)
            case Close():
                return self._close(event.seal)
            case Start():
                message: dict[str, Any] = {
                    "id": event.id or self._label.id,
                    "type": "message",
                    "role": "assistant",
                    "model": event.model or self._label.model,
                    "content": [],
                    "stop_reason": None,
                    "stop_sequence": None,
                    "usage": figures(event.usage or Usage()),
                }
                return _said("message_start", message=message)
            case End():
                delta = {"stop_reason": _REASONS[event.stop], "stop_sequence": event.sequence}
                usage = figures(event.usage or Usage())
                return _said("message_delta", delta=delta, usage=usage) + _said("message_stop")
            case Failed():
                return refusal_event(event.refusal)
            case Ping():
                return PING
            case Passed():
                return event.data

    def _open(self, part: Text | Thinking | Call | Opaque) -> bytes:
        self._part, self._shown = part, False
        if isinstance(part, Call):
            sealed = self._whole(_sealed(part.seal, self._home)) if part.seal else b""
            return sealed + self._begin({"type": "tool_use", "id": part.id, "name": part.name, "input": {}})
        if isinstance(part, Opaque):
            if part.text:
                self._changes.change(part.what, "as text")
                return self._whole({"type": "text", "text": ""}, {"type": "text_delta", "text": part.text})
            self._changes.drop(part.what, "Anthropic Messages has no such content")
        # Text and thinking begin with their first words: a block without any would be refused when it comes back.
        return b""

    def _delta(self, said: str) -> bytes:
        match self._part:
            case Text():
                begin = b"" if self._shown else self._begin({"type": "text", "text": ""})
                return begin + self._piece({"type": "text_delta", "text": said})
            case Thinking():
                begin = b"" if self._shown else self._begin({"type": "thinking", "thinking": "", "signature": ""})
                return begin + self._piece({"type": "thinking_delta", "thinking": said})
            case Call():
                return self._piece({"type": "input_json_delta", "partial_json": said})
        return b""

    def _close(self, seal: Seal | None) -> bytes:
        part, self._part = self._part, None
        if isinstance(part, Thinking):
            return self._close_thinking(seal)
        if isinstance(part, Text) and not self._shown:
            return b""
        return b"" if isinstance(part, Opaque) else self._end()

    def _close_thinking(self, seal: Seal | None) -> bytes:
        if not self._shown:
            if seal is None:
                return b""
            if seal.kind != "anthropic.signature":
                return self._whole(_redacted(seal, self._home))
        begin = b"" if self._shown else self._begin({"type": "thinking", "thinking": "", "signature": ""})
        return begin + self._piece({"type": "signature_delta", "signature": _signature(seal, self._home)}) + self._end()

    def _whole(self, block: dict[str, Any], delta: dict[str, Any] | None = None) -> bytes:
        begin = self._begin(block)
        return begin + (self._piece(delta) if delta else b"") + self._end()

    def _begin(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        self._shown = True
        return _said("content_block_start", index=self._index, content_block=block)

    def _piece(self, delta: dict[str, Any]) -> bytes:
        return _said("content_block_delta", index=self._index, delta=delta)

    def _end(self) -> bytes:
        return _said("content_block_stop", index=self._index)


def _said(kind: str, **members: Any) -> bytes:
    return sse.write(kind, dump({"type": kind, **members}))


def _signature(seal: Seal | None, home: Home) -> str:
    if seal is not None and seal.kind == "anthropic.signature":
        return seal.data
    return wrap(seal or Seal("plain", ""), home)


def _redacted(seal: Seal, home: Home) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": seal.data if seal.kind == "anthropic.redacted" else wrap(seal, home)}


def _sealed(seal: Seal, home: Home) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": wrap(seal, home, of_call=True)}


def write_answer(answer: Answer, label: Label, changes: Changes) -> bytes:
    """The body of a whole answer."""
    home = label.home
    content: list[dict[str, Any]] = []
    for part in answer.parts:
        match part:
            case Text():
                content += [{"type": "text", "text": part.text}] if part.text else []
            case Thinking():
                if part.text or (part.seal and part.seal.kind == "anthropic.signature"):
                    signature = _signature(part.seal, home)
                    content.append({"type": "thinking", "thinking": part.text, "signature": signature})
                elif part.seal:
                    content.append(_redacted(part.seal, home))
            case Call():
                content += [_sealed(part.seal, home)] if part.seal else []
                given = parsed_object(part.arguments)
                given = {"malformed": part.arguments} if given is None else given
                content.append({"type": "tool_use", "id": part.id, "name": part.name, "input": given})
            case Opaque():
                if part.text:
                    changes.change(part.what, "as text")
                    content.append({"type": "text", "text": part.text})
                else:
                    changes.drop(part.what, "Anthropic Messages has no such content")
    return dump(
        {
            "id": answer.id or label.id,
            "type": "message",
            "role": "assistant",
            "model": answer.model or label.model,
            "content": content,
            "stop_reason": _REASONS[answer.end.stop],
            "stop_sequence": answer.end.sequence,
            "usage": figures(answer.end.usage or Usage()),
        }
    )


def figures(usage: Usage) -> dict[str, Any]:
    """Anthropic's `usage` object."""
    said: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.cache_write_1h:
        said["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.reasoning:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return said
