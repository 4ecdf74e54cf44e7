"""A session's report as plain values, in the shape of the contract (`lynkr report --json`), and back.

Every figure is a sum over the rows, so that the parts add up in every view. Money is None where no row has any.
`docs/reports.md` says how each figure is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lynkr.changes import Change, Saving, Switch
from lynkr.ledger.row import Row, Session, Try
from lynkr.report.tally import TOKENS, Tally, counts
from lynkr.usage import Usage

SCHEMA = 1


def report(session: Session, rows: Sequence[Row]) -> dict[str, Any]:
    """The report of `session` over its `rows`."""
    sums = Tally.of(rows)
    return {
        "schema": SCHEMA,
        "session": asdict(session),
        "totals": sums.totals(),
        "savings": sums.savings(),
        "lanes": _lanes(rows),
        "requests": [request_values(row) for row in rows],
    }


def _lanes(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for each lane and model, in the order of their first request."""
    groups: dict[tuple[str, str | None, str | None], list[Row]] = {}
    for row in rows:
        if row.lane is not None:
            groups.setdefault((row.lane, row.provider, row.model), []).append(row)
    return [
        {
            "lane": lane,
            "provider": provider,
            "model": model,
            "requests": len(group),
            **sums.tokens,
            "cost_usd": sums.cost_usd,
            "failures": sums.failures,
            # Of what the lane itself has answered: what lynkr gave took it no time.
            "p50_ms": round(_median([row.ms for row in group if not row.answered] or [0.0]), 1),
        }
        for (lane, provider, model), group in groups.items()
        for sums in (Tally.of(group),)
    ]


def _median(numbers: list[float]) -> float:
    # statistics.median brings fractions, decimal and random along: 15 ms, before the child starts.
    numbers, half = sorted(numbers), len(numbers) // 2
    return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


def request_values(row: Row) -> dict[str, Any]:
    """One request, in the shape of a report's `requests`."""
    return {
        "id": row.id,
        "at": row.at,
        "method": row.method,
        "path": row.path,
        "format": row.format,
        "tier": row.tier,
        "why": row.why,
        "lane": row.lane,
        "provider": row.provider,
        "model": row.model,
        "asked_model": row.asked_model,
        "status": row.status,
        "outcome": row.outcome,
        "error": row.error,
        "tried": [{"lane": attempt.lane, "status": attempt.status, "why": attempt.why} for attempt in row.tried],
        "who": row.who,
        "conversation": row.conversation,
        "score": row.score,
        "switch": asdict(row.switch) if row.switch else None,
        "answered": row.answered,
        **counts(row.usage),
        "cache_write_1h_tokens": row.usage.cache_write_1h,
        "reasoning_tokens": row.usage.reasoning,
        "extras": row.usage.extras,
        "estimated": row.estimated,
        "cost_usd": None if row.cost_usd is None else round(row.cost_usd, 9),
        "baseline_usd": None if row.baseline_usd is None else round(row.baseline_usd, 9),
        "removed_tokens": row.removed_tokens,
        "compression_usd": None if row.compression_usd is None else round(row.compression_usd, 9),
        "savings": [{"kind": s.kind, "tokens": s.tokens, "usd": s.usd} for s in row.savings],
        "faults": row.faults,
        "changes": [{"what": c.what, "did": c.did, "why": c.why, "count": c.count} for c in row.changes],
        "first_byte_ms": row.first_byte_ms,
        "ms": row.ms,
    }


def unreport(data: dict[str, Any]) -> tuple[Session, list[Row]]:
    """The session and rows of a report that was kept in a file. Raises KeyError, TypeError where it is none."""
    return Session(**data["session"]), [_row(request) for request in data["requests"]]


def _row(request: dict[str, Any]) -> Row:
    values = dict(request)
    tokens = [values.pop(name) for name in TOKENS]
    hour, reasoning, extras = (values.pop(name) for name in ("cache_write_1h_tokens", "reasoning_tokens", "extras"))
    usage = Usage(tokens[0], tokens[1], tokens[2] - hour, hour, tokens[3], reasoning, extras)
    tried = tuple(Try(**attempt) for attempt in values.pop("tried"))
    changes = tuple(Change(**change) for change in values.pop("changes", ()))
    savings = tuple(Saving(**saving) for saving in values.pop("savings", ()))
    switch = values.pop("switch", None)
    return Row(
        **values,
        usage=usage,
        tried=tried,
        changes=changes,
        savings=savings,
        switch=Switch(**switch) if switch else None,
    )
