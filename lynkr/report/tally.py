"""The sums over rows that every view of a report is made of: rows are added one by one and none of them is kept.

A sum of money is exact (`math.fsum` over all amounts) and rounded once, to a billionth of a dollar; so the parts of any
view add up to its whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any, Self

from lynkr.ledger.row import Row
from lynkr.usage import Usage

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def counts(usage: Usage) -> dict[str, int]:
    """Tokens under the report's names."""
    written = usage.cache_write + usage.cache_write_1h
    return dict(zip(TOKENS, (usage.input, usage.cache_read, written, usage.output), strict=True))


def prompt_tokens(figures: Mapping[str, Any]) -> int:
    """All input tokens of a report's totals, lane or request."""
    return int(sum(figures[name] for name in TOKENS[:3]))


def saved(row: Row) -> float | None:
    """What a request saved, in USD; None where no price is known."""
    return None if row.cost_usd is None or row.baseline_usd is None else row.baseline_usd - row.cost_usd


def failed(row: Row) -> bool:
    """Whether the lane did not give what was asked of it: an error status, no answer, or half of one."""
    return is_failure(row.status, row.outcome, row.error)


def is_failure(status: int | None, outcome: str, error: str | None) -> bool:
    """The same, by a row's values."""
    # A WebSocket that is turned down (426) is how Codex learns to use HTTP.
    return status != 426 and (outcome in ("refused", "cut") or error is not None)


class Money:
    """Amounts in USD, some of them not known. Their sum is kept exactly, as a few numbers that do not overlap (Shewchuk
    1997, as `math.fsum` has it)."""

    def __init__(self) -> None:
        self._parts = list[float]()
        self._known = self._any = False

    def add(self, amount: float | None) -> None:
        self._any = True
        if amount is None:
            return
        self._known = True
        kept = list[float]()
        for part in self._parts:
            large, small = (amount, part) if abs(amount) >= abs(part) else (part, amount)
            amount = large + small
            if rest := small - (amount - large):
                kept.append(rest)
        self._parts = [*kept, amount]

    def sum(self) -> float | None:
        """The sum of what is known; None where there were amounts and none was."""
        return round(fsum(self._parts), 9) if self._known or not self._any else None


class Tally:
    """The sums over the rows that were added."""

    def __init__(self) -> None:
        self.requests = self.unpriced = self.failures = self.removed_tokens = self.faults = 0
        self._tokens = dict.fromkeys(TOKENS, 0)
        self._estimated = False
        self._cost, self._baseline, self._saved, self._guessed = Money(), Money(), Money(), Money()
        self._compressed, self._bypassed, self._again = Money(), Money(), Money()
        self._kinds: dict[str, tuple[list[int], Money]] = {}

    def add(self, row: Row) -> None:
        """Counts a row in."""
        self.requests += 1
        self.unpriced += row.cost_usd is None
        self.failures += failed(row)
        for name, count in counts(row.usage).items():
            self._tokens[name] += count
        # Another model would have counted the same text otherwise, so what it would have cost is an estimate too.
        self._estimated = self._estimated or row.estimated or row.baseline_usd != row.cost_usd
        self._cost.add(row.cost_usd)
        self._baseline.add(row.baseline_usd)
        self._saved.add(saved(row))
        if row.estimated:
            self._guessed.add(row.cost_usd)
        self._compressed.add(row.compression_usd)
        if row.answered:
            (self._bypassed if row.answered.startswith("bypass") else self._again).add(saved(row))
        self.removed_tokens += row.removed_tokens
        self.faults += row.faults
        for saving in row.savings:
            tokens, usd = self._kinds.setdefault(saving.kind, ([0], Money()))
            tokens[0] += saving.tokens
            usd.add(saving.usd)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """The sums over `rows`."""
        tally = cls()
        for row in rows:
            tally.add(row)
        return tally

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens by the report's names."""
        return dict(self._tokens)

    @property
    def cost_usd(self) -> float | None:
        """What it cost; None where no price was known."""
        return self._cost.sum()

    def totals(self) -> dict[str, Any]:
        """`estimated` says that some of it rests on an estimate, `estimated_usd` how much money."""
        return {
            "requests": self.requests,
            "failures": self.failures,
            **self._tokens,
            "cost_usd": self._cost.sum(),
            "baseline_usd": self._baseline.sum(),
            "saved_usd": self._saved.sum(),
            "unpriced_requests": self.unpriced,
            "estimated": self._estimated,
            "estimated_usd": self._guessed.sum() or 0.0,
        }

    def savings(self) -> dict[str, Any]:
        """Where the savings come from: another model, what was not sent, what needed no model."""
        compressed, again = self._compressed.sum() or 0.0, self._again.sum() or 0.0
        bypassed = self._bypassed.sum() or 0.0
        kinds = [
            {"kind": kind, "tokens_removed": tokens[0], "saved_usd": usd.sum()}
            for kind, (tokens, usd) in self._kinds.items()
        ]
        return {
            "routing_usd": round((self._saved.sum() or 0.0) - compressed - bypassed - again, 9),
            "compression_usd": compressed,
            "answers_usd": again,
            "bypass_usd": bypassed,
            "tokens_removed": self.removed_tokens,
            "kinds": sorted(kinds, key=lambda kind: -int(str(kind["tokens_removed"]))),
            "faults": self.faults,
        }
