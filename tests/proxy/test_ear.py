"""An ear hears what an answer says, whatever its coding and chunks, and never raises; `closing` says what may still be said."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.formats import CODECS
from lynkr.lane import Format
from lynkr.proxy import ear as module
from lynkr.proxy.ear import Ear
from lynkr.usage import Heard, Usage

few = settings(max_examples=60, deadline=None)

SSE = "text/event-stream; charset=utf-8"
CHUNK = b'data: {"choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}\n\n'
STREAM = b": hello\n\n" + CHUNK + b"data: [DONE]\n\n"
HEARD = Heard(Usage(input=7), final=True, complete=True, text_chars=5)
ERROR = b'event: error\ndata: {"type":"error"}\n\n'


def listen(kind: str = SSE, coding: str = "") -> Ear:
    return Ear(CODECS[Format.OPENAI_CHAT].AnswerWatch(), kind, coding)


def hear(pieces: list[bytes], kind: str = SSE, coding: str = "") -> Heard:
    ear = listen(kind, coding)
    for piece in pieces:
        ear.hear(piece)
    return ear.heard()


@pytest.mark.parametrize("kind", ["text/event-stream", SSE, "Text/Event-Stream"])
def test_a_stream_is_known_by_its_content_type(kind: str) -> None:
    assert listen(kind).streams
    assert hear([STREAM], kind) == HEARD


@pytest.mark.parametrize("kind", ["application/json", "", "text/plain", "application/x-ndjson"])
def test_anything_else_is_one_body(kind: str) -> None:
    body = json.dumps({"choices": [], "usage": {"prompt_tokens": 7}}).encode()
    assert not listen(kind).streams
    assert hear([body[:9], body[9:]], kind) == Heard(Usage(input=7), final=True, complete=True)


def test_a_body_is_read_once_it_is_over_and_only_once() -> None:
    ear = listen("application/json")
    assert ear.heard() == Heard()
    ear.hear(b'{"usage": {"prompt_tokens": 7}}')
    assert ear.heard() == ear.heard() == Heard(Usage(input=7), final=True, complete=True)


@pytest.mark.parametrize(("coding", "packed"), [("gzip", gzip.compress(STREAM)), ("zstd", zstandard.compress(STREAM))])
def test_a_coded_stream_is_heard_byte_by_byte(coding: str, packed: bytes) -> None:
    assert hear([bytes([byte]) for byte in packed], SSE, coding) == HEARD


@pytest.mark.parametrize("coding", ["br", "nonsense"])
def test_a_coding_that_is_not_read_is_not_heard(coding: str) -> None:
    assert hear([STREAM], SSE, coding) == Heard()
    assert hear([STREAM], "application/json", coding) == Heard()


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_what_is_not_in_its_coding_is_not_heard(coding: str) -> None:
    assert hear([STREAM, STREAM], SSE, coding) == Heard()


def test_what_came_before_the_damage_is_still_heard() -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    packed = packer.compress(STREAM) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    assert hear([packed, b"damage" * 20], SSE, "zstd") == HEARD


@few
@given(
    st.lists(st.binary(max_size=40), max_size=6), st.sampled_from(["", "gzip", "zstd", "deflate", "br"]), st.booleans()
)
def test_garbage_is_heard_without_a_word(pieces: list[bytes], coding: str, streams: bool) -> None:
    assert hear(pieces, SSE if streams else "application/json", coding).usage is None


def test_an_event_larger_than_the_limit_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 100)
    assert hear([CHUNK, b"data: " + b"x" * 101, b"\n\n", STREAM]) == Heard(Usage(input=7), True, True, 5)
    ear = listen()
    ear.hear(b"data: " + b"x" * 101)
    assert ear.closing(ERROR, b"\n") is None


def test_a_body_larger_than_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 100)
    body = b'{"usage": {"prompt_tokens": 7}}'
    assert hear([body, b" " * 50], "application/json") == Heard(Usage(input=7), final=True, complete=True)
    assert hear([body, b" " * 100], "application/json") == Heard()


# --- closing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\r\n\r"])
@pytest.mark.parametrize("after_broken", [None, b"\n", b"\n\n"])
def test_between_two_events_the_error_can_be_said_as_it_is(end: bytes, after_broken: bytes | None) -> None:
    ear = listen()
    assert ear.closing(ERROR, after_broken) == ERROR
    ear.hear(b"data: 1" + end)
    assert ear.closing(ERROR, after_broken) == ERROR


def test_inside_of_an_event_nothing_can_be_said_where_nothing_helps() -> None:
    ear = listen()
    ear.hear(CHUNK + b'data: {"cho')
    assert ear.closing(ERROR, None) is None


@pytest.mark.parametrize(
    ("rest", "after_broken", "closing"),
    [
        (b'data: {"cho', b"\n", b"\n" + ERROR),
        (b'data: {"cho\n', b"\n", ERROR),
        (b'data: {"cho\r', b"\n", b"\n" + ERROR),
        (b'data: {"cho\r', b"\n\n", b"\n\n" + ERROR),
        (b'data: {"cho', b"\n\n", b"\n\n" + ERROR),
        (b'data: {"cho\n', b"\n\n", b"\n" + ERROR),
        (b"event: ping", b"\n", b"\n" + ERROR),
    ],
)
def test_inside_of_an_event_it_follows_the_line_ends_that_its_clients_need(
    rest: bytes, after_broken: bytes, closing: bytes
) -> None:
    ear = listen()
    ear.hear(CHUNK + rest)
    assert ear.closing(ERROR, after_broken) == closing


@pytest.mark.parametrize(("kind", "coding"), [("application/json", ""), (SSE, "br"), (SSE, "nonsense")])
def test_where_no_event_can_be_heard_none_can_be_said(kind: str, coding: str) -> None:
    ear = listen(kind, coding)
    ear.hear(b"data: 1\n\n")
    assert ear.closing(ERROR, b"\n") is None


@few
@given(st.integers(0, len(STREAM)), st.sampled_from(list(CODECS)))
def test_wherever_a_stream_is_cut_its_events_so_far_stay_what_they_were(cut: int, spoken: Format) -> None:
    """What a client reads of the stream and the closing begins with what it has read already."""
    from lynkr.framing.sse import Blocks

    ear = listen()
    ear.hear(STREAM[:cut])
    closing = ear.closing(ERROR, CODECS[spoken].AFTER_BROKEN) or b""
    before, after = Blocks(), Blocks()
    so_far, with_error = before.feed(STREAM[:cut]), after.feed(STREAM[:cut] + closing)
    assert with_error[: len(so_far)] == so_far
    assert not closing or with_error[-1].endswith(ERROR.strip())
