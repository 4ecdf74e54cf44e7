"""A Chat Completions answer, written: streamed, or whole. Reasoning goes into `reasoning_content`, as most do it."""

from __future__ import annotations

from typing import Any

from lynkr.answer import Answer
from lynkr.changes import Changes
from lynkr.conversation import Call, Opaque, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, Open, Passed, Ping, Start, Stop
from lynkr.formats.openai import refusal_body
from lynkr.formats.values import dump
from lynkr.framing import sse
from lynkr.target import Label
from lynkr.usage import Usage

_REASONS = {
    Stop.END: "stop",
    Stop.SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.CONTEXT: "length",
    Stop.CALLS: "tool_calls",
    Stop.PAUSE: "stop",
    Stop.REFUSED: "content_filter",
}
PING = b": ping\n\n"
_WHY = "Chat Completions has no such content"


class AnswerWriter:
    """Writes one streamed answer."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._label, self._changes = label, changes
        self._head = {"id": label.id, "object": "chat.completion.chunk", "created": label.at, "model": label.model}
        self._part: object = None
        self._call = -1

    def event(self, event: Event) -> bytes:
        """The bytes that say `event`."""
        match event:
            case Delta():
                return self._delta(event.text)
            case Open():
                return self._open(event.part)
            case Close():
                if event.seal is not None:
                    _unseal(event.seal.kind, self._changes)
                self._part = None
                return b""
            case Start():
                self._head |= {"id": event.id or self._label.id, "model": event.model or self._label.model}
                return self._piece({"role": "assistant", "content": ""})
            case End():
                return self._end(event)
            case Failed():
                return sse.write("", refusal_body(event.refusal)[1])
            case Ping():
                return PING
            case Passed():
                return event.data

    def _open(self, part: Text | Thinking | Call | Opaque) -> bytes:
        self._part = part
        if isinstance(part, Call):
            self._call += 1
            if part.seal is not None:
                _unseal(part.seal.kind, self._changes)
            return self._piece({"tool_calls": [{"index": self._call, **_called(part, "")}]})
        if isinstance(part, Opaque):
            if part.text:
                self._changes.change(part.what, "as text")
                return self._piece({"content": part.text})
            self._changes.drop(part.what, _WHY)
        return b""

    def _delta(self, said: str) -> bytes:
        match self._part:
            case Text():
                return self._piece({"content": said})
            case Thinking():
                return self._piece({"reasoning_content": said})
            case Call(kind="custom"):
                return self._piece({"tool_calls": [{"index": self._call, "custom": {"input": said}}]})
            case Call():
                return self._piece({"tool_calls": [{"index": self._call, "function": {"arguments": said}}]})
        return b""

    def _piece(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse.write("", dump({**self._head, "choices": [choice]}))

    def _end(self, event: End) -> bytes:
        said = self._piece({}, _REASONS[event.stop])
        if self._label.wants_usage:
            said += sse.write("", dump({**self._head, "choices": [], "usage": figures(event.usage or Usage())}))
        return said + sse.write("", b"[DONE]")


def _called(call: Call, said: str) -> dict[str, Any]:
    """A call: of a freeform tool with its text, of any other with its arguments."""
    if call.kind == "custom":
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": said}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": said}}


def _unseal(kind: str, changes: Changes) -> None:
    if kind not in ("chat.reasoning", "plain"):
        changes.drop("sealed reasoning", "Chat Completions has no place for it")


def write_answer(answer: Answer, label: Label, changes: Changes) -> bytes:
    """The body of a whole answer."""
    words, thoughts, calls = list[str](), list[str](), list[dict[str, Any]]()
    for part in answer.parts:
        match part:
            case Text():
                words.append(part.text)
            case Thinking():
                thoughts += [part.text] if part.text else []
                if part.seal is not None:
                    _unseal(part.seal.kind, changes)
            case Call():
                if part.seal is not None:
                    _unseal(part.seal.kind, changes)
                calls.append(_called(part, part.arguments))
            case Opaque():
                words += [part.text] if part.text else []
                if part.text:
                    changes.change(part.what, "as text")
                else:
                    changes.drop(part.what, _WHY)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(words) if words else None, "refusal": None}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _REASONS[answer.end.stop]}
    return dump(
        {
            "id": answer.id or label.id,
            "object": "chat.completion",
            "created": label.at,
            "model": answer.model or label.model,
            "choices": [choice],
            "usage": figures(answer.end.usage or Usage()),
        }
    )


def figures(usage: Usage) -> dict[str, Any]:
    """The `usage` object; what was cached is part of the prompt."""
    details = {"cached_tokens": usage.cache_read}
    if written := usage.cache_write + usage.cache_write_1h:
        details["cache_write_tokens"] = written
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.prompt + usage.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
