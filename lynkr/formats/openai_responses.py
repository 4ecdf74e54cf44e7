"""OpenAI Responses: POST /v1/responses, what Codex speaks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from lynkr.errors import LynkrError
from lynkr.formats.openai import error_body, usage_of
from lynkr.formats.watch import Watch, count, failure, member
from lynkr.framing import sse
from lynkr.lane import Format

__all__ = ["AFTER_BROKEN", "CREDENTIALS", "FREE_PATHS", "NAME", "PATHS", "AnswerWatch", "error_body", "error_event"]

NAME = Format.OPENAI_RESPONSES
PATHS = re.compile(r"/v1/responses")
FREE_PATHS = re.compile(r"/v1/responses/input_tokens")
# Two line ends: Codex passes over an event that it cannot read and takes the next one (0.169.0).
AFTER_BROKEN: bytes | None = b"\n\n"
CREDENTIALS = ("authorization", "chatgpt-account-id")


def error_event(error: LynkrError) -> bytes:
    """The SSE event that ends a stream which cannot go on."""
    failed = {"status": "failed", "error": {"code": "server_error", "message": error.sentence}}
    return sse.write("response.failed", json.dumps({"type": "response.failed", "response": failed}).encode())


class AnswerWatch(Watch):
    """The last event (`response.completed`, `.incomplete`, `.failed`) holds the whole answer and its figures."""

    telling = (b'"response.completed"', b'"response.incomplete"', b'"response.failed"', b'"error"')
    whole_text = re.compile(rb'"(?:text|arguments|input)"\s*:\s*"((?:[^"\\]|\\.)*)"')
    text = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"')

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
