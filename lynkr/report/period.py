"""Several sessions as plain values: the sums of a period, and of each day, lane, model, tool, project or session in it.

Rows are taken one after another and not kept, so that a year of them needs no more memory than a day. A request counts
for the day on which it began, by the local calendar; a session that went over midnight counts in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from lynkr.ledger.row import Row, Session
from lynkr.ledger.stamp import stamp
from lynkr.report.tally import Tally
from lynkr.report.values import SCHEMA

# How requests can be told apart, and what says so.
VIEWS: dict[str, Callable[[tuple[Session, Row]], str | None]] = {
    "day": lambda pair: local_day(pair[1].at),
    "lane": lambda pair: pair[1].lane,
    "model": lambda pair: pair[1].model,
    "tool": lambda pair: pair[0].tool,
    "project": lambda pair: pair[0].project,
    "session": lambda pair: pair[0].id,
}


class Span(NamedTuple):
    """A period: RFC 3339 in UTC, None where it is open; `said` is what the user called it."""

    since: str | None = None
    until: str | None = None
    said: str = "all sessions"


_SPAN = re.compile(r"(\d{1,4})\s*(min|h|d|w)")
_SECONDS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_NAMES = {"min": "minute", "h": "hour", "d": "day", "w": "week"}


class Moment(NamedTuple):
    """A moment as RFC 3339 in UTC, and what to call a period that begins or ends with it."""

    at: str
    since: str
    until: str


def moment(text: str, now: datetime) -> Moment:
    """The moment that `7d`, `12h`, `today`, `2026-11-01` or a whole RFC 3339 means. Raises ValueError for all else."""
    text = text.strip()
    if found := _SPAN.fullmatch(text.lower()):
        count, unit = int(found[1]), found[2]
        words = f"{count} {_NAMES[unit]}{'' if count == 1 else 's'}"
        return Moment(stamp(now - timedelta(seconds=count * _SECONDS[unit])), f"the last {words}", f"until {words} ago")
    if text.lower() == "today":
        # A day begins with the offset of its own midnight, which on two days of the year is not that of now.
        midnight = datetime.combine(now.astimezone().date(), time.min)
        return Moment(stamp(midnight.astimezone()), "today", "until today")
    return Moment(stamp(datetime.fromisoformat(text).astimezone()), f"since {text}", f"until {text}")


def local_day(at: str) -> str:
    """The local date of a moment (RFC 3339, UTC), as ISO 8601."""
    return datetime.fromisoformat(at).astimezone().date().isoformat()


def period(span: Span, pairs: Iterable[tuple[Session, Row]], views: Sequence[str] = tuple(VIEWS)) -> dict[str, Any]:
    """The report of all requests in a period, summed up in each of the `views`.

    Days and sessions come in order, everything else the dearest first.
    """
    whole = Tally()
    groups: dict[str, dict[str | None, tuple[Tally, set[str]]]] = {view: {} for view in views}
    sessions = dict[str, Session]()
    for session, row in pairs:
        sessions[session.id] = session
        whole.add(row)
        for view in views:
            tally, held = groups[view].setdefault(VIEWS[view]((session, row)), (Tally(), set()))
            tally.add(row)
            held.add(session.id)
    return {
        "schema": SCHEMA,
        "period": {"since": span.since, "until": span.until, "said": span.said},
        "sessions": len(sessions),
        "totals": whole.totals(),
        "savings": whole.savings(),
        "by": {view: _sorted(view, found, sessions) for view, found in groups.items()},
    }


def _sorted(
    view: str, found: dict[str | None, tuple[Tally, set[str]]], sessions: dict[str, Session]
) -> list[dict[str, Any]]:
    values = [
        {
            view: key,
            **(_of_session(sessions[key or ""]) if view == "session" else {"sessions": len(held)}),
            "totals": tally.totals(),
            "savings": tally.savings(),
        }
        for key, (tally, held) in found.items()
    ]
    if view in ("day", "session"):
        return sorted(values, key=lambda group: str(group[view]))
    return sorted(values, key=lambda group: (-(group["totals"]["cost_usd"] or 0.0), str(group[view])))


def _of_session(session: Session) -> dict[str, Any]:
    return {"started": session.started, "tool": session.tool, "profile": session.profile, "project": session.project}
