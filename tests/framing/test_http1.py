"""HTTP/1.1 is read the same however it is cut, the same as h11 reads it, and never so that two could read it apart."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.framing.http1 import (
    LAST_CHUNK,
    MAX_HEAD,
    Body,
    Chunked,
    Headers,
    MalformedHTTP,
    Sized,
    Unsized,
    chunk,
    head_end,
    read_request,
    read_response,
    request_body,
    request_form,
    response_body,
    write_request,
    write_response,
)

few = settings(max_examples=200, deadline=None)

CUTS = st.lists(st.integers(0, 2000), max_size=8)
EXTENSIONS = st.sampled_from([b"", b" ", b";a", b";a=b", b';a="b c" ', b";x;y\t"])
TRAILERS = st.lists(st.sampled_from([b"X: y\r\n", b"Content-Length: 5\r\n", b"a:\r\n"]), max_size=3)
# What the frames of chunks are made of, so that much of what is drawn is nearly right.
CHUNKISH = st.lists(
    st.sampled_from(
        [
            b"0",
            b"1",
            b"5",
            b"a",
            b"\r\n",
            b"\r",
            b"\n",
            b" ",
            b";x",
            b"+",
            b"-",
            b"_",
            b"x",
            b"1\r\na\r\n",
            b"0\r\n",
            b"\0",
        ]
    ),
    max_size=12,
).map(b"".join)


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges) if end > start]


def singly(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def fed(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """A body's own bytes, those that came after it, and whether it has ended."""
    own, rest = b"", b""
    for piece in pieces:
        if body.done:
            rest += piece
            continue
        own += body.feed(piece)
        if body.done:
            rest += body.rest
    return own, rest, body.done


def outcome(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes, bool] | None:
    """What `fed` says; None for what is refused."""
    try:
        return fed(body, pieces)
    except MalformedHTTP:
        return None


def requested(stream: bytes) -> tuple[bytes, bytes, Headers, bytes, bytes, bool] | None:
    """Method, target, headers, body, what came after it, and whether it has ended, as we read them."""
    try:
        if (end := head_end(stream)) < 0:
            return None
        head = read_request(stream[:end])
        body = request_body(head)
        return head.method, head.target, head.headers, *fed(body, pieces_of(stream[end:], []))
    except MalformedHTTP:
        return None


def requested_of_h11(stream: bytes) -> tuple[bytes, bytes, Headers, bytes, bytes, bool] | None:
    """As `requested`, by h11."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(stream)
    return _events(connection)


def answered(stream: bytes, method: bytes = b"GET") -> tuple[int, bytes, Headers, bytes, bool] | None:
    """Status, reason, headers, body and whether the answer is whole once the connection has ended, as we read them."""
    try:
        if (end := head_end(stream)) < 0:
            return None
        head = read_response(stream[:end])
        body = response_body(head, method)
        own, _, _ = fed(body, pieces_of(stream[end:], []))
        return head.status, head.reason, head.headers, own, body.may_end()
    except MalformedHTTP:
        return None


def answered_of_h11(stream: bytes, method: bytes = b"GET") -> tuple[int, bytes, Headers, bytes, bool] | None:
    """As `answered`, by h11."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(stream)
    try:
        head = connection.next_event()
        if not isinstance(head, h11.Response):
            return None
        own, ended = b"", False
        try:
            while isinstance(event := connection.next_event(), h11.Data):
                own += bytes(event.data)
            if event is h11.NEED_DATA:  # until here nothing was wrong
                connection.receive_data(b"")
                event = connection.next_event()
            ended = isinstance(event, h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            if "peer closed connection" not in str(error) and "peer unexpectedly closed" not in str(error):
                return None
        return head.status_code, head.reason, list(head.headers.raw_items()), own, ended
    except h11.RemoteProtocolError:
        return None


def _events(connection: h11.Connection) -> tuple[bytes, bytes, Headers, bytes, bytes, bool] | None:
    try:
        head = connection.next_event()
        if not isinstance(head, h11.Request):
            return None
        own = b""
        while isinstance(event := connection.next_event(), h11.Data):
            own += bytes(event.data)
    except h11.RemoteProtocolError:
        return None
    rest, _ = connection.trailing_data
    ended = isinstance(event, h11.EndOfMessage)
    return head.method, head.target, list(head.headers.raw_items()), own, rest if ended else b"", ended


# --- Bodies, however they are cut -----------------------------------------------------------------------------------


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A body in chunks as others write them, and what it holds."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    stream = b""
    for part in parts:
        size = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(part)
        stream += size + draw(EXTENSIONS) + b"\r\n" + part + b"\r\n"
    end = draw(st.sampled_from([b"0", b"000"])) + draw(EXTENSIONS) + b"\r\n" + b"".join(draw(TRAILERS)) + b"\r\n"
    return stream + end, b"".join(parts)


@few
@given(chunked(), st.binary(max_size=30), CUTS)
def test_chunks_say_the_same_however_they_are_cut(stream: tuple[bytes, bytes], rest: bytes, cuts: list[int]) -> None:
    written, held = stream
    assert fed(Chunked(), pieces_of(written + rest, cuts)) == (held, rest, True)
    assert fed(Chunked(), singly(written + rest)) == (held, rest, True)


@pytest.mark.parametrize("size", [b"5 ;a", b"5\t;a=b", b'5 ; a="b c" ', b"5;", b"0005", b"5 \t"])
def test_what_is_said_beside_the_size_of_a_chunk_is_nothing(size: bytes) -> None:
    assert outcome(Chunked(), [size + b"\r\nhello\r\n0\r\n\r\n"]) == (b"hello", b"", True)


@few
@given(CHUNKISH, CUTS)
def test_what_may_be_no_chunks_is_judged_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    expected = outcome(Chunked(), [stream] if stream else [])
    assert outcome(Chunked(), pieces_of(stream, cuts)) == expected
    assert outcome(Chunked(), singly(stream)) == expected


# As servers send events, and nearly so: a length that is not the one, another end, nothing, an end within.
PIECES = st.builds(
    lambda off, ext, part, end: b"%x%b\r\n%b%b" % (max(0, len(part) + off), ext, part, end),
    st.sampled_from([0, 0, 0, -1, 1, 2]),
    st.sampled_from([b"", b"", b"", b";a", b" ", b"\n"]),
    st.binary(max_size=20) | st.sampled_from([b"a\r\n", b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n"]),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n\r", b"", b"\r", b"\r\n0\r\n\r\n"]),
)


@few
@given(st.lists(PIECES, min_size=1, max_size=5))
def test_chunks_that_come_one_at_a_time_are_read_as_all_at_once(pieces: list[bytes]) -> None:
    assert outcome(Chunked(), [piece for piece in pieces if piece]) == outcome(Chunked(), [b"".join(pieces)])


def test_what_looks_like_a_chunk_within_another_is_none() -> None:
    for pieces in ([b"1", b"3\r\nabc\r\n", b"0123456789abcd\r\n"], [b"13\r\n", b"3\r\nabc\r\n", b"0123456789a\r\n"]):
        own = b"".join(pieces)[4:-2]
        assert len(own) == 0x13
        assert fed(Chunked(), [*pieces, b"0\r\n\r\n"]) == (own, b"", True)


@few
@given(st.binary(max_size=60), st.binary(max_size=30), CUTS)
def test_a_body_of_a_known_length_ends_there_however_it_is_cut(own: bytes, rest: bytes, cuts: list[int]) -> None:
    for pieces in (pieces_of(own + rest, cuts), singly(own + rest)):
        body = Sized(len(own))
        assert fed(body, pieces) == (own, rest, True)
        assert body.may_end()


@few
@given(st.binary(min_size=1, max_size=60), st.integers(1, 60), CUTS)
def test_a_body_that_is_too_short_may_not_end(own: bytes, missing: int, cuts: list[int]) -> None:
    body = Sized(len(own) + missing)
    assert fed(body, pieces_of(own, cuts)) == (own, b"", False)
    assert not body.may_end()


@few
@given(st.binary(max_size=60), CUTS)
def test_a_body_without_a_length_ends_with_its_connection(own: bytes, cuts: list[int]) -> None:
    body = Unsized()
    assert fed(body, pieces_of(own, cuts)) == (own, b"", False)
    assert body.may_end()


@few
@given(st.lists(st.binary(max_size=40), max_size=5), CUTS)
def test_chunks_that_we_write_are_read_back(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(chunk, parts)) + LAST_CHUNK
    assert fed(Chunked(), pieces_of(stream, cuts)) == (b"".join(parts), b"", True)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    of_h11 = requested_of_h11(head + stream)
    assert of_h11 is not None
    assert of_h11[3:] == (b"".join(parts), b"", True)


@pytest.mark.parametrize("size", [5000, MAX_HEAD])
def test_a_chunk_line_that_is_too_long_is_refused_however_it_is_cut(size: int) -> None:
    stream = b"1;" + b"x" * size + b"\r\na\r\n0\r\n\r\n"
    whole = outcome(Chunked(), [stream])
    assert outcome(Chunked(), pieces_of(stream, [4500])) == whole


# --- What h11 reads, too --------------------------------------------------------------------------------------------

NAMES = st.sampled_from([b"X-A", b"accept", b"x!#$%&'*+-.^_`|~9", b"COOKIE", b"anthropic-VERSION"])
VALUES = st.sampled_from([b"", b"a", b"a b", b"a\tb", b'"q, \\" x"', b"\xe9\xff", b"a:b", b", ,", b"x=1; y=2"])
BLANKS = st.sampled_from([b"", b" ", b"\t", b"  \t"])
LINE_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\n"])


@st.composite
def fields(draw: st.DrawFn) -> bytes:
    """Header lines as RFC 9112 has them, blanks around their values, some of them ended by a line feed alone."""
    lines = b""
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=5)):
        lines += name + b":" + draw(BLANKS) + value + draw(BLANKS) + draw(LINE_ENDS)
    return lines


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Requests that are right, with something behind some of them."""
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"X-ODD!", b"head"]))
    target = draw(st.sampled_from([b"/", b"/a?b=c%20d", b"*", b"http://x/y", b'/[]{}|\\^`"<>', b"/#frag", b"x:80"]))
    minor = draw(st.sampled_from([b"1", b"1", b"0"]))
    head = method + b" " + target + b" HTTP/1." + minor + b"\r\n" + draw(fields()) + b"hOST: x" + draw(LINE_ENDS)
    head += draw(fields())
    match draw(st.sampled_from(["none", "sized", "chunked"])):
        case "sized":
            body = draw(st.binary(max_size=30))
            head += draw(st.sampled_from([b"Content-Length: %d\r\n", b"content-length:%d \r\n"])) % len(body)
        case "chunked" if minor == b"1":
            body = draw(chunked())[0]
            head += draw(st.sampled_from([b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:chunked\t\r\n"]))
        case _:
            body = b""
    return head + draw(LINE_ENDS) + body + draw(st.sampled_from([b"", b"", b"GET / HTTP/1.1\r\n\r\n"]))


@few
@given(requests())
def test_requests_are_read_as_h11_reads_them(stream: bytes) -> None:
    expected = requested_of_h11(stream)
    assert expected is not None
    assert requested(stream) == expected


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Answers that are right, some of them cut off, and the methods that they answer."""
    status = draw(st.sampled_from([b"200 OK", b"204 ", b"304 Not Modified", b"404 N\xe9t F", b"599 x", b"200"]))
    head = b"HTTP/1." + draw(st.sampled_from([b"0", b"1"])) + b" " + status + draw(LINE_ENDS) + draw(fields())
    match draw(st.sampled_from(["until the end", "sized", "chunked"])):
        case "sized":
            body = draw(st.binary(max_size=30))
            head += b"Content-Length: %d\r\n" % len(body)
        case "chunked" if head.startswith(b"HTTP/1.1"):
            body = draw(chunked())[0]
            head += b"Transfer-Encoding: chunked\r\n"
        case _:
            body = draw(st.binary(max_size=30))
    method = draw(st.sampled_from([b"GET", b"GET", b"HEAD"]))
    if method == b"HEAD" or status[:3] in (b"204", b"304"):
        body = b""
    cut = draw(st.one_of(st.just(len(body)), st.integers(0, len(body))))
    return head + draw(LINE_ENDS) + body[:cut], method


@few
@given(answers())
def test_answers_are_read_as_h11_reads_them(said: tuple[bytes, bytes]) -> None:
    stream, method = said
    expected = answered_of_h11(stream, method)
    assert expected is not None
    assert answered(stream, method) == expected


def test_lines_that_go_on_are_one_line_as_h11_has_it() -> None:
    stream = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n b\r\n\tc\r\nX-B: d\r\n\r\n"
    found = requested(stream)
    assert found is not None
    assert found == requested_of_h11(stream)
    assert found[2] == [(b"Host", b"x"), (b"X-A", b"a b c"), (b"X-B", b"d")]


# What a request is made of, and what would make two readers see two different ones.
SUSPECT = [
    b"Content-Length: 5", b"Content-Length: 6", b"Content-Length:5 ", b"content-length: +5", b"Content-Length: 5, 6",
    b"Content-Length: 5, 5", b"Content-Length: 0x5", b"Content-Length: 5_0", b"Content-Length: -5", b"Content-Length:",
    b"Content-Length: \xb2", b"Content-Length : 5", b"Content-Length\t: 5", b" Content-Length: 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding:", b"Transfer-Encoding: chunked\0", b"Transfer-Encoding:\r\n chunked",
    b'Transfer-Encoding: "chunked"', b"Transfer_Encoding: chunked", b"X: a\rTransfer-Encoding: chunked", b"X: y\0z",
    b"X: a\r\n\tb", b": empty", b"no colon", b"X Y: z", b"X(): z", b"X\xe9: z", b"X: ok",
]  # fmt: skip
LINES = [b"POST / HTTP/1.1", b"POST / HTTP/1.0", b"POST /  HTTP/1.1", b"POST  / HTTP/1.1", b"POST / HTTP/1.1 ", b" POST / HTTP/1.1",
         b"POST\t/ HTTP/1.1", b"POST / HTTP/2.0", b"POST / HTTP/1.10", b"POST / http/1.1", b"POST /", b"POST /\0 HTTP/1.1",
         b"PO(ST / HTTP/1.1", b"POST /\xe9 HTTP/1.1", b"POST / HTTP/1.1\r"]  # fmt: skip
BODIES = [b"", b"hello", b"hello!", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
          b"5\nhello\n0\n\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
          b"-0\r\n\r\n", b"0_5\r\nhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n", b"5;a\nb\r\nhello\r\n0\r\n\r\n",
          b"\xb2\r\nhe\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\nhello"]  # fmt: skip


def told(found: tuple[bytes, bytes, Headers, bytes, bytes, bool]) -> tuple[object, ...]:
    """What `requested` says, with a length that is said twice said once, and a coding in lower case, as h11 does."""
    headers = found[2]
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    kept = [(name, value.lower() if name.lower() == b"transfer-encoding" else value) for name, value in kept]
    lengths = [(b"content-length", b"5") for name, _ in headers if name.lower() == b"content-length"]
    return *found[:2], kept + lengths[:1], *found[3:]


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(LINES), st.lists(st.sampled_from(SUSPECT), max_size=3), st.sampled_from(BODIES))
def test_whatever_is_accepted_h11_accepts_and_reads_the_same(line: bytes, suspect: list[bytes], body: bytes) -> None:
    stream = b"\r\n".join([line, b"Host: x", *suspect]) + b"\r\n\r\n" + body
    found = requested(stream)
    expected = requested_of_h11(stream)
    assert found is None or told(found) == (expected and told(expected))


def refused(head: str | bytes, body: bytes = b"") -> bool:
    """Whether a request with these header lines, or a whole one, is refused."""
    stream = (
        head if isinstance(head, bytes) else f"POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode("latin-1") + body
    )
    assert head_end(stream) > 0
    return requested(stream) is None


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 05",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5, 6",
        "Content-Length: 5,",
        "Content-Length: 0x5",
        "Content-Length: 5_0",
        "Content-Length: 5 5",
        "Content-Length: 5;",
        "Content-Length: \xb2",
        "Content-Length: 99999999999999999999999999",
        "Content-Length:",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        'Transfer-Encoding: "chunked"',
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: ,chunked",
        "X: a\0b",
        "X: a\rb",
        "X: a\r\r\n",
        "X: a\rTransfer-Encoding: chunked",
        ": x",
        "no colon",
        "X Y: z",
        "X\0: z",
        "X(: z",
        "X\xe9: z",
    ],
)
def test_no_request_can_be_read_in_two_ways(lines: str) -> None:
    assert refused(lines, b"5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("blank", ["\x0b", "\x0c", "\x1c", "\x85", "\xa0"])
@pytest.mark.parametrize(
    "line", ["Transfer-Encoding: {}chunked", "Transfer-Encoding: chunked{}", "Content-Length: {}5"]
)
def test_only_space_and_tab_are_blanks(line: str, blank: str) -> None:
    """Everything else that some take for white space must not make a length or a coding of a value that is none."""
    assert refused(line.format(blank), b"5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"POST / HTTP/1.2\r\n\r\n",
        b"POST / HTTP/1.11\r\n\r\n",
        b"POST / HTTP/11\r\n\r\n",
        b"POST /\r\n\r\n",
        b"POST / \r\n\r\n",
        b"POST  / HTTP/1.1\r\n\r\n",
        b"POST /  HTTP/1.1\r\n\r\n",
        b"POST / x HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1 \r\n\r\n",
        b" POST / HTTP/1.1\r\n\r\n",
        b"POST\t/\tHTTP/1.1\r\n\r\n",
        b"POST /\x7f HTTP/1.1\r\n\r\n",
        b"POST /\0 HTTP/1.1\r\n\r\n",
        b"POST /\xc3\xa9 HTTP/1.1\r\n\r\n",
        b"P\xc3\xa9 / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\rX: y\r\n\r\n",
        b"POST / HTTP/1.1\r\r\n\r\n",
        b"POST / HTTP/1.1\r\n X: y\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\n\r\n",
        b"\n\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    assert refused(head)


@pytest.mark.parametrize(
    "body",
    [b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
     b"0_5\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b";x\r\nhello\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n",
     b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5;\nx\r\nhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n",
     b"5 5\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n", b"\xb2\r\nhe\r\n0\r\n\r\n", b"5,\r\nhello\r\n0\r\n\r\n",
     b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n"],
)  # fmt: skip
@pytest.mark.parametrize("cut", [pytest.param(singly, id="singly"), pytest.param(lambda stream: [stream], id="whole")])
def test_chunks_that_can_be_read_in_two_ways_are_refused(body: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    assert outcome(Chunked(), cut(body)) is None


def test_a_line_feed_alone_hides_nothing_in_the_trailers() -> None:
    """As in a head, it ends the line, or it is refused: whoever lets it end the line sees a second request here."""
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    assert outcome(Chunked(), [b"0\r\nX: y\n\r\n" + hidden]) in (None, (b"", hidden, True))


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Content-Length: x", 400),
    ],
)
def test_what_is_refused_has_the_status_that_rfc_9112_says(lines: str, status: int) -> None:
    with pytest.raises(MalformedHTTP) as refusal:
        request_body(read_request(f"POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n".encode()))
    assert refusal.value.status == status


@pytest.mark.parametrize("padding", [b"x", b"\n", b"\r\na:", b"a: b\r\n"])
def test_a_head_that_does_not_end_is_431(padding: bytes) -> None:
    stream = b"GET / HTTP/1.1\r\nX: " + padding.replace(b"\n", b"\ny") * MAX_HEAD
    with pytest.raises(MalformedHTTP) as refusal:
        head_end(stream[: MAX_HEAD + 1])
    assert refusal.value.status == 431
    with pytest.raises(MalformedHTTP):
        head_end(stream + b"\r\n\r\n")


@few
@given(requests(), CUTS)
def test_the_end_of_a_head_is_found_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    expected = head_end(stream)
    buffer, seek = bytearray(), 0
    for piece in pieces_of(stream, cuts):
        buffer += piece
        if (end := head_end(buffer, seek)) >= 0:
            assert end == expected
            return
        seek = len(buffer)
    raise AssertionError("no end")


def test_answers_with_two_ways_to_say_their_length_are_chunks_or_refused() -> None:
    both = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    found = answered(both)
    assert found is not None
    assert found[3:] == (b"hello", True)
    for lengths in ("5, 6", "+5", "0x5", "-1", "5\r\nContent-Length: 6"):
        assert answered(f"HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nhello".encode()) is None
    for codings in ("gzip", "gzip, chunked", "chunked, chunked", "identity"):
        assert answered(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\nhello".encode()) is None


# --- What we write --------------------------------------------------------------------------------------------------

# Each of them would be another line, or another word of the first line, where it is let through.
HOSTILE = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"X: y",
    b"\r\n\r\n",
    b"\n X: y",
    b"HTTP/1.1",
    b"a",
    b"/",
    b"\xe9",
    b"\x0b",
]
TEXTS = st.lists(st.sampled_from(HOSTILE), max_size=4).map(b"".join)
HOSTILE_NAMES = st.one_of(NAMES, TEXTS.filter(lambda text: b":" not in text))


@settings(max_examples=1000, deadline=None)
@given(TEXTS, TEXTS, st.lists(st.tuples(HOSTILE_NAMES, TEXTS), max_size=3))
def test_nothing_that_is_sent_says_more_than_itself(method: bytes, target: bytes, headers: Headers) -> None:
    for words in ((method, target), (b"GET", target), (b"GET", b"/")):
        try:
            written = write_request(*words, headers)
        except MalformedHTTP:
            continue
        assert head_end(written) == len(written)
        head = read_request(written)
        assert (head.method, head.target) == words
        assert head.headers == [(name, value.strip(b" \t")) for name, value in headers]


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2000), TEXTS, st.lists(st.tuples(HOSTILE_NAMES, TEXTS), max_size=3))
def test_nothing_that_is_answered_says_more_than_itself(status: int, reason: bytes, headers: Headers) -> None:
    for said in ((status, reason), (200, reason), (200, b"")):
        try:
            written = write_response(*said, headers)
        except MalformedHTTP:
            continue
        assert head_end(written) == len(written)
        head = read_response(written)
        assert (head.status, head.reason) == said
        assert head.headers == [(name, value.strip(b" \t")) for name, value in headers]


@few
@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), st.sampled_from([b"/", b"/a?b=%20", b"*"]))
def test_what_we_write_h11_reads_back(headers: Headers, target: bytes) -> None:
    headers = [(b"Host", b"x"), *headers]
    asked = requested_of_h11(write_request(b"GET", target, headers))
    said = answered_of_h11(write_response(200, b"All Right", [*headers, (b"Content-Length", b"0")]))
    assert asked is not None
    assert said is not None
    assert asked[:3] == (b"GET", target, headers)
    assert said == (200, b"All Right", [*headers, (b"Content-Length", b"0")], b"", True)


@pytest.mark.parametrize("field", [(b"X", b"a\r\nY: b"), (b"X", b"a\nY: b"), (b"X", b"a\r"), (b"X\r\nY", b"a"), (b"", b"a"),
                                   (b"X ", b"a"), (b"X", b"\0"), (b"X", b"a\r\n\r\nGET / HTTP/1.1")])  # fmt: skip
def test_a_header_that_is_more_than_one_is_not_sent(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(MalformedHTTP):
        write_request(b"GET", b"/", [(b"Host", b"x"), field])
    with pytest.raises(MalformedHTTP):
        write_response(200, b"", [field, (b"X", b"y")])


def test_a_name_with_a_colon_is_not_sent() -> None:
    with pytest.raises(MalformedHTTP):
        write_request(b"GET", b"/", [(b"X: y", b"z")])


FEW_NAMES = st.sampled_from([b"X-A", b"x-b", b"Accept", b"Via"])
FEW_VALUES = st.sampled_from([b"", b"1", b"a: b", b"{}", b"\xff", b"x" * 99])


@few
@given(
    st.lists(st.tuples(FEW_NAMES, FEW_VALUES), max_size=4, unique_by=lambda field: field[0]),
    st.dictionaries(FEW_NAMES, FEW_VALUES),
    st.integers(0, 10**9),
)
def test_a_form_that_is_filled_is_the_head_that_would_be_written(
    headers: Headers, others: dict[bytes, bytes], length: int
) -> None:
    free = {name.lower() for name in others}
    form = request_form(b"POST", b"/x?y", [(b"Host", b"h"), *headers], free)
    now = [(name, others.get(name, value)) for name, value in headers]
    values = {name.lower(): value for name, value in now}
    written = write_request(b"POST", b"/x?y", [(b"Host", b"h"), *now, (b"Content-Length", b"%d" % length)])
    assert form.filled(values, length) == written


def test_a_form_of_what_cannot_be_sent_is_not_made() -> None:
    with pytest.raises(MalformedHTTP):
        request_form(b"POST", b"/", [(b"X-A", b"1\r\nX-B: 2")], {b"x-a"})


# --- No work that grows faster than what comes ------------------------------------------------------------------------


def growth(work: Callable[[bytes], object], make: Callable[[int], bytes], size: int) -> float:
    """How many times longer four times as much takes: 4 where the work grows with it, 16 where with its square."""

    def best(data: bytes) -> float:
        times = []
        for _ in range(3):
            began = time.thread_time()
            work(data)
            times.append(time.thread_time() - began)
        return max(min(times), 1e-6)

    return min(best(make(4 * size)) / best(make(size)) for _ in range(2))


def tried(work: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def trying(data: bytes) -> None:
        with contextlib.suppress(MalformedHTTP):
            work(data)

    return trying


FILLINGS = [
    b"\r",
    b"\n",
    b"\t",
    b" ",
    b"a",
    b":",
    b"a:",
    b"\r\n ",
    b"\n\t",
    b"a:\r",
    b"\n\r",
    b"a:b\r\n",
    b"a:b\r\n \r\n",
    b"a:b\n c\n",
    b"\0",
]


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"", b"GET /"])
def test_hostile_requests_take_no_more_than_their_share(filling: bytes, first: bytes) -> None:
    def make(size: int) -> bytes:
        return first + filling * (size // len(filling)) + b"\r\n\r\n"

    # The lists that headers become grow a little faster than they do.
    assert growth(tried(lambda data: (head_end(data), read_request(data))), make, MAX_HEAD // 5) < 10


@pytest.mark.parametrize("filling", [b"1\r\na\r\n", b"1;x\r\na\r\n", b"\r", b"\n", b"0", b";", b"5 "])
def test_hostile_chunks_take_no_more_than_their_share(filling: bytes) -> None:
    def bit_by_bit(data: bytes) -> None:
        body = Chunked()
        for start in range(0, len(data), 3):
            body.feed(data[start : start + 3])

    assert growth(tried(bit_by_bit), lambda size: filling * (size // len(filling)), 16_000) < 10


def test_a_head_that_drips_takes_no_more_than_its_share() -> None:
    def drip(data: bytes) -> None:
        buffer = bytearray()
        for at in range(len(data)):
            seek = len(buffer)
            buffer += data[at : at + 1]
            head_end(buffer, seek)

    assert growth(drip, lambda size: b"GET / HTTP/1.1\r\nX: " + b"x" * size, 8000) < 10


def test_trailers_that_drip_take_no_more_than_their_share() -> None:
    def drip(data: bytes) -> None:
        body = Chunked()
        for at in range(len(data)):
            body.feed(data[at : at + 1])

    assert growth(drip, lambda size: b"0\r\n" + b"x" * size, 12_000) < 7
