"""Whether an answer reached an end of its own and holds nothing but text and thoughts: only such a one is given again.

Looked at as the provider said it, because what a reader makes of it has lost what it did not know. So whatever is not
known here, and is not empty, keeps an answer from being kept: a reason to stop, a member of a message, an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lynkr.lane import Format

Values = Sequence[Mapping[str, Any]]

_CHAT_CHOICE = frozenset(("index", "message", "delta", "finish_reason", "native_finish_reason", "stop_reason",
                          "content_filter_results", "matched_stop"))  # fmt: skip
_CHAT_MESSAGE = frozenset(("role", "content", "reasoning_content", "reasoning"))
_RESPONSE_EVENTS = (
    "response.created", "response.queued", "response.in_progress", "response.output_item.added",
    "response.output_item.done", "response.content_part.added", "response.content_part.done",
    "response.output_text.delta", "response.output_text.done", "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done", "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done", "response.reasoning_text.delta", "response.reasoning_text.done",
    "response.completed", "keepalive",
)  # fmt: skip
_RESPONSE_ITEM = frozenset(("id", "type", "status", "role", "content", "summary", "encrypted_content"))
_RESPONSE_PART = frozenset(("type", "text"))
_MESSAGE = frozenset(("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"))
_MESSAGE_EVENTS = ("message_start", "content_block_start", "content_block_delta", "content_block_stop",
                   "message_delta", "message_stop", "ping")  # fmt: skip
_BLOCK = frozenset(("type", "text", "thinking", "signature"))
_CANDIDATE = frozenset(("content", "finishReason", "index", "avgLogprobs", "safetyRatings", "tokenCount"))
_GEMINI_PART = frozenset(("text", "thought"))


def is_whole(spoken: Format, values: Values) -> bool:
    """Whether `values`, an answer's events or the one value that it is, are an answer to keep."""
    look = _LOOKS.get(spoken)
    return look is not None and bool(values) and look(values)


def _only(value: Any, known: Iterable[str]) -> bool:
    """Whether a record holds nothing but what is known, or is empty."""
    return isinstance(value, Mapping) and all(name in known or _empty(held) for name, held in value.items())


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_empty, value.values()))
    if isinstance(value, list):
        return all(map(_empty, value))
    return value in (None, "", 0, False)


def _are(values: Values, known: Sequence[str]) -> bool:
    """Whether all events are of a known type."""
    return all(value.get("type") in known for value in values)


def _all(values: Any, look: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(look, values))


def _chat(values: Values) -> bool:
    ends = []
    for value in values:
        choices = value.get("choices")
        if value.get("error") or not isinstance(choices, list) or len(choices) > 1:
            return False
        for choice in choices:
            if not _only(choice, _CHAT_CHOICE) or choice.get("index", 0) != 0:
                return False
            if not _only(choice.get("message") or choice.get("delta") or {}, _CHAT_MESSAGE):
                return False
            ends.append(choice.get("finish_reason"))
    return [end for end in ends if end] == ["stop"]


def _responses(values: Values) -> bool:
    if len(values) == 1 and "type" not in values[0]:
        return _response(values[0])
    items = [value.get("item") for value in values if value.get("type") == "response.output_item.done"]
    last = next((value.get("response") for value in values if value.get("type") == "response.completed"), None)
    return _are(values, _RESPONSE_EVENTS) and _all(items, _item) and isinstance(last, Mapping) and _response(last)


def _response(value: Mapping[str, Any]) -> bool:
    return value.get("status") == "completed" and not value.get("error") and _all(value.get("output"), _item)


def _item(item: Any) -> bool:
    if not _only(item, _RESPONSE_ITEM) or item.get("type", "message") not in ("message", "reasoning"):
        return False
    return item.get("type") == "reasoning" or _all(item.get("content"), lambda part: _only(part, _RESPONSE_PART))


def _messages(values: Values) -> bool:
    if len(values) == 1 and values[0].get("type") == "message":
        whole = values[0]
        return _only(whole, _MESSAGE) and _stopped(whole) and _all(whole.get("content"), _block)
    if not _are(values, _MESSAGE_EVENTS):
        return False
    begun = [value["message"] for value in values if isinstance(value.get("message"), Mapping)]
    blocks = [value.get("content_block") for value in values if value.get("type") == "content_block_start"]
    deltas = [value.get("delta") for value in values if value.get("type") == "message_delta"]
    steps = [value.get("delta") for value in values if value.get("type") == "content_block_delta"]
    return (
        _all(begun, lambda message: _only(message, _MESSAGE))
        and _all(blocks, _block)
        and _all(steps, lambda step: _only(step, _BLOCK))
        and _all(deltas, lambda delta: _only(delta, _MESSAGE))
        and any(_stopped(delta) for delta in deltas if isinstance(delta, Mapping))
    )


def _stopped(value: Mapping[str, Any]) -> bool:
    return value.get("stop_reason") in ("end_turn", "stop_sequence")


def _block(block: Any) -> bool:
    return _only(block, _BLOCK) and block.get("type") in ("text", "thinking")


def _gemini(values: Values) -> bool:
    ends = []
    for value in values:
        candidates = value.get("candidates") or []
        if value.get("error") or value.get("promptFeedback") or not isinstance(candidates, list) or len(candidates) > 1:
            return False
        for candidate in candidates:
            if not _only(candidate, _CANDIDATE):
                return False
            content = candidate.get("content") or {}
            parts = (content.get("parts") or []) if isinstance(content, Mapping) else None
            if not _all(parts, lambda part: _only(part, _GEMINI_PART)):
                return False
            ends.append(candidate.get("finishReason"))
    return [end for end in ends if end] == ["STOP"]


_LOOKS: Mapping[Format, Callable[[Values], bool]] = {
    Format.ANTHROPIC: _messages,
    Format.OPENAI_CHAT: _chat,
    Format.OPENAI_RESPONSES: _responses,
    Format.GEMINI: _gemini,
}
