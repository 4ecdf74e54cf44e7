"""OpenAI Chat Completions: POST /v1/chat/completions, as OpenAI and the many who speak it after OpenAI do."""

from __future__ import annotations

import re
from typing import Any

from lynkr.errors import LynkrError
from lynkr.events import Usage
from lynkr.formats.openai import OTHER_RATES, error_body
from lynkr.formats.watch import Watch, count, failure, member
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
            self._usage = usage_of(figures, value.get("service_tier"))
            self._final = True


def usage_of(figures: dict[str, Any], tier: object = None) -> Usage:
    """OpenAI's `usage` object; `prompt_tokens` includes what was cached. DeepSeek names its cache hits otherwise."""
    details = member(figures, "prompt_tokens_details")
    read = count(details, "cached_tokens") or count(figures, "prompt_cache_hit_tokens")
    written = count(details, "cache_write_tokens")
    output = count(figures, "completion_tokens")
    return Usage(
        input=max(0, count(figures, "prompt_tokens") - read - written),
        cache_read=read,
        cache_write=written,
        output=output,
        reasoning=min(output, count(member(figures, "completion_tokens_details"), "reasoning_tokens")),
        extras=tier in OTHER_RATES,
    )
