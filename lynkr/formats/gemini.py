"""Gemini generateContent: POST /v1beta/models/{model}:generateContent and :streamGenerateContent."""

from __future__ import annotations

import json
import re
from typing import Any

from lynkr.errors import LynkrError
from lynkr.events import Usage
from lynkr.formats.watch import Watch, count, failure, member, parsed
from lynkr.framing import sse
from lynkr.lane import Format

NAME = Format.GEMINI
PATHS = re.compile(r"/v1(?:alpha|beta)?/models/(?P<model>[^/:]+):(?:generateContent|streamGenerateContent)")
FREE_PATHS = re.compile(r"/v1(?:alpha|beta)?/models/[^/:]+:countTokens")
# Events have no names here, so that a client could only fail to read a broken one: it ends as the lane ended it.
AFTER_BROKEN: bytes | None = None
CREDENTIALS = ("x-goog-api-key", "authorization")

_STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 504: "DEADLINE_EXCEEDED"}


def error_body(error: LynkrError) -> bytes:
    """The JSON body of an error answer (google.rpc.Status)."""
    status = _STATUSES.get(error.status, "UNAVAILABLE")
    return json.dumps({"error": {"code": error.status, "message": error.sentence, "status": status}}).encode()


def error_event(error: LynkrError) -> bytes:
    """The SSE event that ends a stream which cannot go on."""
    return sse.write("", error_body(error))


class AnswerWatch(Watch):
    """Every chunk repeats the figures so far; the one with a `finishReason` is the last."""

    telling = (b'"usageMetadata"', b'"error"', b'"finishReason"')

    def event(self, value: dict[str, Any]) -> None:
        candidates = value.get("candidates")
        if isinstance(candidates, list) and any(isinstance(c, dict) and c.get("finishReason") for c in candidates):
            self._complete = True
        self.answer(value)
        self._final = self._complete and self._usage is not None

    def body(self, body: bytes) -> None:
        # Streamed without `alt=sse`, the chunks come as one JSON array.
        super().body(body)
        if body.lstrip()[:1] == b"[":
            for chunk in parsed(b'{"chunks":' + body + b"}").get("chunks", ()):
                if isinstance(chunk, dict):
                    self.event(chunk)

    def answer(self, value: dict[str, Any]) -> None:
        self._failure = failure(value) or self._failure
        figures = member(value, "usageMetadata")
        if figures:
            self._usage = usage_of(figures)
            self._final = True


def usage_of(figures: dict[str, Any]) -> Usage:
    """Gemini's `usageMetadata`: the prompt includes what was cached, candidates leave thoughts out."""
    read = count(figures, "cachedContentTokenCount")
    prompt = count(figures, "promptTokenCount") + count(figures, "toolUsePromptTokenCount")
    thoughts = count(figures, "thoughtsTokenCount")
    return Usage(
        input=max(0, prompt - read),
        cache_read=read,
        output=count(figures, "candidatesTokenCount") + thoughts,
        reasoning=thoughts,
        extras=figures.get("trafficType") not in (None, "ON_DEMAND", "TRAFFIC_TYPE_UNSPECIFIED"),
    )
