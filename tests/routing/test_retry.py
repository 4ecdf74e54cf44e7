"""The same lane is asked again after a random part of a growing pause, never before it said, and ever less often."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.routing.retry import BACK, MOST_S, PATIENCE_S, TOKENS, Allowance, pause, seconds

few = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(("attempt", "most"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (20, 8.0)])
def test_a_pause_doubles_and_any_part_of_it_may_be_taken(attempt: int, most: float) -> None:
    assert [pause(attempt, None, chance) for chance in (0.0, 0.25, 1.0)] == [0.0, most / 4, most]


@pytest.mark.parametrize(
    ("retry_after", "asked"), [(0.0, True), (2.0, True), (PATIENCE_S, True), (10.5, False), (3600.0, False)]
)
def test_a_lane_that_asks_for_more_patience_than_a_user_has_is_left(retry_after: float, asked: bool) -> None:
    assert (pause(1, retry_after, 0.5) is not None) is asked


@few
@given(st.integers(1, 100), st.none() | st.floats(0, PATIENCE_S), st.floats(0, 1))
def test_never_earlier_than_the_lane_said_and_never_endless(
    attempt: int, retry_after: float | None, chance: float
) -> None:
    found = pause(attempt, retry_after, chance)
    assert found is not None
    assert (retry_after or 0.0) <= found <= (retry_after or 0.0) + MOST_S


def test_those_who_were_told_the_same_do_not_come_back_together() -> None:
    assert len({pause(1, 5.0, chance / 10) for chance in range(11)}) == 11


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("0", 0.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("1.2.3", None),
        (".", None),
        ("²", None),
        ("٣", None),
        ("soon", None),
    ],
)
def test_a_retry_after_is_a_number_of_seconds_or_says_nothing(header: str | None, expected: float | None) -> None:
    assert seconds(header) == expected


def test_with_half_of_the_budget_gone_nobody_tries_again() -> None:
    budget = Allowance()
    used = 0
    while budget.left:
        budget.failed()
        used += 1
    assert used == TOKENS / 2
    budget.answered()
    assert budget.left, "an answer gives something back"
    budget.failed()
    assert not budget.left


def test_answers_give_back_a_tenth_and_no_more_than_there_was() -> None:
    budget = Allowance()
    for _ in range(1000):
        budget.answered()
    assert budget.tokens == TOKENS
    for _ in range(1000):
        budget.failed()
    assert (budget.tokens, budget.left) == (0.0, False)
    answers = 0
    while not budget.left:
        budget.answered()
        answers += 1
    assert answers == pytest.approx(TOKENS / 2 / BACK, abs=1.5)


@few
@given(st.lists(st.booleans(), max_size=400))
def test_of_many_that_fail_few_are_repeated(answered: list[bool]) -> None:
    """What is repeated fails too here, so it takes from the budget as well."""
    budget, repeated = Allowance(), 0
    for well in answered:
        if well:
            budget.answered()
            continue
        budget.failed()
        if budget.left:
            repeated += 1
            budget.failed()
    assert repeated <= TOKENS / 2 + BACK * answered.count(True)
