"""What a Responses answer cost, as it says itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lynkr.formats.openai import usage_of
from lynkr.formats.watch import Watch, count, failure, member, string_of
from lynkr.usage import Usage


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
        if usage := usage_in(value):
            self._usage, self._final = usage, True


def usage_in(response: dict[str, Any]) -> Usage | None:
    """The figures of a whole response."""
    figures = member(response, "usage")
    if not figures:
        return None
    usage = usage_of(figures, "input_tokens", "output_tokens", response.get("service_tier"))
    tools = member(response, "tool_usage").values()
    searched = any(isinstance(tool, dict) and count(tool, "num_requests") for tool in tools)
    return replace(usage, extras=usage.extras or searched)
