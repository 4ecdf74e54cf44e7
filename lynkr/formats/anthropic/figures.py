"""What a Messages answer cost, as it says itself."""

from __future__ import annotations

from typing import Any, NamedTuple

from lynkr.formats.watch import Watch, count, failure, member, string_of
from lynkr.usage import Usage, billed


class AnswerWatch(Watch):
    """`message_start` holds the input's figures, each `message_delta` cumulative ones; the last word counts."""

    telling = (b'"message_start"', b'"message_delta"', b'"message_stop"', b'"error"')
    text = string_of("text", "partial_json", "thinking")

    def __init__(self) -> None:
        super().__init__()
        self._figures: dict[str, Any] = {}

    def event(self, value: dict[str, Any]) -> None:
        kind = value.get("type")
        if kind == "message_start":
            self._take(member(member(value, "message"), "usage"))
        elif kind == "message_delta":
            self._take(member(value, "usage"))
            self._final = self._usage is not None
        elif kind == "message_stop":
            self._complete = True
        elif kind == "error":
            self._failure = failure(value)

    def answer(self, value: dict[str, Any]) -> None:
        self._take(member(value, "usage"))
        self._final = self._usage is not None
        self._failure = failure(value)

    def _take(self, usage: dict[str, Any]) -> None:
        self._figures.update({name: figure for name, figure in usage.items() if figure is not None})
        if self._figures:
            self._usage = usage_of(self._figures)


def usage_of(figures: dict[str, Any]) -> Usage:
    """Anthropic's `usage` object. `input_tokens` is uncached already; cache writes are split by how long they last.

    Where the answer took several rounds at the provider (a compaction, an adviser), `iterations` has the figures of
    each and the totals leave some out. A round on another model is billed at its rates, which makes it an estimate.
    """
    rounds = [usage for usage in _list(figures.get("iterations")) if isinstance(usage, dict)]
    if rounds:
        each = [_counts(usage) for usage in rounds]
        other_model = any(usage.get("model") for usage in rounds)
        sums = _Counts(*(sum(counts) for counts in zip(*each, strict=True)))
        if sum(sums) >= sum(_counts(figures)):
            return Usage(*sums, extras=_extras(figures) or other_model, billed=billed(figures))
    return Usage(*_counts(figures), extras=_extras(figures), billed=billed(figures))


class _Counts(NamedTuple):
    """The counts of a Usage, to be added up."""

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int


def _counts(figures: dict[str, Any]) -> _Counts:
    written = count(figures, "cache_creation_input_tokens")
    hour = min(written, count(member(figures, "cache_creation"), "ephemeral_1h_input_tokens"))
    output = count(figures, "output_tokens")
    thinking = min(output, count(member(figures, "output_tokens_details"), "thinking_tokens"))
    fresh, read = count(figures, "input_tokens"), count(figures, "cache_read_input_tokens")
    return _Counts(fresh, read, written - hour, hour, output, thinking)


def _extras(figures: dict[str, Any]) -> bool:
    """Whether something besides tokens at the list rate was billed: a search, another speed, tier or region."""
    return (
        any(count({"n": n}, "n") for n in member(figures, "server_tool_use").values())
        or figures.get("speed") not in (None, "standard")
        or figures.get("service_tier") not in (None, "standard")
        or figures.get("inference_geo") not in (None, "", "global", "not_available")
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
