"""One line about a session that runs, in a file that a tool's status line shows with `cat`: no process of ours has to
start for it, and nothing is asked.

It is written by the thread that writes the ledger, a moment before the rows that it tells of.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lynkr.ledger.row import Row
from lynkr.paths import replace_private
from lynkr.report.table import short
from lynkr.report.tally import Tally, prompt_tokens
from lynkr.report.words import share, usd

_WIDE = 72


def line(profile: str, tally: Tally, last: Row | None) -> str:
    """Profile, the lane of the last request, what was spent and saved so far, and the cached share."""
    if last is None:
        return f"lynkr {short(profile, 16)} · no request yet"
    totals = tally.totals()
    parts = [f"lynkr {short(profile, 16)}", f"{short(last.lane, 16)} {short(last.model, 22)}"]
    parts.append(usd(totals["cost_usd"]) + ("~" if totals["estimated_usd"] else ""))
    if totals["saved_usd"] and totals["saved_usd"] >= 0.00005:
        parts.append(f"{usd(totals['saved_usd'])} saved")
    parts.append(f"{share(totals['cache_read_tokens'], prompt_tokens(totals))} cached")
    return " · ".join(parts)[:_WIDE]


class StatusLine:
    """The file of one session. A disk that is full costs the line, and nothing else."""

    def __init__(self, path: Path, profile: str) -> None:
        self._path = path
        self._profile = profile
        self._tally = Tally()
        self._last: Row | None = None
        self.add(())

    def add(self, rows: Iterable[Row]) -> None:
        """Counts rows in and writes the line anew."""
        for row in rows:
            self._tally.add(row)
            if row.lane is not None and row.model is not None:
                self._last = row
        with suppress(OSError):
            replace_private(self._path, line(self._profile, self._tally, self._last) + "\n")
