"""What a proxy has done so far, as numbers: counted row by row, read when somebody looks.

Labels are bounded: lanes, profiles and providers are the user's own; a model counts under its name only where a lane
or the price table knows it, because clients can ask for any.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from lynkr.ledger.row import Row

# Seconds: as in the GenAI conventions, whose longest fits a long answer of a reasoning model.
BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68)
_OTHER = "other"
_NONE = "none"

Labels = tuple[str, ...]


class Histogram:
    """Observations in buckets; `counts[n]` are those up to BUCKETS[n], the last one those above all."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds


@dataclass(slots=True)
class Counts:
    """Requests by (profile, lane, provider, model, outcome, status), tokens by (profile, lane, provider, model, kind),
    money by (profile, lane, provider, model), times by (profile, lane); `known` says what a model at a provider is
    called here, "" where it has no name of its own."""

    known: Callable[[str, str], str] = lambda model, _provider: model
    requests: Counter[Labels] = field(default_factory=Counter)
    tokens: Counter[Labels] = field(default_factory=Counter)
    cost: dict[Labels, float] = field(default_factory=dict)
    baseline: dict[Labels, float] = field(default_factory=dict)
    unpriced: Counter[Labels] = field(default_factory=Counter)
    removed: Counter[Labels] = field(default_factory=Counter)
    unserved: Counter[Labels] = field(default_factory=Counter)
    answered: Counter[Labels] = field(default_factory=Counter)
    took: defaultdict[Labels, Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    first_byte: defaultdict[Labels, Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    shed: Counter[str] = field(default_factory=Counter)
    # Those that are under way.
    flying: int = 0

    def add(self, profile: str, row: Row) -> None:
        """Counts a request that is over."""
        lane = row.lane or _NONE
        whose = (profile, lane, row.provider or _NONE, self._model(row))
        self.requests[*whose, row.outcome, str(row.status or _NONE)] += 1
        usage = row.usage
        for kind, count in (
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write + usage.cache_write_1h),
            ("output", usage.output),
        ):
            if count:
                self.tokens[*whose, kind] += count
        if row.cost_usd is None:
            self.unpriced[whose] += 1
        else:
            self.cost[whose] = self.cost.get(whose, 0.0) + row.cost_usd
            self.baseline[whose] = self.baseline.get(whose, 0.0) + (row.baseline_usd or 0.0)
        if row.removed_tokens:
            self.removed[profile, lane] += row.removed_tokens
        for attempt in row.tried:
            self.unserved[profile, attempt.lane, str(attempt.status or _NONE)] += 1
        if row.answered:
            self.answered[profile, row.answered.partition(":")[0]] += 1
        self.took[profile, lane].observe(row.ms / 1000)
        if row.first_byte_ms is not None:
            self.first_byte[profile, lane].observe(row.first_byte_ms / 1000)

    def _model(self, row: Row) -> str:
        if row.model is None:
            return _NONE
        return self.known(row.model, row.provider or "") or _OTHER
