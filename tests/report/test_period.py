"""Reports of any rows at all: parts add up to their whole in every view, sheets read back as the same figures, a period
has its borders, and days are the local calendar's.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report import ledgers

from lynkr.changes import Saving
from lynkr.ledger.row import Row, Session
from lynkr.ledger.store import Ledger
from lynkr.report import sheet
from lynkr.report.period import Span, local_day, moment, period
from lynkr.usage import Usage

few = settings(max_examples=60, deadline=None)
fewer = settings(max_examples=25, deadline=None)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VIEWS: dict[str, Callable[[Session, Row], str | None]] = {
    "day": lambda _, row: row.at[:10],
    "lane": lambda _, row: row.lane,
    "model": lambda _, row: row.model,
    "tool": lambda session, _: session.tool,
    "project": lambda session, _: session.project,
    "session": lambda session, _: session.id,
}
COUNTED = ("requests", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "unpriced_requests")
MONEY = ("cost_usd", "baseline_usd", "saved_usd", "estimated_usd")
SAVED = ("routing_usd", "compression_usd", "answers_usd", "bypass_usd")
Pairs = list[tuple[Session, Row]]

COUNTS = st.integers(0, 10**9)
DOLLARS = st.one_of(st.just(0.0), st.floats(1e-9, 1e4), st.sampled_from([0.1, 0.2, 1e-7, 0.30000000000000004]))
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
MOMENTS = st.integers(0, 3 * 86_400_000).map(lambda ms: at(NOON + timedelta(milliseconds=ms)))


def at(moment: datetime) -> str:
    """A moment as rows have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@st.composite
def rows(draw: st.DrawFn, number: int) -> Row:
    cost, baseline = (None, None) if draw(st.integers(0, 4)) == 0 else (draw(DOLLARS), draw(DOLLARS))
    savings = ()
    if draw(st.booleans()):
        usd = st.none() if cost is None else DOLLARS
        savings = tuple(draw(st.lists(st.builds(Saving, st.sampled_from("xyz"), COUNTS, usd), min_size=1, max_size=2)))
    return Row(
        f"{number:026d}", draw(MOMENTS), lane=draw(WORDS), provider=draw(WORDS), model=draw(WORDS),
        outcome=draw(st.sampled_from(["ok", "refused", "cut", "gone"])), error=draw(WORDS), ms=draw(st.floats(0, 1e6)),
        usage=Usage(*(draw(COUNTS) for _ in range(5))), cost_usd=cost, baseline_usd=baseline,
        estimated=draw(st.booleans()),
        removed_tokens=sum(saving.tokens for saving in savings), savings=savings, faults=draw(st.integers(0, 3)),
        compression_usd=None if cost is None else sum(saving.usd or 0.0 for saving in savings),
        answered=draw(st.sampled_from([None, None, "bypass:title", "exact:X", "semantic:Y"])),
    )  # fmt: skip


@st.composite
def ledgers_full(draw: st.DrawFn, least: int = 0) -> Pairs:
    """Rows of up to three sessions, as a ledger gives them."""
    names = st.sampled_from(["a", "b", "/p/c", ""])
    sessions = [Session(f"S{n}", draw(names), "work", draw(names), at(NOON)) for n in range(draw(st.integers(1, 3)))]
    count = draw(st.integers(least, 14))
    return [(draw(st.sampled_from(sessions)), draw(rows(number))) for number in range(count)]


def near(found: float | None, expected: Fraction, parts: int = 1) -> bool:
    """Every sum is rounded once, to a billionth; a float of some thousands adds its own dust."""
    return abs(Fraction(found or 0.0) - expected) <= Fraction(parts + 1, 10**9) + abs(expected) / 2**48


def exact(amounts: Sequence[float | None]) -> Fraction:
    return sum((Fraction(amount) for amount in amounts if amount is not None), Fraction())


# --- sums -------------------------------------------------------------------------------------------------------------


@few
@given(ledgers_full())
def test_the_parts_of_every_view_add_up_to_the_whole(pairs: Pairs) -> None:
    with ledgers.zone(ledgers.UTC):
        found = period(Span(), pairs)
    assert set(found["by"]) == set(VIEWS)
    totals, savings = found["totals"], found["savings"]
    for view, groups in found["by"].items():
        each = [group["totals"] for group in groups]
        for name in COUNTED:
            assert totals[name] == sum(part[name] for part in each), (view, name)
        for name in MONEY:
            assert near(totals[name], exact([part[name] for part in each]), len(each)), (view, name)
        for name in SAVED:
            assert near(savings[name], exact([group["savings"][name] for group in groups]), 4 * len(each)), (view, name)
        for name in ("tokens_removed", "faults"):
            assert savings[name] == sum(group["savings"][name] for group in groups), (view, name)
        assert totals["estimated"] == any(part["estimated"] for part in each)
        kinds: Counter[str] = Counter()
        for group in groups:
            kinds.update({kind["kind"]: kind["tokens_removed"] for kind in group["savings"]["kinds"]})
        assert +kinds == +Counter({kind["kind"]: kind["tokens_removed"] for kind in savings["kinds"]})
        if each:
            assert (totals["cost_usd"] is None) == all(part["cost_usd"] is None for part in each)


@few
@given(ledgers_full())
def test_the_whole_is_the_sum_of_the_rows(pairs: Pairs) -> None:
    found = period(Span(), pairs, ())
    totals, savings, some = found["totals"], found["savings"], [row for _, row in pairs]
    assert totals["requests"] == len(some)
    assert found["sessions"] == len({session.id for session, _ in pairs})
    assert totals["cache_write_tokens"] == sum(row.usage.cache_write + row.usage.cache_write_1h for row in some)
    assert totals["input_tokens"] == sum(row.usage.input for row in some)
    assert near(totals["cost_usd"], exact([row.cost_usd for row in some]))
    assert near(totals["baseline_usd"], exact([row.baseline_usd for row in some]))
    assert near(
        totals["saved_usd"], exact([row.baseline_usd for row in some]) - exact([row.cost_usd for row in some]), 9
    )
    assert near(totals["estimated_usd"], exact([row.cost_usd for row in some if row.estimated]))
    assert near(sum(savings[name] for name in SAVED), Fraction(totals["saved_usd"] or 0.0), 4)


@few
@given(ledgers_full())
def test_every_row_is_in_the_one_group_that_it_belongs_to(pairs: Pairs) -> None:
    with ledgers.zone(ledgers.UTC):
        found = period(Span(), pairs)
    for view, key in VIEWS.items():
        groups: dict[str | None, Pairs] = defaultdict(list)
        for session, row in pairs:
            groups[key(session, row)].append((session, row))
        assert {group[view] for group in found["by"][view]} == set(groups)
        for group in found["by"][view]:
            held = groups[group[view]]
            assert group["totals"]["requests"] == len(held)
            assert group["totals"]["output_tokens"] == sum(row.usage.output for _, row in held)
            assert near(group["totals"]["cost_usd"], exact([row.cost_usd for _, row in held]))
            bad = [row for _, row in held if row.outcome in ("refused", "cut") or row.error is not None]
            assert group["totals"]["failures"] == len(bad)
            if view != "session":
                assert group["sessions"] == len({session.id for session, _ in held})


@few
@given(ledgers_full())
def test_the_dearest_comes_first_and_days_and_sessions_in_order(pairs: Pairs) -> None:
    with ledgers.zone(ledgers.UTC):
        found = period(Span(), pairs)["by"]
    for view, groups in found.items():
        order = [
            group[view] if view in ("day", "session") else -(group["totals"]["cost_usd"] or 0.0) for group in groups
        ]
        assert order == sorted(order)


@few
@given(ledgers_full(), st.sampled_from(sorted(VIEWS)))
def test_a_sheet_of_groups_reads_back_as_the_same_figures(pairs: Pairs, view: str) -> None:
    groups = period(Span(), pairs, (view,))["by"][view]
    read = list(csv.DictReader(io.StringIO("\n".join(sheet.of_groups(view, groups)))))
    assert len(read) == len(groups)
    for line, group in zip(read, groups, strict=True):
        assert line[view] == (group[view] or "")
        for name, figure in {**group["totals"], **group["savings"]}.items():
            if name != "kinds":
                assert line[name] == cell(figure), name


@few
@given(ledgers_full())
def test_a_sheet_of_requests_reads_back_as_the_same_figures(pairs: Pairs) -> None:
    read = list(csv.DictReader(io.StringIO("\n".join(sheet.of_requests(pairs)))))
    for line, (session, row) in zip(read, pairs, strict=True):
        assert (line["session"], line["id"], line["at"]) == (session.id, row.id, row.at)
        assert int(line["cache_write_tokens"]) == row.usage.cache_write + row.usage.cache_write_1h
        assert (line["lane"], line["model"]) == (row.lane or "", row.model or "")
        assert line["cost_usd"] == cell(None if row.cost_usd is None else round(row.cost_usd, 9))
        assert line["estimated"] == cell(row.estimated)


def cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@few
@given(ledgers_full())
def test_a_period_is_plain_json(pairs: Pairs) -> None:
    found = period(Span(), pairs)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


# --- borders ----------------------------------------------------------------------------------------------------------


def one(number: int, when: str, **more: Any) -> Row:
    return Row(f"01R{number:023d}", when, lane="main", model="m", status=200, cost_usd=0.25, baseline_usd=0.25, **more)


SESSION = Session("01S00000000000000000000000", "claude", "work", "/p", at(NOON), 4.0, 0)


@fewer
@given(st.lists(MOMENTS, max_size=10), st.tuples(MOMENTS, MOMENTS, MOMENTS))
def test_two_periods_that_meet_have_every_row_once(moments: list[str], borders: tuple[str, str, str]) -> None:
    first, middle, last = sorted(borders)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        ledger.save(SESSION, [one(n, when) for n, when in enumerate([*moments, *borders])])
        spans = ((first, middle), (middle, last), (first, last), (None, first), (last, None), ())
        ids = [[row.id for _, row in ledger.between(*span)] for span in spans]
    left, right, both, before, after, all_of_them = ids
    assert left + right == both
    assert sorted(before + both + after) == sorted(all_of_them)
    assert len(all_of_them) == len(moments) + 3


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--since", "2026-11-21T10:00:00Z"), 3),
        (("--since", "2026-11-21T10:00:00.001Z"), 2),
        (("--until", "2026-11-21T11:00:00Z"), 3),
        (("--until", "2026-11-21T11:00:00.001Z"), 4),
        (("--since", "2026-11-21T10:00:00Z", "--until", "2026-11-21T11:00:00Z"), 2),
        (("--since", "2026-11-21T12:00:00+02:00", "--until", "2026-11-21T12:00:00.001+02:00"), 1),
        (("--since", "2026-11-21 11:00"), 1),
        (("--until", "2026-11-21"), 0),
        (("--since", "2026-11-21", "--until", "2026-11-22"), 4),
    ],
)
def test_a_row_on_the_border_belongs_to_what_begins_there(words: tuple[str, ...], found: int) -> None:
    times = ("09:59:59.999", "10:00:00.000", "10:59:59.999", "11:00:00.000")
    ledgers.fill((SESSION, [one(n, f"2026-11-21T{time}Z") for n, time in enumerate(times)]))
    with ledgers.zone(ledgers.UTC):
        told = ledgers.ask("report", *words, "--json")
    assert json.loads(told.out)["totals"]["requests"] == found


# --- days -------------------------------------------------------------------------------------------------------------


@few
@given(
    st.integers(0, 4 * 365 * 86_400),
    st.sampled_from([ledgers.UTC, ledgers.TOKYO, ledgers.BERLIN, ledgers.NEPAL, ledgers.KIRITIMATI, ledgers.HAWAII]),
)
def test_a_day_is_the_one_on_the_wall(second: int, name: str) -> None:
    since_1970 = 1_767_225_600 + second
    with ledgers.zone(name):
        expected = time.strftime("%Y-%m-%d", time.localtime(since_1970))
        assert local_day(at(datetime.fromtimestamp(since_1970, UTC))) == expected


@pytest.mark.parametrize(
    ("name", "when", "day"),
    [
        (ledgers.TOKYO, "2026-11-20T14:59:59.999Z", "2026-11-20"),
        (ledgers.TOKYO, "2026-11-20T15:00:00.000Z", "2026-11-21"),
        (ledgers.HAWAII, "2026-11-21T09:59:59.999Z", "2026-11-20"),
        (ledgers.NEPAL, "2026-11-20T18:15:00.000Z", "2026-11-21"),
        # Berlin's clocks go back on 25 October 2026, so that this day has 25 hours, and forward on 29 March.
        (ledgers.BERLIN, "2026-10-24T21:59:59.999Z", "2026-10-24"),
        (ledgers.BERLIN, "2026-10-24T22:00:00.000Z", "2026-10-25"),
        (ledgers.BERLIN, "2026-10-25T22:59:59.999Z", "2026-10-25"),
        (ledgers.BERLIN, "2026-10-25T23:00:00.000Z", "2026-10-26"),
        (ledgers.BERLIN, "2026-03-28T23:00:00.000Z", "2026-03-29"),
        (ledgers.BERLIN, "2026-03-29T22:00:00.000Z", "2026-03-30"),
    ],
)
def test_a_day_begins_at_local_midnight(name: str, when: str, day: str) -> None:
    with ledgers.zone(name):
        assert local_day(when) == day


@pytest.mark.parametrize(
    ("day", "next_day", "hours"), [("2026-03-29", "2026-03-30", 23), ("2026-10-25", "2026-10-26", 25)]
)
def test_a_day_on_which_the_clocks_change_is_whole(day: str, next_day: str, hours: int) -> None:
    begin = datetime.fromisoformat(f"{day}T00:00:00Z") - timedelta(hours=3)
    moments = [at(begin + timedelta(minutes=30 * n)) for n in range(64)]
    ledgers.fill((SESSION, [one(n, when) for n, when in enumerate(moments)]))
    with ledgers.zone(ledgers.BERLIN):
        found = json.loads(ledgers.ask("report", "--since", day, "--until", next_day, "--json").out)
    assert [(group["day"], group["totals"]["requests"]) for group in found["by"]["day"]] == [(day, 2 * hours)]


@pytest.mark.parametrize(
    ("name", "now", "midnight"),
    [
        (ledgers.UTC, "2026-11-21T12:00:00Z", "2026-11-21T00:00:00.000Z"),
        (ledgers.TOKYO, "2026-11-20T15:30:00Z", "2026-11-20T15:00:00.000Z"),
        (ledgers.BERLIN, "2026-10-25T00:30:00Z", "2026-10-24T22:00:00.000Z"),
        pytest.param(ledgers.BERLIN, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00.000Z"),
        pytest.param(ledgers.BERLIN, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00.000Z"),
    ],
)
def test_today_begins_at_local_midnight(name: str, now: str, midnight: str) -> None:
    with ledgers.zone(name):
        assert moment("today", datetime.fromisoformat(now)).at == midnight


@pytest.mark.parametrize(
    ("text", "at_most"),
    [("7d", 7 * 86_400), ("12h", 43_200), ("30min", 1_800), ("2w", 1_209_600), ("1 d", 86_400), ("3D", 3 * 86_400)],
)
def test_a_span_counts_back_from_now(text: str, at_most: int) -> None:
    assert moment(text, NOON).at == at(NOON - timedelta(seconds=at_most))
