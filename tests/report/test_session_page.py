"""What the page of a session marks as failed: what its tables count as failed, and nothing else."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from lynkr.ledger.row import Row, Session
from lynkr.report.session_page import session_page
from lynkr.report.values import report

SESSION = Session("01S", "codex", "work", "/p", "2026-11-21T10:00:00.000Z", 12.0, 0)


class Marks(HTMLParser):
    """The classes of the bars of a timeline, and of the statuses in tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.bars: list[str | None] = []
        self.statuses: list[str | None] = []
        self._class: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._class = named.get("class")
        if tag == "a" and named.get("tabindex") == "-1":
            self.bars.append(self._class)

    def handle_data(self, data: str) -> None:
        if data in ("200", "426", "529"):
            self.statuses.append(self._class)


@pytest.mark.parametrize(
    ("more", "bar", "status"),
    [
        ({"status": 200}, None, None),
        ({"status": 529, "outcome": "refused", "error": "overloaded"}, "fail", "bad"),
        ({"status": 426, "outcome": "refused", "error": "upgrade"}, None, None),
    ],
)
def test_a_websocket_that_was_turned_down_is_not_marked_as_failed(
    more: dict[str, Any], bar: str | None, status: str | None
) -> None:
    values = report(SESSION, [Row("01R", "2026-11-21T10:00:01.000Z", path="/v1/responses", ms=5.0, **more)])
    found = Marks(session_page(values, "2026-11-21", None))
    assert (found.bars, found.statuses) == ([bar], [status])
    assert values["totals"]["failures"] == (bar == "fail")
