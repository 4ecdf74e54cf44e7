"""A session's report as plain values, in the shape of the contract (`lynkr report --json`), and back.

Every figure is a sum over the rows, so that the parts add up in every view. Money is None where no row has any.
`docs/reports.md` says how each figure is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import fsum
from typing import Any

from lynkr.changes import Change, Saving, Switch
from lynkr.ledger.row import Row, Session, Try
from lynkr.usage import Usage

SCHEMA = 1
_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def report(session: Session, rows: Sequence[Row]) -> dict[str, Any]:
    """The report of `session` over its `rows`."""
    return {
        "schema": SCHEMA,
        "session": {
            "id": session.id,
            "tool": session.tool,
            "profile": session.profile,
            "project": session.project,
            "started": session.started,
            "seconds": session.seconds,
            "exit_status": session.exit_status,
        },
        "totals": totals(rows),
        "savings": _savings(rows),
        "lanes": _lanes(rows),
        "requests": [_request(row) for row in rows],
    }


def totals(rows: Sequence[Row]) -> dict[str, Any]:
    """The sums over `rows`. `estimated` says that some of it rests on an estimate, `estimated_usd` how much money."""
    cost, baseline = money(row.cost_usd for row in rows), money(row.baseline_usd for row in rows)
    return {
        "requests": len(rows),
        **_tokens(rows),
        "cost_usd": cost,
        "baseline_usd": baseline,
        "saved_usd": money(_saved(row) for row in rows),
        "unpriced_requests": sum(row.cost_usd is None for row in rows),
        # Another model would have counted the same text otherwise, so what it would have cost is an estimate too.
        "estimated": any(row.estimated or row.baseline_usd != row.cost_usd for row in rows),
        "estimated_usd": money(row.cost_usd for row in rows if row.estimated) or 0.0,
    }


def money(amounts: Iterable[float | None]) -> float | None:
    """The sum of what is known, to a billionth of a dollar; None where nothing is."""
    amounts = list(amounts)
    known = [amount for amount in amounts if amount is not None]
    return round(fsum(known), 9) if known or not amounts else None


def prompt_tokens(figures: dict[str, Any]) -> int:
    """All input tokens of a report's totals, lane or request."""
    return int(sum(figures[name] for name in _TOKENS[:3]))


def _tokens(rows: Iterable[Row]) -> dict[str, int]:
    sums = dict.fromkeys(_TOKENS, 0)
    for row in rows:
        for name, count in _counts(row.usage).items():
            sums[name] += count
    return sums


def _counts(usage: Usage) -> dict[str, int]:
    written = usage.cache_write + usage.cache_write_1h
    return dict(zip(_TOKENS, (usage.input, usage.cache_read, written, usage.output), strict=True))


def _saved(row: Row) -> float | None:
    return None if row.cost_usd is None or row.baseline_usd is None else row.baseline_usd - row.cost_usd


def _savings(rows: Sequence[Row]) -> dict[str, Any]:
    """Where the savings come from: another model, and what was not sent."""
    compressed = money(row.compression_usd for row in rows) or 0.0
    bypassed = money(_saved(row) for row in rows if (row.answered or "").startswith("bypass")) or 0.0
    again = money(_saved(row) for row in rows if row.answered and not row.answered.startswith("bypass")) or 0.0
    return {
        "routing_usd": round((money(_saved(row) for row in rows) or 0.0) - compressed - bypassed - again, 9),
        "compression_usd": compressed,
        "answers_usd": again,
        "bypass_usd": bypassed,
        "tokens_removed": sum(row.removed_tokens for row in rows),
        "kinds": _kinds(rows),
        "faults": sum(row.faults for row in rows),
    }


def _kinds(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What each kind of compression saved, the most tokens first."""
    found: dict[str, list[Saving]] = {}
    for row in rows:
        for saving in row.savings:
            found.setdefault(saving.kind, []).append(saving)
    kinds = [
        {"kind": kind, "tokens_removed": sum(s.tokens for s in savings), "saved_usd": money(s.usd for s in savings)}
        for kind, savings in found.items()
    ]
    return sorted(kinds, key=lambda kind: -kind["tokens_removed"])


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
            **_tokens(group),
            "cost_usd": money(row.cost_usd for row in group),
            "failures": sum(failed(row) for row in group),
            "p50_ms": round(_median([row.ms for row in group]), 1),
        }
        for (lane, provider, model), group in groups.items()
    ]


def _median(numbers: list[float]) -> float:
    # statistics.median brings fractions, decimal and random along: 15 ms, before the child starts.
    numbers, half = sorted(numbers), len(numbers) // 2
    return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


def failed(row: Row) -> bool:
    """Whether the lane did not give what was asked of it: an error status, no answer, or half of one."""
    return row.outcome in ("refused", "cut") or row.error is not None


def _request(row: Row) -> dict[str, Any]:
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
        **_counts(row.usage),
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
    tokens = [values.pop(name) for name in _TOKENS]
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
