"""An AWS event stream is read as its specification says, every length and checksum held to; damage is always noticed.

The bytes that the tests read are put together here, field by field, and not by the module's own writer.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Mapping
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.events import MalformedStream
from lynkr.framing.eventstream import MAX_HEADERS, MAX_PAYLOAD, Message, Messages, write
from lynkr.framing.frame import Frame

few = settings(max_examples=150, deadline=None)

# A header's value as the wire has it, by its type: true, false, byte, short, integer, long, bytes, text, time, UUID.
KINDS: dict[int, st.SearchStrategy[bytes]] = {
    0: st.just(b""),
    1: st.just(b""),
    2: st.binary(min_size=1, max_size=1),
    3: st.binary(min_size=2, max_size=2),
    4: st.binary(min_size=4, max_size=4),
    5: st.binary(min_size=8, max_size=8),
    6: st.binary(max_size=9).map(lambda value: struct.pack(">H", len(value)) + value),
    7: st.text(max_size=9).map(lambda value: struct.pack(">H", len(value.encode())) + value.encode()),
    8: st.binary(min_size=8, max_size=8),
    9: st.binary(min_size=16, max_size=16),
}
TEXT = 7
NAMES = st.text(min_size=1, max_size=6)
HEADERS = st.dictionaries(NAMES, st.sampled_from(sorted(KINDS)).flatmap(lambda k: st.tuples(st.just(k), KINDS[k])))


def message(head: bytes, payload: bytes) -> bytes:
    """A message around headers as they stand on the wire, its checksums right."""
    start = struct.pack(">II", 12 + len(head) + len(payload) + 4, len(head))
    data = start + struct.pack(">I", crc32(start)) + head + payload
    return data + struct.pack(">I", crc32(data))


def header(name: str, kind: int, value: bytes) -> bytes:
    return bytes([len(name.encode())]) + name.encode() + bytes([kind]) + value


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def said(headers: Mapping[str, str], payload: bytes = b"{}") -> bytes:
    return message(b"".join(header(name, TEXT, text(value)) for name, value in headers.items()), payload)


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Message]]:
    """Messages with headers of every type, on the wire and as they are to be read."""
    stream, expected = b"", []
    for _ in range(draw(st.integers(0, 4))):
        headers, payload = draw(HEADERS), draw(st.binary(max_size=20))
        stream += message(b"".join(header(name, *value) for name, value in headers.items()), payload)
        texts = {name: value[2:].decode() for name, (kind, value) in headers.items() if kind == TEXT}
        expected.append(Message(texts, payload))
    return stream, expected


@few
@given(streams(), st.lists(st.integers(0, 1000), max_size=8))
def test_any_chunking_gives_the_messages_that_were_written(
    stream: tuple[bytes, list[Message]], cuts: list[int]
) -> None:
    messages = Messages()
    assert [m for piece in pieces_of(stream[0], cuts) for m in messages.messages(piece)] == stream[1]
    assert messages.pending == 0
    assert messages.rest() == []


@few
@given(streams())
def test_a_byte_at_a_time_gives_the_same_messages(stream: tuple[bytes, list[Message]]) -> None:
    messages = Messages()
    assert [m for byte in stream[0] for m in messages.messages(bytes([byte]))] == stream[1]


@few
@given(st.dictionaries(NAMES, st.text(max_size=9), max_size=4), st.binary(max_size=40))
def test_what_is_written_is_read_back(headers: dict[str, str], payload: bytes) -> None:
    assert Messages().messages(write(headers, payload)) == [Message(headers, payload)]
    assert write(headers, payload) == said(headers, payload)


def test_the_bytes_of_the_specifications_own_example() -> None:
    # https://smithy.io/2.0/aws/amazon-eventstream.html and botocore's tests: a payload, and no headers.
    payload = b"{'foo':'bar'}"
    example = bytes.fromhex("0000001d00000000fd528c5a") + payload + bytes.fromhex("c3653936")
    assert Messages().messages(example) == [Message({}, payload)]
    assert write({}, payload) == example


@few
@given(streams().filter(lambda stream: bool(stream[0])), st.integers(0, 10_000), st.integers(1, 255))
def test_a_byte_that_was_changed_is_never_read(stream: tuple[bytes, list[Message]], at: int, by: int) -> None:
    data = bytearray(stream[0])
    data[at % len(data)] ^= by
    messages, found = Messages(), list[Message]()
    with pytest.raises(MalformedStream):
        for byte in bytes(data):
            found += messages.messages(bytes([byte]))
    assert found == stream[1][: len(found)]


@few
@given(streams().filter(lambda stream: bool(stream[0])), st.integers(0, 10_000))
def test_what_a_cut_leaves_of_a_message_is_pending(stream: tuple[bytes, list[Message]], at: int) -> None:
    data, messages = stream[0][: at % len(stream[0])], Messages()
    found = messages.messages(data)
    assert found == stream[1][: len(found)]
    assert messages.pending == len(data) - sum(sizes(stream[0])[: len(found)])


def sizes(stream: bytes) -> list[int]:
    """The lengths of a stream's messages, from their preludes."""
    found, at = [], 0
    while at < len(stream):
        found.append(int.from_bytes(stream[at : at + 4]))
        at += found[-1]
    return found


@few
@given(st.binary(max_size=80))
def test_random_bytes_raise_malformed_stream_and_nothing_else(data: bytes) -> None:
    try:
        Messages().feed(data)
    except MalformedStream:
        assert len(data) >= 12


@few
@given(st.binary(max_size=30), st.binary(max_size=4))
def test_headers_that_cannot_be_read_raise_malformed_stream_and_nothing_else(head: bytes, payload: bytes) -> None:
    try:
        found = Messages().messages(message(head, payload))
    except MalformedStream:
        return
    assert [m.payload for m in found] == [payload]


@pytest.mark.parametrize(
    "head",
    [
        b"\x05na",
        b"\x01n",
        header("n", 10, b""),
        header("n", 255, b"xx"),
        header("n", TEXT, b"\x00"),
        header("n", TEXT, b"\x00\x05abcd"),
        header("n", 5, b"1234567"),
        header("n", TEXT, b"\x00\x01\xff"),
        b"\x01\xff" + bytes([TEXT]) + text("x"),
    ],
)
def test_a_header_that_is_cut_short_or_of_no_known_type_is_no_header(head: bytes) -> None:
    with pytest.raises(MalformedStream):
        Messages().messages(message(head, b""))


@pytest.mark.parametrize(
    ("total", "headers"),
    [
        (15, 0),
        (0, 0),
        (16, 1),
        (16 + MAX_PAYLOAD + 1, 0),
        (2**32 - 1, 0),
        (16 + MAX_HEADERS + 1, MAX_HEADERS + 1),
        (2**32 - 1, 2**32 - 1),
    ],
)
def test_lengths_out_of_bounds_are_refused_before_anything_is_waited_for(total: int, headers: int) -> None:
    start = struct.pack(">II", total, headers)
    with pytest.raises(MalformedStream):
        Messages().feed(start + struct.pack(">I", crc32(start)))


def test_the_largest_lengths_are_waited_for() -> None:
    start = struct.pack(">II", 16 + MAX_HEADERS + MAX_PAYLOAD, MAX_HEADERS)
    messages = Messages()
    assert messages.feed(start + struct.pack(">I", crc32(start))) == []
    assert messages.pending == 12


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"}, "chunk"),
        ({":event-type": "messageStart"}, "messageStart"),
        ({}, ""),
        ({":message-type": "exception", ":exception-type": "throttlingException"}, "!throttlingException"),
        ({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "m"}, "!InternalFailure"),
        ({":message-type": "exception"}, "!exception"),
    ],
)
def test_a_message_is_called_by_its_event_and_an_error_has_a_mark(headers: dict[str, str], name: str) -> None:
    assert Messages().feed(said(headers, b'{"message":"x"}')) == [Frame(name, b'{"message":"x"}')]


def test_an_error_whose_words_stand_in_its_headers_is_heard() -> None:
    (frame,) = Messages().feed(said({":message-type": "error", ":error-code": "E", ":error-message": "no “ü”"}, b""))
    assert frame.name == "!E"
    assert json.loads(frame.data) == {"message": "no “ü”"}


def test_nothing_is_kept_of_messages_that_are_over() -> None:
    messages, data = Messages(), said({":event-type": "chunk"}, b"x" * 500)
    for _ in range(2000):
        assert len(messages.feed(data)) == 1
        assert messages.pending == 0
