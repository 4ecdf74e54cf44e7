"""An event stream says the same however it is cut into pieces and whichever line ends it uses.

Lines end in CR, LF and CRLF and in nothing else; an event ends at a blank line; what follows the last one is `rest`.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.framing.frame import Frame
from lynkr.framing.sse import Blocks, parse, write

few = settings(max_examples=150, deadline=None)

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
BOM = b"\xef\xbb\xbf"
# Line breaks to `str.splitlines`, plain characters to an event stream.
NO_BREAKS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e"
LINES = st.one_of(
    st.sampled_from(
        [b"data", b"data:", b"data: ", b"data:x", b"data:  x", b"event: e", b"event:", b": note", b":", b"id: 1"]
    ),
    st.text('abc {}":' + NO_BREAKS, max_size=6).map(lambda text: b"data: " + text.encode()),
    st.binary(max_size=6).map(lambda raw: b"data: " + raw.replace(b"\r", b"").replace(b"\n", b"")),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[list[bytes]]]:
    """A stream, each line with a line end of its own choice, and the lines of each event in it."""
    events = draw(st.lists(st.lists(LINES, min_size=1, max_size=4), max_size=5))
    stream = draw(st.sampled_from([b"", BOM]))
    for lines in events:
        for line in [*lines, b""]:
            end = draw(ENDS)
            # A blank line of LF after a line of CR would be read as one CRLF.
            stream += line + (b"\r\n" if end == b"\n" and stream.endswith(b"\r") and not line else end)
    return stream, events


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


def fed(pieces: list[bytes]) -> list[bytes]:
    blocks = Blocks()
    return [block for piece in pieces for block in blocks.feed(piece)]


def expected(lines: list[bytes]) -> Frame | None:
    """What the specification makes of the lines of one event."""
    name, data = "", []
    for line in lines:
        field, value = line.split(b":", 1) if b":" in line else (line, b"")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Frame(name, b"\n".join(data)) if data else None


@few
@given(streams())
def test_a_stream_gives_the_events_that_were_written(stream: tuple[bytes, list[list[bytes]]]) -> None:
    written, events = stream
    found = [parse(block) for block in fed([written])]
    assert [event for event in found if event] == [event for event in map(expected, events) if event]


@few
@given(streams(), st.lists(st.integers(0, 1000), max_size=10))
def test_any_chunking_gives_the_same_blocks(stream: tuple[bytes, list[list[bytes]]], cuts: list[int]) -> None:
    assert fed(pieces_of(stream[0], cuts)) == fed([stream[0]])


@few
@given(streams())
def test_a_byte_at_a_time_gives_the_same_blocks(stream: tuple[bytes, list[list[bytes]]]) -> None:
    assert fed([bytes([byte]) for byte in stream[0]]) == fed([stream[0]])


@few
@given(streams(), ENDS)
def test_the_rest_is_empty_exactly_between_events(stream: tuple[bytes, list[list[bytes]]], end: bytes) -> None:
    blocks = Blocks()
    blocks.feed(stream[0])
    assert blocks.rest == b""
    blocks.feed(b"data: a")
    assert blocks.rest.endswith(b"data: a")
    blocks.feed(end)
    assert blocks.rest.endswith(b"data: a" + end)
    blocks.feed(b"data: b" + end)
    assert blocks.rest != b""
    assert len(blocks.feed(end)) == 1
    assert blocks.rest == b""


def test_the_second_half_of_a_line_end_is_no_rest() -> None:
    blocks = Blocks()
    assert blocks.feed(b"data: a\r\n\r") == [b"data: a"]
    assert blocks.feed(b"\n") == []
    assert blocks.rest == b""
    assert blocks.feed(b"data: b\r\n\r\n") == [b"data: b"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_line_end_ends_lines_and_two_end_an_event(end: bytes) -> None:
    stream = end.join([b"event: a", b"data: 1", b"data: 2", b"", b"data: 3", b"", b""])
    assert [parse(block) for block in fed([stream])] == [Frame("a", b"1\n2"), Frame("", b"3")]


@pytest.mark.parametrize("character", NO_BREAKS)
def test_what_other_readers_take_for_a_line_end_stands_inside_of_data(character: str) -> None:
    data = f'{{"text":"a{character}{character}b"}}'.encode()
    assert [parse(block) for block in fed([write("", data)])] == [Frame("", data)]


@pytest.mark.parametrize("blank", [b"\n", b"\n\n", b"\r\n\r\n\r\n", b"\r\r\n"])
def test_blank_lines_alone_are_no_events(blank: bytes) -> None:
    assert fed([blank]) == []
    assert fed([blank + b"data: a\n\n" + blank + blank]) == [b"data: a"]


def test_a_mark_at_the_start_of_the_stream_is_no_part_of_it() -> None:
    assert fed([BOM + b"data: a\n\n"]) == [b"data: a"]
    assert fed([BOM[:1], BOM[1:2], BOM[2:] + b"da", b"ta: a\n\n"]) == [b"data: a"]


def test_a_mark_later_in_the_stream_is_a_part_of_it() -> None:
    assert fed([b"data: a\n\ndata: " + BOM + b"\n\n"])[1] == b"data: " + BOM


@pytest.mark.parametrize("block", [b": note", b":", b"retry: 10", b"id: 1", b"event: a", b"", b"dat: a", b" data: a"])
def test_a_block_without_data_is_no_event(block: bytes) -> None:
    assert parse(block) is None


@pytest.mark.parametrize(
    ("block", "event"),
    [
        (b"data", Frame("", b"")),
        (b"data:", Frame("", b"")),
        (b"data: a", Frame("", b"a")),
        (b"data:a", Frame("", b"a")),
        (b"data:  a", Frame("", b" a")),
        (b"data: a: b", Frame("", b"a: b")),
        (b"data: a\ndata\ndata: b", Frame("", b"a\n\nb")),
        (b"event: one\nevent: two\ndata: a", Frame("two", b"a")),
        (b": note\nevent: e\nid: 1\ndata: a", Frame("e", b"a")),
        (b"event: \xff\ndata: \xff", Frame("\ufffd", b"\xff")),
    ],
)
def test_the_fields_of_an_event_are_read_as_specified(block: bytes, event: Frame) -> None:
    assert parse(block) == event


@few
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8),
    st.binary(max_size=40).filter(lambda data: b"\r" not in data and b"\n" not in data),
)
def test_what_is_written_is_read_back(name: str, data: bytes) -> None:
    assert [parse(block) for block in fed([write(name, data)])] == [Frame(name, data)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_nothing_is_kept_of_events_that_are_over(end: bytes) -> None:
    """The work for a piece goes with what is held back, so what is held back must not grow."""
    blocks, event = Blocks(), b"data: " + b"x" * 100 + end + end
    for _ in range(2000):
        assert len(blocks.feed(event)) == 1
        assert blocks.pending == 0


def test_a_huge_event_in_small_pieces_is_held_once_and_then_let_go() -> None:
    blocks, piece = Blocks(), b"x" * 1000
    blocks.feed(b"data: ")
    for number in range(1, 2001):
        assert blocks.feed(piece) == []
        assert blocks.pending == 6 + 1000 * number
    assert blocks.feed(b"\n\n") == [b"data: " + piece * 2000]
    assert blocks.pending == 0


@few
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_bytes_at_all_are_cut_without_losing_one_that_matters(data: bytes, cuts: list[int]) -> None:
    blocks = Blocks()
    found = [block for piece in pieces_of(b"x" + data, cuts) for block in blocks.feed(piece)]
    kept = b"".join(found) + blocks.rest
    assert kept.translate(None, b"\r\n") == (b"x" + data).translate(None, b"\r\n")
    assert all(parse(block) is None or isinstance(parse(block), Frame) for block in found)
