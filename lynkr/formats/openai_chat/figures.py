"""What a Chat Completions answer cost, as it says itself."""

from __future__ import annotations

from typing import Any

from lynkr.formats.openai import usage_of
from lynkr.formats.watch import Watch, failure, member, string_of


class AnswerWatch(Watch):
    """Figures come in one chunk near the end, and only if the client asked for them (`stream_options`)."""

    telling = (b'"usage"', b'"error"', b"[DONE]", b'"finish_reason"')
    text = string_of("content", "arguments", "reasoning_content", "reasoning")

    def event(self, value: dict[str, Any]) -> None:
        self._failure = failure(value) or self._failure
        choices = value.get("choices")
        if isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices):
            self._complete = True
        self._take(value)

    def answer(self, value: dict[str, Any]) -> None:
        self._failure = failure(value)
        self._take(value)

    def _take(self, value: dict[str, Any]) -> None:
        figures = member(value, "usage")
        if figures:
            self._usage = usage_of(figures, "prompt_tokens", "completion_tokens", value.get("service_tier"))
            self._final = True
