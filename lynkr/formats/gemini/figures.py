"""What a generateContent answer cost, as it says itself."""

from __future__ import annotations

from typing import Any

from lynkr.formats.watch import Watch, count, failure, member, parsed
from lynkr.usage import Usage


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
