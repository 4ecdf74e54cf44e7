"""Moments on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lynkr.errors import UsageError

if TYPE_CHECKING:
    from lynkr.report.period import Moment


def when(option: str, text: str) -> Moment:
    """The moment that `option` names. Raises UsageError where it is none."""
    from lynkr.report.period import moment

    try:
        return moment(text, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text!r} is no time: give 7d, 12h, 30min, 2w, today, or a date such as 2026-11-01"
        ) from error
