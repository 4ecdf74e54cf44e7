"""OpenAI Chat Completions: POST /v1/chat/completions, as OpenAI and the many who speak it after OpenAI do."""

from __future__ import annotations

import re
from typing import Any

from lynkr.errors import LynkrError
from lynkr.formats.openai import error_body, usage_of
from lynkr.formats.watch import Watch, failure, member
from lynkr.framing import sse
from lynkr.lane import Format

__all__ = ["AFTER_BROKEN", "CREDENTIALS", "FREE_PATHS", "NAME", "PATHS", "AnswerWatch", "error_body", "error_event"]

NAME = Format.OPENAI_CHAT
PATHS = re.compile(r"/v1/chat/completions")
FREE_PATHS = re.compile(r"(?!)")
# Events have no names here, so that a client could only fail to read a broken one: it ends as the lane ended it.
AFTER_BROKEN: bytes | None = None
CREDENTIALS = ("authorization",)


def error_event(error: LynkrError) -> bytes:
    """The SSE event that ends a stream which cannot go on."""
    return sse.write("", error_body(error))


class AnswerWatch(Watch):
    """Figures come in one chunk near the end, and only if the client asked for them (`stream_options`)."""

    telling = (b'"usage"', b'"error"', b"[DONE]", b'"finish_reason"')
    text = re.compile(rb'"(?:content|arguments|reasoning_content|reasoning)"\s*:\s*"((?:[^"\\]|\\.)*)"')

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
