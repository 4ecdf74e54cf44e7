"""What a Chat Completions answer cost, as it says itself."""

from __future__ import annotations

from typing import Any

from lynkr.formats.openai import usage_of
from lynkr.formats.values import dicts
from lynkr.formats.watch import Watch, failure, member, string_of
from lynkr.usage import Usage


class AnswerWatch(Watch):
    """Figures come in one chunk near the end, and only if the client asked for them (`stream_options`)."""

    telling = (b'"usage"', b'"error"', b"[DONE]", b'"finish_reason"')
    text = string_of("content", "arguments", "reasoning_content", "reasoning")

    def event(self, value: dict[str, Any]) -> None:
        self._failure = failure(value) or self._failure
        if any(choice.get("finish_reason") for choice in dicts(value.get("choices"))):
            self._complete = True
        self._take(value)

    def answer(self, value: dict[str, Any]) -> None:
        self._failure = failure(value)
        self._take(value)

    def _take(self, value: dict[str, Any]) -> None:
        if usage := usage_in(value):
            self._usage, self._final = usage, True


def usage_in(value: dict[str, Any]) -> Usage | None:
    """The figures of an answer or of a chunk of one; Groq has a place of its own for them."""
    figures = member(value, "usage") or member(member(value, "x_groq"), "usage")
    return usage_of(figures, "prompt_tokens", "completion_tokens", value.get("service_tier")) if figures else None
