"""An id is a ULID: 26 characters that sort by time, made of nothing but the clock and the randomness that are passed in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.ids import ulid

few = settings(max_examples=100, deadline=None)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TIMES = st.integers(0, 2**48 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


def value(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + ALPHABET.index(character)
    return number


def test_the_specifications_own_example() -> None:
    # https://github.com/ulid/spec: ulid(1469918176385) begins with 01ARYZ6S41.
    assert ulid(1469918176385, bytes(10)) == "01ARYZ6S41" + "0" * 16


def test_the_largest_id_is_the_specifications_largest() -> None:
    assert ulid(2**48 - 1, b"\xff" * 10) == "7" + "Z" * 25
    assert ulid(0, bytes(10)) == "0" * 26


@few
@given(TIMES, RANDOM)
def test_it_holds_the_time_and_the_randomness_and_nothing_else(time: int, random: bytes) -> None:
    found = ulid(time, random)
    assert len(found) == 26
    assert value(found[:10]) == time
    assert value(found[10:]) == int.from_bytes(random, "big")


@few
@given(TIMES, RANDOM, TIMES, RANDOM)
def test_ids_sort_by_time(one: int, random: bytes, other: int, more: bytes) -> None:
    first, second = sorted(((one, random), (other, more)))
    assert ulid(*first) <= ulid(*second)


def test_more_randomness_than_there_is_room_for_is_not_used() -> None:
    assert ulid(1, b"\x01" * 16) == ulid(1, b"\x01" * 10)
