"""Lines of JSON say the same however they are cut; a line's end may be CRLF, and the last one may be missing."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.framing.frame import Frame
from lynkr.framing.ndjson import Lines

few = settings(max_examples=150, deadline=None)

# Line breaks to `str.splitlines` and white space to nobody: they stand inside of JSON strings.
NO_BREAKS = "\u2028\u2029\u0085"
VALUES = st.dictionaries(st.text("ab", max_size=2), st.text('ab \\"{}' + NO_BREAKS, max_size=5), max_size=3)
ENDS = st.sampled_from([b"\n", b"\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    """A stream with blank lines in it, its last line's end perhaps left out, and the values that it holds."""
    values = draw(st.lists(VALUES, max_size=5))
    stream = b""
    for value in values:
        blank = b"".join(draw(st.lists(ENDS, max_size=2)))
        stream += blank + json.dumps(value, ensure_ascii=draw(st.booleans())).encode() + draw(ENDS)
    return (stream.rstrip(b"\r\n") if draw(st.booleans()) else stream), values


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


def fed(pieces: list[bytes]) -> list[Frame]:
    lines = Lines()
    found = [frame for piece in pieces for frame in lines.feed(piece)]
    return found + lines.rest()


@few
@given(streams(), st.lists(st.integers(0, 1000), max_size=8))
def test_any_chunking_gives_the_values_that_were_written(stream: tuple[bytes, list[Any]], cuts: list[int]) -> None:
    written, values = stream
    frames = fed(pieces_of(written, cuts))
    assert [json.loads(frame.data) for frame in frames] == values
    assert {frame.name for frame in frames} <= {""}


@few
@given(streams())
def test_a_byte_at_a_time_gives_the_same_lines(stream: tuple[bytes, list[Any]]) -> None:
    assert fed([bytes([byte]) for byte in stream[0]]) == fed([stream[0]])


@few
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_bytes_at_all_are_cut_at_line_feeds_and_nothing_is_lost(data: bytes, cuts: list[int]) -> None:
    expected = [line.strip() for line in data.split(b"\n")]
    assert [frame.data for frame in fed(pieces_of(data, cuts))] == [line for line in expected if line]


@pytest.mark.parametrize("character", NO_BREAKS)
def test_only_a_line_feed_ends_a_line(character: str) -> None:
    line = f'{{"a":"x{character}y"}}'.encode()
    assert fed([line + b"\n"]) == [Frame("", line)]


@pytest.mark.parametrize("blank", [b"", b"\n", b"\r\n", b" \n\t\r\n", b"\n\n\n"])
def test_blank_lines_are_nothing(blank: bytes) -> None:
    assert fed([blank]) == []
    assert fed([blank, b"{}\n", blank]) == [Frame("", b"{}")]


def test_a_line_is_whole_only_behind_its_end() -> None:
    lines = Lines()
    assert lines.pending == 0
    assert lines.feed(b'{"a"') == []
    assert lines.pending
    assert lines.feed(b":1}") == []
    assert lines.pending
    assert lines.feed(b"\n") == [Frame("", b'{"a":1}')]
    assert lines.pending == 0


def test_the_half_of_a_line_end_is_no_line() -> None:
    lines = Lines()
    assert lines.feed(b"{}\r") == []
    assert lines.feed(b"\n\r\n") == [Frame("", b"{}")]
    assert lines.pending == 0


def test_the_rest_is_the_line_without_an_end_and_is_given_once() -> None:
    lines = Lines()
    assert lines.feed(b"{}\n[1") == [Frame("", b"{}")]
    assert lines.feed(b"]") == []
    assert lines.rest() == [Frame("", b"[1]")]
    assert lines.rest() == []
    assert lines.pending == 0


def test_nothing_is_kept_of_lines_that_are_over() -> None:
    lines = Lines()
    for _ in range(2000):
        assert len(lines.feed(b'{"a":"' + b"x" * 100 + b'"}\n')) == 1
        assert lines.pending == 0


def test_what_is_held_back_is_counted_so_that_a_line_without_an_end_can_be_given_up() -> None:
    lines, piece = Lines(), b"x" * 1000
    for number in range(1, 2001):
        assert lines.feed(piece) == []
        assert lines.pending == 1000 * number
    assert lines.feed(b"\n") == [Frame("", piece * 2000)]
    assert lines.pending == 0
