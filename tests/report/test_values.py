"""A report has the contract's keys, its parts add up in every view, and what was kept in a file is read back whole."""

from __future__ import annotations

import json
import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.ledger.row import Row, Session, Try
from lynkr.report.tally import Money, Tally, failed, prompt_tokens
from lynkr.report.values import SCHEMA, report, unreport
from lynkr.usage import Usage

few = settings(max_examples=60, deadline=None)

SESSION = Session("01JABC", "claude", "work", "/home/me/project", "2026-11-21T10:00:00Z", 812.4, 0)
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")

# The contract's "Session report", key by key. More may be added; none of these may go.
CONTRACT: dict[str, set[str]] = {
    "": {"schema", "session", "totals", "savings", "lanes", "requests"},
    "session": {"id", "tool", "profile", "project", "started", "seconds", "exit_status"},
    "totals": {"requests", *TOKENS, "cost_usd", "baseline_usd", "saved_usd", "unpriced_requests", "estimated"},
    "savings": {"routing_usd", "compression_usd", "answers_usd", "bypass_usd", "tokens_removed"},
    "lanes": {"lane", "provider", "model", "requests", *TOKENS, "cost_usd", "failures", "p50_ms"},
    "requests": {
        "id", "at", "tier", "why", "lane", "model", "asked_model", "status", "tried", *TOKENS, "cost_usd",
        "baseline_usd", "removed_tokens", "first_byte_ms", "ms",
    },
    "tried": {"lane", "status"},
}  # fmt: skip

COUNTS = st.integers(0, 10**7)
# Billionths, as they are written, so that nothing is lost on the way there and back.
MONEY = st.one_of(st.none(), st.integers(0, 10**12).map(lambda billionths: billionths / 1e9))
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b"]))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    output = draw(COUNTS)
    return Usage(
        draw(COUNTS),
        draw(COUNTS),
        draw(COUNTS),
        draw(COUNTS),
        output,
        draw(st.integers(0, output)),
        draw(st.booleans()),
    )


ROWS = st.lists(
    st.builds(
        Row,
        id=st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26),
        at=st.just("2026-11-21T10:00:00.000Z"),
        method=st.sampled_from(["GET", "POST"]),
        path=st.sampled_from(["/v1/messages", "/v1/models"]),
        format=WORDS,
        tier=WORDS,
        why=WORDS,
        lane=WORDS,
        provider=WORDS,
        model=WORDS,
        asked_model=WORDS,
        status=st.one_of(st.none(), st.sampled_from([200, 400, 529])),
        outcome=st.sampled_from(["ok", "refused", "cut", "gone"]),
        error=WORDS,
        tried=st.lists(st.builds(Try, st.just("a"), st.sampled_from([None, 529])), max_size=2).map(tuple),
        usage=usages(),
        estimated=st.booleans(),
        cost_usd=MONEY,
        baseline_usd=MONEY,
        removed_tokens=COUNTS,
        first_byte_ms=st.one_of(st.none(), st.integers(0, 10**6).map(float)),
        ms=st.integers(0, 10**6).map(float),
    ),
    max_size=8,
)


def row(**more: Any) -> Row:
    return Row("01J", "2026-11-21T10:00:00Z", **{"lane": "main", "provider": "anthropic", "model": "m", **more})


def added(amounts: list[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known or not amounts else None


def test_every_key_of_the_contract_is_there() -> None:
    found = report(SESSION, [row(tried=(Try("azure", 529),))])
    assert CONTRACT[""] <= set(found)
    for part in ("session", "totals", "savings"):
        assert CONTRACT[part] <= set(found[part]), part
    for part in ("lanes", "requests"):
        assert CONTRACT[part] <= set(found[part][0]), part
    assert CONTRACT["tried"] <= set(found["requests"][0]["tried"][0])
    assert found["schema"] == SCHEMA == 1


def test_a_report_of_no_requests_has_every_key_too() -> None:
    found = report(SESSION, [])
    assert all(CONTRACT[part] <= set(found[part]) for part in ("session", "totals", "savings"))
    assert (found["lanes"], found["requests"]) == ([], [])
    assert found["totals"]["cost_usd"] == found["totals"]["saved_usd"] == 0.0
    assert not found["totals"]["estimated"]


@few
@given(ROWS)
def test_a_report_is_plain_json(rows: list[Row]) -> None:
    found = report(SESSION, rows)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@few
@given(ROWS)
def test_tokens_add_up_in_every_view(rows: list[Row]) -> None:
    found = report(SESSION, rows)
    for name in TOKENS:
        assert found["totals"][name] == sum(request[name] for request in found["requests"])
        with_lane = [request[name] for request in found["requests"] if request["lane"] is not None]
        assert sum(lane[name] for lane in found["lanes"]) == sum(with_lane)
    whole = sum(row.usage.prompt + row.usage.output for row in rows)
    assert prompt_tokens(found["totals"]) + found["totals"]["output_tokens"] == whole


@few
@given(ROWS)
def test_requests_are_counted_once_in_every_view(rows: list[Row]) -> None:
    found = report(SESSION, rows)
    assert found["totals"]["requests"] == len(found["requests"]) == len(rows)
    assert sum(lane["requests"] for lane in found["lanes"]) == sum(row.lane is not None for row in rows)
    assert sum(lane["failures"] for lane in found["lanes"]) == sum(failed(row) for row in rows if row.lane is not None)


@few
@given(ROWS)
def test_money_adds_up_in_every_view(rows: list[Row]) -> None:
    found = report(SESSION, rows)
    for name in ("cost_usd", "baseline_usd"):
        assert found["totals"][name] == pytest.approx(added([request[name] for request in found["requests"]]))
    lanes = [lane["cost_usd"] for lane in found["lanes"]]
    of_lanes = added([request["cost_usd"] for request in found["requests"] if request["lane"] is not None])
    assert added(lanes) == pytest.approx(of_lanes)
    assert found["totals"]["unpriced_requests"] == sum(request["cost_usd"] is None for request in found["requests"])


@few
@given(ROWS)
def test_what_was_saved_is_the_baseline_less_the_cost_of_what_has_both(rows: list[Row]) -> None:
    found = report(SESSION, rows)
    both = [row for row in rows if row.cost_usd is not None and row.baseline_usd is not None]
    saved = sum((row.baseline_usd or 0) - (row.cost_usd or 0) for row in both)
    assert found["totals"]["saved_usd"] == (pytest.approx(saved, abs=1e-6) if both or not rows else None)
    savings = found["savings"]
    assert sum(savings[name] for name in savings if name.endswith("_usd")) == pytest.approx(saved, abs=1e-6)
    assert savings["tokens_removed"] == sum(row.removed_tokens for row in rows)


@few
@given(ROWS)
def test_the_estimated_part_is_a_part_of_the_cost(rows: list[Row]) -> None:
    found = Tally.of(rows).totals()
    assert found["estimated"] == any(row.estimated or row.baseline_usd != row.cost_usd for row in rows)
    part = sum(row.cost_usd or 0 for row in rows if row.estimated)
    assert found["estimated_usd"] == pytest.approx(part, abs=1e-6)
    assert found["estimated_usd"] <= (found["cost_usd"] or 0.0) + 1e-9


@few
@given(ROWS)
def test_a_report_that_was_kept_in_a_file_is_read_back_whole(rows: list[Row]) -> None:
    kept = json.loads(json.dumps(report(SESSION, rows)))
    assert unreport(kept) == (SESSION, rows)
    assert report(*unreport(kept)) == kept


def test_a_session_that_has_not_ended_is_read_back_too() -> None:
    session = Session("01J", "codex", "direct", "/p", "2026-11-21T10:00:00Z")
    assert unreport(report(session, [])) == (session, [])


@pytest.mark.parametrize(
    "data", [{}, {"session": {}, "requests": []}, {"session": {"x": 1}, "requests": []}, {"session": 3}]
)
def test_what_is_no_report_is_not_read_as_one(data: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        unreport(data)


def test_where_no_price_is_known_money_is_none_and_not_zero() -> None:
    found = report(SESSION, [row(cost_usd=None, baseline_usd=None)])
    assert [found["totals"][name] for name in ("cost_usd", "baseline_usd", "saved_usd")] == [None, None, None]
    assert found["totals"]["unpriced_requests"] == 1
    assert found["lanes"][0]["cost_usd"] is None
    assert found["savings"]["routing_usd"] == 0.0


def test_what_has_no_price_is_left_out_of_the_sum() -> None:
    found = Tally.of([row(cost_usd=None, baseline_usd=None), row(cost_usd=0.25, baseline_usd=0.75)]).totals()
    assert (found["cost_usd"], found["baseline_usd"], found["saved_usd"]) == (0.25, 0.75, 0.5)
    assert found["unpriced_requests"] == 1


def summed(amounts: list[float | None]) -> float | None:
    sums = Money()
    for amount in amounts:
        sums.add(amount)
    return sums.sum()


def test_a_thousand_small_amounts_add_up_without_dust() -> None:
    assert summed([0.1] * 1000) == 100.0
    assert summed([0.0, None]) == 0.0
    assert summed([]) == 0.0
    assert summed([None, None]) is None


@pytest.mark.parametrize("seed", range(5))
def test_amounts_of_very_different_sizes_add_up_exactly_and_few_numbers_are_kept_of_them(seed: int) -> None:
    chance, sums = random.Random(seed), Money()
    amounts = [chance.choice((-1, 1)) * chance.random() * 10 ** chance.uniform(-12, 12) for _ in range(1000)]
    for amount in amounts:
        sums.add(amount)
    assert sums.sum() == round(math.fsum(amounts), 9)
    assert 0 < sum(len(kept) for kept in vars(sums).values() if isinstance(kept, list | tuple)) < 10


def test_what_a_large_amount_hides_comes_out_again_when_that_is_gone() -> None:
    assert summed([1e-9, 1e16, 0.1, -1e16]) == 0.100000001


def test_cache_writes_of_both_lengths_are_one_figure_and_the_hour_is_told_apart() -> None:
    found = report(SESSION, [row(usage=Usage(1, 2, 30, 400, 5, 4))])
    request = found["requests"][0]
    assert [request[name] for name in TOKENS] == [1, 2, 430, 5]
    assert (request["cache_write_1h_tokens"], request["reasoning_tokens"]) == (400, 4)


def test_lanes_are_told_apart_by_model_in_the_order_of_their_first_request() -> None:
    rows = [row(model="m2"), row(model="m1"), row(model="m2"), row(lane=None)]
    found = [(lane["lane"], lane["model"], lane["requests"]) for lane in report(SESSION, rows)["lanes"]]
    assert found == [("main", "m2", 2), ("main", "m1", 1)]


@few
@given(st.lists(st.integers(0, 10**6).map(float), min_size=1, max_size=9))
def test_the_middle_of_a_lanes_times_is_their_median(times: list[float]) -> None:
    found = report(SESSION, [row(ms=ms) for ms in times])["lanes"][0]["p50_ms"]
    assert found == pytest.approx(statistics.median(times))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, False),
        ({"outcome": "gone"}, False),
        ({"outcome": "refused", "status": 529}, True),
        ({"outcome": "cut"}, True),
        ({"error": "overloaded_error"}, True),
    ],
)
def test_a_failure_is_the_lanes_and_not_the_clients(more: dict[str, Any], expected: bool) -> None:
    assert failed(row(**more)) is expected
