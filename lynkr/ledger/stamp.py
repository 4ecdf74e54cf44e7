"""Moments as the ledger has them: RFC 3339 in UTC, to the millisecond, so that they sort as text."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """A moment with a zone, as text."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
