"""Reports as CSV (RFC 4180), for spreadsheets: a line for each request, or for each group of a view.

Names come from files and clients, and a spreadsheet would run a cell that begins with one of `=+-@`; such a cell gets
an apostrophe before it, as spreadsheets themselves mark a text. Figures are never touched.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lynkr.ledger.row import Row, Session
from lynkr.report.tally import Tally
from lynkr.report.values import request_values

_OBEYED = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Python quotes what holds a line's end only if it is of the kind that it ends lines with.
_END = "\r\n"
_OF_SESSION_VIEW = ("started", "tool", "profile", "project")
_OF_SESSION = ("session", "tool", "profile", "project")
# What is a list or a record in JSON stays out: a cell holds one thing.
_OF_REQUEST = (
    "id", "at", "who", "tier", "lane", "provider", "model", "asked_model", "status", "outcome", "error", "answered",
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens",
    "reasoning_tokens", "estimated", "cost_usd", "baseline_usd", "removed_tokens", "compression_usd", "first_byte_ms",
    "ms", "conversation", "format", "path", "why",
)  # fmt: skip


def of_requests(pairs: Iterable[tuple[Session, Row]]) -> Iterator[str]:
    """The lines of a sheet of requests, its head first."""
    yield _line([*_OF_SESSION, *_OF_REQUEST])
    for session, row in pairs:
        values = request_values(row)
        yield _line([session.id, session.tool, session.profile, session.project, *(values[key] for key in _OF_REQUEST)])


def of_groups(view: str, groups: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a sheet of a view's groups, its head first."""
    head: list[str] | None = None
    for group in groups:
        flat = {key: value for key, value in group.items() if not isinstance(value, dict)}
        flat |= group["totals"]
        flat |= {key: value for key, value in group["savings"].items() if key != "kinds"}
        if head is None:
            head = list(flat)
            yield _line(head)
        yield _line(flat.values())
    if head is None:
        none, beside = Tally(), _OF_SESSION_VIEW if view == "session" else ("sessions",)
        yield _line([view, *beside, *none.totals(), *(key for key in none.savings() if key != "kinds")])


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=_END).writerow(map(_cell, cells))
    return text.getvalue().removesuffix(_END)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip().startswith(_OBEYED):
        return f"'{value}"
    return value
