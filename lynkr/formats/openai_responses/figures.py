"""What a Responses answer cost, as it says itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lynkr.formats.openai import usage_of
from lynkr.formats.watch import Watch, count, failure, member, string_of


class AnswerWatch(Watch):
    """The last event (`response.completed`, `.incomplete`, `.failed`) holds the whole answer and its figures."""

    telling = (b'"response.completed"', b'"response.incomplete"', b'"response.failed"', b'"error"')
    whole_text = string_of("text", "arguments", "input")
    text = string_of("delta")

    def event(self, value: dict[str, Any]) -> None:
        kind = value.get("type")
        if kind in ("response.completed", "response.incomplete", "response.failed"):
            self._complete = True
            self.answer(member(value, "response"))
        elif kind == "error":
            self._failure = failure(value) or str(value.get("code") or "error")[:80]

    def answer(self, value: dict[str, Any]) -> None:
        self._failure = failure(value)
        figures = member(value, "usage")
        if figures:
            self._usage = usage_of(figures, "input_tokens", "output_tokens", value.get("service_tier"))
            self._final = True
            searches = member(value, "tool_usage").values()
            if any(count(member({"tool": tool}, "tool"), "num_requests") for tool in searches):
                self._usage = replace(self._usage, extras=True)
