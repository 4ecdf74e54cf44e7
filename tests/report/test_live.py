"""What `lynkr top` says of the sessions that run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lynkr.ledger.row import Row, Session
from lynkr.report.live import Seen, live_values

BEGUN = datetime.fromisoformat("2026-11-21T10:00:00+00:00")
SESSION = Session("01JABCDEFGHJKMNPQRSTVWXYZ0", "claude", "work", "/p", BEGUN.isoformat())


def row(begins_s: float, takes_s: float, lane: str = "main") -> Row:
    """A request that begins so many seconds after the session did."""
    return Row(f"01R{begins_s}", (BEGUN + timedelta(seconds=begins_s)).isoformat(), lane=lane, ms=takes_s * 1000)


def values(after_s: float, *rows: Row) -> dict[str, Any]:
    (found,) = live_values([Seen(SESSION, 1, rows)], BEGUN + timedelta(seconds=after_s))
    return found


@pytest.mark.parametrize("turned", [False, True])
def test_a_session_is_idle_since_the_request_that_ended_last_although_another_began_later(turned: bool) -> None:
    rows = [row(0, 60, "long"), row(10, 1, "short"), row(5, 2)]
    found = values(90, *(reversed(rows) if turned else rows))
    assert (found["idle_s"], found["lane"], found["seconds"]) == (30.0, "short", 90.0)


def test_a_session_without_a_request_is_not_idle_since_anything() -> None:
    assert values(90)["idle_s"] is None


def test_a_request_that_ends_a_moment_from_now_makes_no_time_negative() -> None:
    assert values(5, row(0, 5.4))["idle_s"] == 0.0
