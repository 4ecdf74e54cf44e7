"""A report says which lanes stepped in for which, and what each change of lanes was weighed against."""

from __future__ import annotations

from dataclasses import replace

from lynkr.changes import Switch
from lynkr.ledger.row import Row, Session, Try
from lynkr.report.routing import explained, routing_lines, stepped_in
from lynkr.report.terminal import summary
from lynkr.report.values import report, unreport

SESSION = Session("01S", "claude", "work", "/p", "2026-11-21T10:00:00Z", 4.0, 0)
PLAIN = Row("01A", "2026-11-21T10:00:01.000Z", "POST", "/v1/messages", tier="simple", why="scores 0.20: is short",
            lane="small", status=200, who="main", conversation="abcdef0123456789", score=0.2)  # fmt: skip
UP = Switch("trouble", "small", "large", "simple", "complex", "the same failure 3 times", 30_000, 0.144, 0.2)
ROWS = [
    PLAIN,
    replace(PLAIN, id="01B"),
    replace(PLAIN, id="01C", tier="complex", lane="large", why="the same failure 3 times", switch=UP),
    replace(PLAIN, id="01D", lane="spare", tried=(Try("large", 529, "overloaded"),), conversation="ff00"),
    replace(PLAIN, id="01E", switch=replace(UP, made=False, cost_usd=0.3)),
]


def test_what_stepped_in_is_counted_with_its_reason() -> None:
    values = report(SESSION, ROWS)
    lines = "\n".join(routing_lines(values["requests"]))
    assert "large       spare  529 overloaded" in lines
    assert [stepped_in(request) for request in values["requests"]] == [False, False, False, True, False]
    assert "1 by a lane that stepped in" in summary(values)


def test_a_switch_shows_both_sides_of_the_scales_and_one_that_was_not_made_says_so() -> None:
    lines = "\n".join(routing_lines(report(SESSION, ROWS)["requests"]))
    assert "1 made, 1 not worth it" in lines
    assert "small → large  yes   $0.1440  $0.2000  the same failure 3 times" in lines
    assert "small → large  no    $0.3000  $0.2000" in lines


def test_turn_by_turn_equal_turns_are_one_line() -> None:
    lines = explained(report(SESSION, ROWS))
    assert sum(line.startswith("main ") for line in lines) == 2
    assert any("simple → small ×2: scores 0.20" in line for line in lines)
    assert any(
        "30.0k cached tokens to write anew, $0.1440, against $0.2000 that it had saved" in line for line in lines
    )
    assert any("lane large did not serve (529: overloaded)" in line for line in lines)


def test_without_routing_there_is_nothing_to_say() -> None:
    assert routing_lines(report(SESSION, [PLAIN])["requests"]) == []
    assert explained(report(SESSION, [])) == ["No request of this session was routed."]


def test_a_report_that_waited_in_a_file_keeps_its_switches() -> None:
    assert unreport(report(SESSION, ROWS))[1] == ROWS
