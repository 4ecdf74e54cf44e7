"""The report as text says what the values say, without colours unless it is given paint, and long names do not widen it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lynkr.ledger.row import Row, Session
from lynkr.report.table import table, unpainted
from lynkr.report.terminal import session_list, session_report, summary
from lynkr.report.values import report
from lynkr.usage import Usage

SESSION = Session("01JABCDEFGHJKMNPQRSTVWXYZ0", "claude", "work", "/home/me/project", "2026-11-21T10:00:00Z", 812.4, 0)
USAGE = Usage(input=1234, cache_read=20_000, cache_write=500, output=800)
DATE = "2026-10-21"


def row(**more: Any) -> Row:
    known = {
        "method": "POST",
        "path": "/v1/messages",
        "lane": "main",
        "provider": "anthropic",
        "model": "claude-opus-5-5",
        "status": 200,
        "usage": USAGE,
        "cost_usd": 1.25,
        "baseline_usd": 1.25,
        "ms": 2100.0,
    }
    return Row("01J", "2026-11-21T10:11:12.345Z", **{**known, **more})


def line(*rows: Row, session: Session = SESSION) -> str:
    return summary(report(session, rows))


def lines(*rows: Row, session: Session = SESSION) -> list[str]:
    return session_report(report(session, rows), DATE)


def text(*rows: Row, session: Session = SESSION) -> str:
    return "\n".join(lines(*rows, session=session))


# --- the line at a session's end --------------------------------------------------------------------------------------


def test_the_summary_of_no_request_says_so() -> None:
    assert line() == "no request came through lynkr in this session (claude)"


def test_the_summary_says_requests_tokens_and_cost() -> None:
    assert line(row()) == "1 request · 21.7k tokens in (92% cached) · 800 out · $1.25 · lynkr report last"
    assert line(row(), row()) == "2 requests · 43.5k tokens in (92% cached) · 1.60k out · $2.50 · lynkr report last"


def test_the_summary_says_how_much_of_the_cost_is_an_estimate() -> None:
    assert " · $2.50 ($1.25 of it estimated) · " in line(row(), row(estimated=True))


def test_the_summary_says_what_has_no_price() -> None:
    unpriced = row(cost_usd=None, baseline_usd=None)
    assert " · $1.25 (1 request without a known price) · " in line(row(), unpriced)
    assert " · $1.25 (2 requests without a known price) · " in line(row(), unpriced, unpriced)
    assert " · cost unknown (no price for the model) · " in line(unpriced)


def test_the_summary_says_both_where_both_are() -> None:
    rows = [row(estimated=True), row(cost_usd=None, baseline_usd=None)]
    assert "$1.25 ($1.25 of it estimated, 1 request without a known price)" in line(*rows)


def test_the_summary_says_what_was_saved_or_spent_on_top() -> None:
    assert " · about $2.16 saved · " in line(row(baseline_usd=3.41))
    assert " · about $1.00 more than asked for · " in line(row(baseline_usd=0.25))
    assert "saved" not in line(row())


def test_the_summary_counts_failures_but_not_a_websocket_that_was_turned_down() -> None:
    refused = row(outcome="refused", status=529, usage=Usage(), cost_usd=0.0, baseline_usd=0.0)
    assert line(row(), refused).startswith("2 requests · 1 failed · ")
    assert line(row(), refused, row(outcome="cut")).startswith("3 requests · 2 failed · ")
    assert "failed" not in line(row(), replace(refused, status=426))
    assert "failed" not in line(row(outcome="gone"))


# --- the report -------------------------------------------------------------------------------------------------------


def test_a_report_of_no_request_says_so() -> None:
    assert lines()[0] == "claude · profile work · 2026-11-21 10:00 UTC"
    assert lines()[-1] == "No request came through lynkr in this session."


def test_a_report_names_the_session_its_lanes_and_its_requests() -> None:
    found = text(row())
    for part in (
        SESSION.id,
        SESSION.project,
        "13 min 32 s",
        "exit status 0",
        "main",
        "claude-opus-5-5",
        "10:11:12",
        DATE,
    ):
        assert part in found, part
    assert "92% of 21.7k input tokens" in found


def test_baseline_and_savings_are_shown_only_where_there_are_any() -> None:
    assert "Baseline" not in text(row())
    assert "Saved" not in text(row())
    changed = text(row(baseline_usd=3.41))
    assert "Baseline  $3.41" in changed
    assert "Saved     about $2.16" in changed


def test_what_is_estimated_is_marked_and_explained() -> None:
    assert "~" not in text(row())
    found = lines(row(estimated=True))
    assert any(entry.endswith("$1.25~") for entry in found)
    assert any(entry.startswith("~ is estimated") for entry in found)


def test_what_has_no_price_is_a_dash_and_explained() -> None:
    found = lines(row(cost_usd=None, baseline_usd=None))
    assert any(entry.startswith("– no price is known") for entry in found)
    assert any(entry.startswith("  10:11:12") and entry.endswith("–") for entry in found)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"status": 200}, "200"),
        ({"status": 529, "outcome": "refused"}, "529"),
        ({"status": 200, "outcome": "cut"}, "200 cut"),
        ({"status": None, "outcome": "gone"}, "hung up"),
    ],
)
def test_the_status_of_a_request_says_how_it_ended(more: dict[str, Any], word: str) -> None:
    entry = next(entry for entry in lines(row(**more)) if entry.startswith("  10:11:12"))
    assert f"claude-opus-5-5  {word}  " in entry


def test_a_request_without_a_model_is_named_by_its_path() -> None:
    assert "10:11:12  /v1/models" in text(row(model=None, path="/v1/models", status=200, usage=Usage()))


def test_a_session_that_has_not_ended_says_so() -> None:
    running = replace(SESSION, seconds=None, exit_status=None)
    assert "Requests  1; the session still runs, or was killed" in text(row(), session=running)


def test_of_many_requests_the_last_are_shown_and_the_others_counted() -> None:
    found = lines(*[row(model=f"model-{number}") for number in range(40)])
    shown = [entry for entry in found if entry.startswith("  10:11:12")]
    assert len(shown) == 12
    assert "Requests, the last 12 of 40" in found
    assert "model-39" in shown[-1]


def test_bars_are_as_long_as_their_share_and_none_is_lost() -> None:
    found = text(row(usage=Usage(input=1, cache_read=1_000_000, output=500_000)))
    bars = {
        entry.split()[0] + entry.split()[1]: entry.count("█") for entry in found.splitlines() if entry.startswith("  ")
    }
    assert bars["Input,new"] == 1
    assert bars["Cachewrite"] == 0
    assert bars["Cacheread"] == 20
    assert next(entry for entry in found.splitlines() if entry.startswith("  Output")).count("█") == 10


def test_names_give_way_where_a_line_would_be_too_wide() -> None:
    long = lines(row(lane="l" * 200, model="m" * 200))
    assert max(map(len, long)) == 80
    assert any("mmm…" in entry for entry in long)
    usual = row(model="claude-haiku-4-5-20251001", usage=Usage(1234, 20000, 0, 0, 1234), cost_usd=0.0123, ms=123_400)
    assert max(map(len, lines(usual, row(outcome="cut", estimated=True)))) <= 80


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in text(row(model="\x1b[31mred", lane="a\nb"))


@pytest.mark.parametrize("awkward", [{"lane": "l" * 200}, {"model": "m" * 200}, {"model": None, "path": "/p" * 200}])
def test_awkward_names_leave_every_line_within_80_columns(awkward: dict[str, Any]) -> None:
    assert max(map(len, lines(row(**awkward), row(outcome="cut")))) <= 80


def test_no_line_has_a_line_end_or_trailing_space() -> None:
    for entry in lines(row(), row(estimated=True, cost_usd=None, outcome="gone", model=None)):
        assert entry == entry.rstrip()
        assert len(entry.splitlines()) <= 1


def test_paint_is_only_what_the_caller_gives() -> None:
    assert unpainted("x", "bold") == "x"
    assert "\x1b" not in text(row())
    painted = session_report(report(SESSION, [row()]), DATE, lambda words, style: f"<{style}>{words}</{style}>")
    assert painted[0].startswith("<bold>claude</bold> · ")


# --- tables and the list of sessions ----------------------------------------------------------------------------------


def test_a_tables_columns_are_as_wide_as_what_they_hold() -> None:
    found = table(("a", "b", "c"), [("long", "1", "22"), ("x", "333", "4")], 1, unpainted)
    assert found == ["  a       b   c", "  long    1  22", "  x     333   4"]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("a", "b"), [], 1, unpainted) == ["  a  b"]


def test_the_list_of_sessions_has_a_line_for_each() -> None:
    ended = report(SESSION, [row(estimated=True)])
    running = report(replace(SESSION, id="0" * 26, exit_status=None), [])
    found = session_list([(one["session"], one["totals"]) for one in (ended, running)])
    assert len(found) == 3
    assert found[1].split() == [SESSION.id[-8:], "2026-11-21", "10:00", "claude", "work", "1", "92%", "$1.25~", "0"]
    assert found[2].split()[-1] == "–"
    assert max(map(len, found)) <= 80
