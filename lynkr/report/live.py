"""What runs now: a line for each session, for `lynkr top`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from lynkr.ledger.row import Row, Session
from lynkr.report.table import Paint, short, table, unpainted
from lynkr.report.tally import Tally, prompt_tokens
from lynkr.report.words import duration, plural, share, usd

_QUIET = "no session runs; start one in another terminal: lynkr run claude (a proxy that stands: lynkr serve status)"


class Seen(NamedTuple):
    """A session that runs, and its requests so far."""

    session: Session
    pid: int
    rows: Sequence[Row]


def live_values(seen: Sequence[Seen], now: datetime) -> list[dict[str, Any]]:
    """The sessions as plain values, `idle_s` since the last request ended (None before the first)."""
    values = []
    for session, pid, rows in seen:
        tally = Tally.of(rows)
        last = max(rows, key=lambda row: row.at, default=None)
        ended = max((datetime.fromisoformat(row.at).timestamp() + row.ms / 1000 for row in rows), default=None)
        values.append({
            "session": session.id, "pid": pid, "tool": session.tool, "profile": session.profile,
            "project": session.project, "started": session.started,
            "seconds": round((now - datetime.fromisoformat(session.started)).total_seconds(), 1),
            "idle_s": None if ended is None else round(max(now.timestamp() - ended, 0.0), 1),
            "lane": last.lane if last else None, "model": last.model if last else None,
            "totals": tally.totals(), "savings": tally.savings(),
        })  # fmt: skip
    return values


def live_lines(values: Sequence[dict[str, Any]], paint: Paint = unpainted) -> list[str]:
    """The sessions as a table, and their sum."""
    if not values:
        return [_QUIET]
    rows = [
        [
            each["session"][-8:],
            short(each["tool"]),
            short(each["profile"]),
            short(each["lane"]),
            str(each["totals"]["requests"]),
            share(each["totals"]["cache_read_tokens"], prompt_tokens(each["totals"])),
            usd(each["totals"]["cost_usd"]) + ("~" if each["totals"]["estimated_usd"] else ""),
            usd(each["totals"]["saved_usd"]),
            "–" if each["idle_s"] is None else duration(each["idle_s"]),
        ]
        for each in values
    ]
    head = ("session", "tool", "profile", "lane", "req", "cached", "cost", "saved", "idle")
    cost = sum(each["totals"]["cost_usd"] or 0.0 for each in values)
    saved = sum(each["totals"]["saved_usd"] or 0.0 for each in values)
    whole = f"{plural(len(values), 'session')} · {usd(cost)} spent · {usd(saved)} saved"
    return [paint(whole, "bold"), "", *table(head, rows, 4, paint, (1, 2, 3))]
