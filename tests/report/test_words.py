"""Figures read as people write them: short, with no zeros where there is something and no 100 % where it is not all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.report.words import duration, milliseconds, plural, share, tokens, usd

few = settings(max_examples=100, deadline=None)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (7, "7"),
        (812, "812"),
        (999, "999"),
        (1000, "1.00k"),
        (1234, "1.23k"),
        (20_311, "20.3k"),
        (98_321, "98.3k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (1_840_221, "1.84M"),
        (12_345_678, "12.3M"),
        (999_000_000, "999M"),
        (1_500_000_000, "1500M"),
    ],
)
def test_tokens(count: int, text: str) -> None:
    assert tokens(count) == text


@few
@given(st.integers(0, 10**9))
def test_a_rounded_count_is_within_one_in_two_hundred(count: int) -> None:
    scale = {"k": 1e3, "M": 1e6}
    text = tokens(count)
    shown = float(text.rstrip("kM")) * scale.get(text[-1], 1)
    assert abs(shown - count) <= count / 200


@few
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_tokens_never_read_as_fewer(one: int, other: int) -> None:
    scale = {"k": 1e3, "M": 1e6}
    low, high = (float(text.rstrip("kM")) * scale.get(text[-1], 1) for text in map(tokens, sorted((one, other))))
    assert low <= high


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "–"),
        (0, "$0.00"),
        (1.92, "$1.92"),
        (1.925, "$1.93"),
        (0.9944, "$0.9944"),
        (0.0123, "$0.0123"),
        (0.0001, "$0.0001"),
        (0.00004, "<$0.0001"),
        (1e-9, "<$0.0001"),
        (1234.5, "$1234.50"),
        (-2.5, "-$2.50"),
        (-0.0123, "-$0.0123"),
    ],
)
def test_usd(amount: float | None, text: str) -> None:
    assert usd(amount) == text


@few
@given(st.floats(1e-9, 1e5))
def test_what_costs_something_is_never_shown_as_nothing(amount: float) -> None:
    assert re.search("[1-9]", usd(amount))


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 10, "0%"),
        (1, 1000, "<1%"),
        (1, 3, "33%"),
        (1, 2, "50%"),
        (999, 1000, "99%"),
        (10, 10, "100%"),
    ],
)
def test_share(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


@few
@given(st.integers(1, 10**9), st.data())
def test_only_all_is_a_hundred_percent_and_only_nothing_is_none(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    assert (share(part, whole) == "100%") == (part == whole)
    assert (share(part, whole) == "0%") == (part == 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (4.21, "4.2 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (812.4, "13 min 32 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(None, "–"), (0, "0 ms"), (420.4, "420 ms"), (999, "999 ms"), (1000, "1.0 s"), (2100, "2.1 s")]
)
def test_milliseconds(ms: float | None, text: str) -> None:
    assert milliseconds(ms) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 requests"), (1, "1 request"), (2, "2 requests")])
def test_plural(count: int, text: str) -> None:
    assert plural(count, "request") == text
