"""The connections on both sides: kept, shared in order, waited for and given up as HTTP/1.1 says, whatever comes."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import trustme
from proxied import SECRET, Answer, Proxy, anthropic_lane, ask, connect, proxy, read, request
from scripts import END, STREAM_HEAD, Asked, Cut, Hang, Pause, Step, chunk, head, upstream, whole

BODY = b'{"model":"claude-opus-5-5","messages":[]}'
# So much goes into a test that must not fit into what sockets hold by themselves.
LARGE = 50 * 1024 * 1024
MIB = 1024 * 1024


@dataclass
class Unbroken:
    """A connection whose answers are read one after the other, also where several come at once."""

    reader: Any

    @contextlib.contextmanager
    def makefile(self, _mode: str) -> Iterator[Any]:
        """What `read` asks a socket for."""
        yield self.reader


@contextlib.contextmanager
def in_turn(connection: socket.socket) -> Iterator[Any]:
    with connection.makefile("rb") as reader:
        yield Unbroken(reader)


@contextlib.contextmanager
def listening(
    serve: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None, buffer: int | None = None
) -> Iterator[str]:
    """A server that does with each connection what `serve` does, then closes it; its URL. What it receives may have to
    fit into `buffer`."""
    listener = socket.socket()
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if tls is None:
                serve(connection)
                return
            with tls.wrap_socket(connection, server_side=True) as wrapped:
                serve(wrapped)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def heard(connection: socket.socket) -> bytes:
    """Reads a request's head, and what came with it."""
    got = b""
    while b"\r\n\r\n" not in got and (data := connection.recv(65536)):
        got += data
    return got


def until(done: Callable[[], object], within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(done())


def echo(asked: Asked) -> list[Step]:
    return whole(asked.body)


def error_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["message"])


def raw(lynkr: Proxy, lines: Iterable[str], version: str = "1.1", method: str = "POST") -> bytes:
    """A request with exactly these headers beside its Host."""
    first = f"{method} /{SECRET}/v1/messages HTTP/{version}"
    return "\r\n".join([first, f"Host: 127.0.0.1:{lynkr.port}", *lines, "", ""]).encode()


@contextlib.contextmanager
def certified(name: str = "127.0.0.1", newest: ssl.TLSVersion | None = None) -> Iterator[tuple[ssl.SSLContext, str]]:
    """TLS for a server of that name, and where its authority's certificate is."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if newest is not None:
        context.maximum_version = newest
    with authority.cert_pem.tempfile() as path:
        yield context, path


# --- Kept, and shared in order --------------------------------------------------------------------------------------


def test_both_sides_keep_their_connections() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        for number in range(5):
            body = b'{"n":%d}' % number
            connection.sendall(request(lynkr.port, "/v1/messages", body))
            assert read(connection).body == body
        assert (len(up.asked), up.connections) == (5, 1)


def test_a_connection_upstream_serves_one_client_after_the_other() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        assert [ask(lynkr.port, "/v1/messages", BODY).status for _ in range(3)] == [200] * 3
        assert up.connections == 1


def test_answers_to_requests_that_come_at_once_come_in_their_order() -> None:
    bodies = [b'{"n":%d}' % number for number in range(10)]
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(b"".join(request(lynkr.port, "/v1/messages", body) for body in bodies))
        with in_turn(connection) as reader:
            assert [read(reader).body for _ in bodies] == bodies
            assert [asked.body for asked in up.asked] == bodies


def test_more_requests_at_once_than_are_read_ahead_are_all_answered() -> None:
    bodies = [b'{"n":"' + b"%d" % number * 3000 + b'"}' for number in range(100)]
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        sent = b"".join(request(lynkr.port, "/v1/messages", body) for body in bodies)
        thread = threading.Thread(target=connection.sendall, args=(sent,))
        thread.start()
        with in_turn(connection) as reader:
            assert [read(reader).body for _ in bodies] == bodies
            thread.join()


def test_different_kinds_of_bodies_follow_each_other() -> None:
    """In one go: in chunks with trailers, of a length, with none."""
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        chunks = raw(lynkr, ["Transfer-Encoding: chunked"]) + b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n"
        none = request(lynkr.port, "/v1/models", method="GET")
        connection.sendall(chunks + request(lynkr.port, "/v1/messages", BODY) + none + chunks)
        with in_turn(connection) as reader:
            assert [read(reader).body for _ in range(4)] == [b"{}", BODY, b"", b"{}"]
            assert up.asked[0].header("content-length") == "2"
            assert up.asked[0].header("x") is None


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_may_come_byte_by_byte(chunked: bool) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        sent = request(lynkr.port, "/v1/messages", BODY)
        if chunked:
            sent = raw(lynkr, ["Transfer-Encoding: chunked"]) + chunk(BODY[:9]) + chunk(BODY[9:]) + END
        for byte in sent * 2:
            connection.sendall(bytes([byte]))
        with in_turn(connection) as reader:
            assert [read(reader).body for _ in range(2)] == [BODY, BODY]


def test_a_body_in_chunks_that_are_none_is_refused_and_ends_the_connection() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        hidden = request(lynkr.port, "/v1/messages", b'{"hidden":1}')
        connection.sendall(raw(lynkr, ["Transfer-Encoding: chunked"]) + b"2\r\n{}x\r\n0\r\n\r\n" + hidden)
        with in_turn(connection) as reader:
            answer = read(reader)
            assert answer.status == 400
            assert reader.reader.read() == b""
            assert not up.asked


def test_a_body_in_chunks_that_are_none_keeps_nobody_from_hearing_that_we_are_here() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        sent = raw(lynkr, ["Transfer-Encoding: chunked"]).replace(b"/v1/messages", b"/health/live")
        connection.sendall(sent + b"none\r\n")
        answer = read(connection)
        assert (answer.status, answer.header("connection"), answer.ended) == (200, "close", True)
        assert not up.asked


@pytest.mark.parametrize("lines", [[f"Content-Length: {65 * MIB}"], ["Transfer-Encoding: chunked"]])
def test_a_refusal_that_ends_the_connection_says_so(lines: list[str]) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(raw(lynkr, lines) + b"x\r\n")
        with in_turn(connection) as reader:
            answer = read(reader)
            assert reader.reader.read() == b""
        assert answer.header("connection") == "close"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (["Content-Length: 5", "Content-Length: 6"], 400),
        (["Content-Length: +5"], 400),
        (["Content-Length : 5"], 400),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["X: a\rb"], 400),
        (["X: a\0b"], 400),
    ],
)
def test_a_request_that_hides_another_reaches_nobody(lines: list[str], status: int) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        hidden = request(lynkr.port, "/v1/messages", b'{"hidden":1}')
        connection.sendall(raw(lynkr, lines) + b"0\r\n\r\n" + hidden)
        with in_turn(connection) as reader:
            answer = read(reader)
            assert (answer.status, answer.header("connection")) == (status, "close")
            assert reader.reader.read() == b""
            assert not up.asked


@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_an_empty_line_before_a_request_is_nothing(pause: float) -> None:
    """RFC 9112, section 2.2: some clients send one after a body."""
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/v1/messages", BODY) + b"\r\n")
        with in_turn(connection) as reader:
            assert read(reader).body == BODY
            time.sleep(pause)
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            assert reader.reader.readline().startswith(b"HTTP/1.1 200")


# --- What clients may ask for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_asked_for_once(chunked: bool) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY)}"
        connection.sendall(raw(lynkr, ["Expect: 100-Continue", length]))
        with connection.makefile("rb") as got:
            assert got.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert got.readline() == b"\r\n"
            connection.sendall(chunk(BODY) + END if chunked else BODY)
            assert got.readline().startswith(b"HTTP/1.1 200")


def test_a_body_that_is_there_is_not_asked_for() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        assert ask(lynkr.port, "/v1/messages", BODY, ["Expect: 100-continue"]).status == 200
        assert up.asked[0].body == BODY


def test_a_body_that_is_too_large_is_not_asked_for() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(raw(lynkr, ["Expect: 100-continue", f"Content-Length: {65 * MIB}"]))
        assert read(connection).status == 413
        assert not up.asked


def test_a_client_of_http_1_0_hears_no_100() -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(raw(lynkr, ["Expect: 100-continue", f"Content-Length: {len(BODY)}"], "1.0"))
        time.sleep(0.1)
        connection.sendall(BODY)
        assert read(connection).status == 200


def test_a_client_of_http_1_0_gets_an_answer_that_ends_with_its_connection() -> None:
    steps: list[Step] = [STREAM_HEAD, chunk(b"event: ping\ndata: {}\n\n"), chunk(b"x"), END]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(raw(lynkr, [f"Content-Length: {len(BODY)}", "Connection: keep-alive"], "1.0") + BODY)
        with connection.makefile("rb") as reader:
            top, _, body = reader.read().partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in top.lower()
        assert b"Connection: close" in top
        assert body == b"event: ping\ndata: {}\n\nx"


def test_a_client_of_http_1_0_does_not_take_half_of_an_answer_for_all_of_it() -> None:
    """Only a reset can tell it."""
    whole_head = head(200, "Content-Type: application/json", "Transfer-Encoding: chunked")
    steps: list[Step] = [whole_head + chunk(b'{"a":'), Pause(0.1), Cut()]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(raw(lynkr, [f"Content-Length: {len(BODY)}"], "1.0") + BODY)
        with pytest.raises(ConnectionResetError), connection.makefile("rb") as reader:
            reader.read()


def test_an_empty_body_in_chunks_is_an_empty_body() -> None:
    """RFC 9110, section 8.6: some servers want a length with every POST, and say 411."""
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(raw(lynkr, ["Transfer-Encoding: chunked"]) + END)
        assert read(connection).status == 200
        assert up.asked[0].header("content-length") == "0"


def test_a_client_that_closes_is_told_so_and_hears_all_of_its_answer() -> None:
    with upstream(lambda _: whole(b"x" * MIB)) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY, ["Connection: Close"]))
            with in_turn(connection) as reader:
                answer = read(reader)
                assert (len(answer.body), answer.header("connection")) == (MIB, "close")
                assert reader.reader.read() == b""
        assert ask(lynkr.port, "/v1/messages", BODY).status == 200
        assert up.connections == 1


@pytest.mark.parametrize(
    ("method", "status", "said"),
    [
        ("HEAD", 200, ["Content-Length: 12"]),
        ("HEAD", 200, ["Transfer-Encoding: chunked"]),
        ("GET", 204, []),
        ("GET", 304, ["ETag: x"]),
    ],
)
def test_answers_without_a_body_leave_the_connection_to_the_next(method: str, status: int, said: list[str]) -> None:
    def script(asked: Asked) -> list[Step]:
        return echo(asked) if asked.method == "POST" else [head(status, *said)]

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/v1/models", method=method) + request(lynkr.port, "/v1/messages", BODY))
        with in_turn(connection) as reader:
            assert read(reader, head_only=True).status == status
            assert read(reader).body == BODY


# --- What servers may say -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 50]
)
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_what_comes_before_an_answer_is_not_it(interim: bytes, pause: float) -> None:
    def script(asked: Asked) -> list[Step]:
        return [interim[:-9], Pause(pause), interim[-9:], *echo(asked)]

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        for _ in range(2):
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            answer = read(connection)
            assert (answer.status, answer.body, answer.header("link")) == (200, BODY, None)
        assert up.connections == 1


def test_an_answer_may_come_byte_by_byte() -> None:
    def script(asked: Asked) -> list[Step]:
        return [bytes([byte]) for byte in head(200, "Transfer-Encoding: chunked") + chunk(asked.body) + END]

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answers = [ask(lynkr.port, "/v1/messages", BODY) for _ in range(2)]
        assert [(answer.body, answer.ended) for answer in answers] == [(BODY, True)] * 2
        assert up.connections == 1


def test_a_server_that_closes_after_its_answer_is_connected_to_anew() -> None:
    with upstream(lambda asked: whole(asked.body, 200, "Connection: close")) as up:
        with proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
            for _ in range(3):
                connection.sendall(request(lynkr.port, "/v1/messages", BODY))
                answer = read(connection)
                assert (answer.body, answer.header("connection")) == (BODY, None)
        assert up.connections == 3


@pytest.mark.parametrize("junk", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", b"\r\n"])
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_what_comes_after_an_answer_is_nobodys(junk: bytes, pause: float) -> None:
    def script(asked: Asked) -> list[Step]:
        said = echo(asked)[0]
        assert isinstance(said, bytes)
        return [said, Pause(pause), junk] if pause else [said + junk]

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        for number in range(3):
            body = b'{"n":%d}' % number
            connection.sendall(request(lynkr.port, "/v1/messages", body))
            assert read(connection).body == body
            time.sleep(pause * 2)
        assert up.connections == 3


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_closed_between_two_requests_is_not_used(reset: bool) -> None:
    served = []

    def serve(connection: socket.socket) -> None:
        served.append(heard(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with listening(serve) as url, proxy(anthropic_lane(url)) as lynkr, connect(lynkr.port) as connection:
        for _ in range(3):
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            assert read(connection).body == b"{}"
            time.sleep(0.1)
    assert len(served) == 3


@pytest.mark.parametrize("framing", [["Content-Length: 100"], ["Transfer-Encoding: chunked"]])
@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_an_answer_that_stops_in_the_middle_is_not_made_whole(framing: list[str], pause: float) -> None:
    """Also where the connection is closed as it should be, and not reset."""

    def serve(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(head(200, "Content-Type: application/json", *framing))
        connection.sendall(b'{"a":' if "Length" in framing[0] else chunk(b'{"a":') + b"5\r\nx")
        time.sleep(pause)

    with listening(serve) as url, proxy(anthropic_lane(url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert (answer.status, answer.body[:5], answer.ended, row.outcome) == (200, b'{"a":', False, "cut")


def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    def serve(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"x" * MIB)

    with listening(serve) as url, proxy(anthropic_lane(url)) as lynkr, connect(lynkr.port) as connection:
        for number in range(2):
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            answer = read(connection)
            assert (len(answer.body), answer.ended, lynkr.row(number).outcome) == (MIB, True, "ok")


def test_an_answer_without_a_length_whose_connection_is_reset_is_not_whole() -> None:
    steps: list[Step] = [head(200, "Content-Type: application/json"), b'{"a":', Pause(0.2), Cut()]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert (answer.body, answer.ended, row.outcome) == (b'{"a":', False, "cut")


@pytest.mark.parametrize("lengths", ["Content-Length: {0}, {0}", "Content-Length: {0}\r\nContent-Length: {0}"])
def test_a_length_that_is_said_twice_is_said_once(lengths: str) -> None:
    """RFC 9112, section 6.3: a list of the same length is that length; it travels on as one."""
    said = head(200, lengths.format(len(BODY))) + BODY
    with upstream(lambda _: [said]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert (answer.status, answer.body, answer.header("content-length")) == (200, BODY, str(len(BODY)))
    assert [name.lower() for name, _ in answer.headers].count("content-length") == 1
    assert row.outcome == "ok"


def test_an_error_of_ours_does_not_go_beyond_a_length_that_was_promised() -> None:
    """A stream may have a length; what follows its end would be the beginning of the next answer."""
    sent = b"event: ping\ndata: {}\n\n"
    steps: list[Step] = [
        head(200, "Content-Type: text/event-stream", f"Content-Length: {len(sent) + 10}") + sent,
        Pause(0.1),
        Cut(),
    ]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/v1/messages", BODY))
        with connection.makefile("rb") as reader:
            _, _, body = reader.read().partition(b"\r\n\r\n")
        row = lynkr.row()
    assert body[: len(sent)] == sent
    assert len(body) <= len(sent) + 10
    assert row.outcome == "cut"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_heads_may_end_their_lines_with_a_line_feed_alone(end: bytes) -> None:
    said = b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 2" + end + b"\n{}"
    with upstream(lambda _: [said]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answers = [ask(lynkr.port, "/v1/messages", BODY) for _ in range(2)]
        assert [(answer.body, answer.header("x-a")) for answer in answers] == [(b"{}", "b")] * 2
        assert up.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nX Y: z\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46\r\n\r\n",
        b"X: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_heads_that_are_none_are_a_502_and_their_connection_is_not_used_again(said: bytes) -> None:
    with upstream(lambda _: [said]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        up.script = echo
        again = ask(lynkr.port, "/v1/messages", BODY)
    assert (answer.status, again.status, again.body) == (502, 200, BODY)
    assert "not HTTP" in error_of(answer)
    assert up.connections == 2


def test_chunks_that_are_none_cut_the_answer() -> None:
    with upstream(lambda _: [STREAM_HEAD, chunk(b"data: {}\n\n"), Pause(0.05), b"-1\r\nx"]) as up:
        with proxy(anthropic_lane(up.url)) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY)
            row = lynkr.row()
    assert answer.body.startswith(b"data: {}\n\n")
    assert row.outcome == "cut"


@pytest.mark.parametrize("reads", [0, MIB])
def test_an_answer_before_the_whole_request_was_read_is_heard(reads: int) -> None:
    """The server says no, and closes while much of the body is on its way: a reset follows."""
    refusal = b'{"type":"error","error":{"type":"request_too_large","message":"too much"}}'

    def serve(connection: socket.socket) -> None:
        got = len(heard(connection))
        while got < reads:
            got += len(connection.recv(65536))
        connection.sendall(head(413, "Content-Type: application/json", f"Content-Length: {len(refusal)}") + refusal)
        time.sleep(0.1)

    with listening(serve) as url, proxy(anthropic_lane(url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", b'{"x":"' + b"x" * 20 * MIB + b'"}')
    assert (answer.status, answer.body) == (413, refusal)


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_with_half_of_a_request_on_its_way_is_not_used_again(tls: bool) -> None:
    """The server has said no, keeps the connection, and reads nothing more from it."""
    ended, served = threading.Event(), []

    def serve(connection: socket.socket) -> None:
        served.append(heard(connection))
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        ended.wait(20)

    with certified() as (context, path), listening(serve, context if tls else None, buffer=256 * 1024) as url:
        with proxy(anthropic_lane(url, timeout_s=2.0), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
            answers = [ask(lynkr.port, "/v1/messages", b'{"x":"' + b"x" * 20 * MIB + b'"}') for _ in range(2)]
        ended.set()
    assert ([answer.status for answer in answers], len(served)) == ([413, 413], 2)


def test_a_server_that_closes_instead_of_answering_again_may_be_asked_again() -> None:
    """It gave up an idle connection just when it was used."""

    def serve(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        heard(connection)

    with listening(serve) as url, proxy(anthropic_lane(url)) as lynkr:
        answers = [ask(lynkr.port, "/v1/messages", BODY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 502, 200]
    assert answers[1].header("x-should-retry") is None


# --- Back pressure --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_answer_waits_for_a_slow_reader(chunked: bool, tls: bool) -> None:
    piece = bytes(range(256)) * 4096
    sent = 0

    def script(_: Asked) -> Iterator[Step]:
        nonlocal sent
        yield head(200, "Content-Type: x/y", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {LARGE}")
        for _ in range(LARGE // len(piece)):
            yield chunk(piece) if chunked else piece
            sent += len(piece)
        if chunked:
            yield END

    with certified() as (context, path), upstream(script, tls=context if tls else None) as up:
        with proxy(anthropic_lane(up.url), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
            with connect(lynkr.port) as connection:
                connection.sendall(request(lynkr.port, "/v1/files", method="GET"))
                before = -1
                while sent != before:
                    before = sent
                    time.sleep(0.3)
                waiting = sent
                answer = read(connection)
            row = lynkr.row()
    # What the sockets of two connections hold, and no more.
    assert waiting < LARGE - 16 * MIB
    assert answer.ended
    assert answer.body == piece * (LARGE // len(piece))
    assert row.outcome == "ok"


def test_a_reader_that_goes_while_it_is_waited_for_ends_the_request_upstream() -> None:
    def script(_: Asked) -> Iterator[Step]:
        yield head(200, "Content-Type: x/y", f"Content-Length: {LARGE * 10}")
        while True:
            yield b"x" * 65536

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/files", method="GET"))
            time.sleep(0.5)
        row = lynkr.row()
        assert until(lambda: up.closed_early)
    assert row.outcome == "gone"


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_in_the_middle_ends_the_request_upstream(reset: bool) -> None:
    def script(_: Asked) -> Iterator[Step]:
        yield STREAM_HEAD
        for _ in range(1000):
            yield chunk(b"event: ping\ndata: {}\n\n")
            yield Pause(0.01)

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            assert connection.recv(1000)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        row = lynkr.row()
        assert until(lambda: up.closed_early)
        up.script = echo
        assert ask(lynkr.port, "/v1/messages", BODY).body == BODY
    assert (row.outcome, len(lynkr.rows)) == ("gone", 2)


@pytest.mark.parametrize("tls", [False, True])
def test_an_upload_may_take_longer_than_the_limit_while_it_goes_on(tls: bool) -> None:
    body = b'{"x":"' + b"x" * 20 * MIB + b'"}'
    read_bytes = 0

    def serve(connection: socket.socket) -> None:
        nonlocal read_bytes
        read_bytes = len(heard(connection).partition(b"\r\n\r\n")[2])
        began = time.monotonic()
        while read_bytes < len(body):
            read_bytes += len(connection.recv(65536))
            # It takes two seconds, at a steady pace.
            time.sleep(max(0.0, 2.0 * read_bytes / len(body) - (time.monotonic() - began)))
        connection.sendall(head(200, "Content-Length: 2") + b"{}")
        connection.recv(1)

    with certified() as (context, path), listening(serve, context if tls else None, buffer=256 * 1024) as url:
        with proxy(anthropic_lane(url, timeout_s=0.7), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", body)
    assert (answer.status, read_bytes) == (200, len(body))


def test_a_client_that_asks_far_ahead_and_goes_ends_the_request_upstream() -> None:
    with upstream(lambda _: [Hang()]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            assert until(lambda: up.asked)
            connection.sendall(request(lynkr.port, "/v1/messages", b"x" * 300_000))
        assert until(lambda: lynkr.rows, 2.0)
    assert lynkr.rows[0].outcome == "gone"


def test_an_upload_that_nobody_takes_is_a_timeout() -> None:
    going = threading.Event()
    with listening(lambda _: going.wait(20), buffer=256 * 1024) as url:
        with proxy(anthropic_lane(url, timeout_s=0.3)) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", b'{"x":"' + b"x" * 20 * MIB + b'"}')
        going.set()
    assert answer.status == 504


# --- Limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], [b"HTTP/1.1 2"], [b"HTTP/1.1 100 Continue\r\n\r\n"]])
def test_a_lane_that_stalls_before_its_head_is_a_timeout(before: list[Step]) -> None:
    with upstream(lambda _: [*before, Hang()]) as up, proxy(anthropic_lane(up.url, timeout_s=0.3)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        assert until(lambda: up.closed_early)
    assert answer.status == 504
    assert "timeout_s" in error_of(answer)


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_lane_that_stalls_in_the_middle_is_cut(framing: str) -> None:
    piece = chunk(b'{"a":') if "chunked" in framing else b'{"a":'
    steps: list[Step] = [head(200, "Content-Type: application/json", framing) + piece, Hang()]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url, timeout_s=0.3)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
        assert until(lambda: up.closed_early)
    assert (answer.body, answer.ended, row.outcome) == (b'{"a":', False, "cut")


def test_a_lane_may_be_slow_as_long_as_it_says_something_within_the_limit() -> None:
    event = b"event: ping\ndata: {}\n\n"
    trickle: list[Step] = [step for _ in range(6) for step in (Pause(0.2), chunk(event))]
    with upstream(lambda _: [STREAM_HEAD, *trickle, END]) as up:
        with proxy(anthropic_lane(up.url, timeout_s=0.8)) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY)
            row = lynkr.row()
    assert (answer.body, answer.ended, row.outcome) == (event * 6, True, "ok")


def test_a_lane_that_trickles_slower_than_its_limit_is_cut() -> None:
    event = b"event: ping\ndata: {}\n\n"
    steps: list[Step] = [STREAM_HEAD, chunk(event), Pause(1.0), chunk(event), END]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url, timeout_s=0.3)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert answer.body.startswith(event + b"event: error\n")
    assert (answer.ended, row.outcome) == (True, "cut")


def test_a_slow_reader_is_not_the_lanes_fault() -> None:
    """Its limit counts only what we wait for from it."""
    with (
        upstream(lambda _: whole(b"x" * LARGE, kind="x/y")) as up,
        proxy(anthropic_lane(up.url, timeout_s=1.0)) as lynkr,
    ):
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/files", method="GET"))
            time.sleep(2.5)
            answer = read(connection)
        row = lynkr.row()
    assert (len(answer.body), row.outcome) == (LARGE, "ok")


# --- Ways there -----------------------------------------------------------------------------------------------------


def test_a_server_over_tls_is_asked_and_its_connection_kept() -> None:
    body = b'{"x":"' + b"x" * 3 * MIB + b'"}'
    with certified() as (context, path), upstream(echo, tls=context) as up:
        with proxy(anthropic_lane(up.url), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
            answers = [ask(lynkr.port, "/v1/messages", sent) for sent in (BODY, body, BODY)]
        assert [answer.body for answer in answers] == [BODY, body, BODY]
        assert up.connections == 1


def test_a_server_that_shows_another_name_is_not_told_anything() -> None:
    with certified("other.example") as (context, path), upstream(echo, tls=context) as up:
        with proxy(anthropic_lane(up.url), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY, ["x-api-key: sk-fake"])
        assert not up.asked
    assert (answer.status, answer.header("x-should-retry")) == (502, "false")
    assert "certificate" in error_of(answer)


def test_a_server_that_closes_as_soon_as_it_is_reached_over_tls_is_a_502() -> None:
    """As gateways without a backend do; with TLS 1.2 the last of the handshake and the end can come in one piece."""

    def serve(connection: socket.socket, context: ssl.SSLContext) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            session.unwrap()
        connection.sendall(outgoing.read())

    with certified(newest=ssl.TLSVersion.TLSv1_2) as (context, path):
        with listening(lambda connection: serve(connection, context)) as url:
            lane = anthropic_lane(url.replace("http:", "https:"))
            with proxy(lane, environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr, connect(lynkr.port) as connection:
                connection.sendall(request(lynkr.port, "/v1/messages", BODY))
                assert read(connection).status == 502


def test_a_server_that_closes_as_soon_as_it_is_reached_is_a_502() -> None:
    with listening(lambda _: None) as url, proxy(anthropic_lane(url)) as lynkr:
        answers = [ask(lynkr.port, "/v1/messages", BODY) for _ in range(5)]
    assert {answer.status for answer in answers} == {502}


def test_a_server_that_speaks_first_is_not_understood() -> None:
    with listening(lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n\r\n")) as url:
        with proxy(anthropic_lane(url)) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.status == 502
    assert "not HTTP" in error_of(answer)


def test_a_handshake_that_does_not_end_is_a_timeout() -> None:
    going = threading.Event()
    with listening(lambda _: going.wait(20)) as url:
        with proxy(anthropic_lane(url.replace("http:", "https:"), timeout_s=0.3)) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY)
        going.set()
    assert answer.status == 504
    assert "in time" in error_of(answer)


@contextlib.contextmanager
def full(host: str, port: int = 0) -> Iterator[int]:
    """A port where connections are neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, listener.getsockname()[1]))
        yield listener.getsockname()[1]


def test_a_server_that_does_not_accept_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.upstream.client.CONNECT_TIMEOUT_S", 0.3)
    with full("127.0.0.1") as port, proxy(anthropic_lane(f"http://127.0.0.1:{port}")) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.status == 504
    assert "in time" in error_of(answer)


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Makes `localhost` a name of these addresses, in this order."""
    real = socket.getaddrinfo

    def looked_up(host: Any, *rest: Any, **named: Any) -> list[Any]:
        if host != "localhost":
            return real(host, *rest, **named)
        return [info for address in addresses for info in real(address, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


def test_localhost_is_found_where_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to(monkeypatch, "::1", "127.0.0.1")
    with upstream(echo) as up, proxy(anthropic_lane(f"http://localhost:{up.port}")) as lynkr:
        answers = [ask(lynkr.port, "/v1/messages", BODY) for _ in range(3)]
        assert [answer.body for answer in answers] == [BODY] * 3
        assert up.connections == 1
        assert up.asked[0].header("host") == f"localhost:{up.port}"


def test_an_address_that_does_not_answer_does_not_keep_the_next_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    with upstream(echo) as up, contextlib.ExitStack() as stack:
        try:
            stack.enter_context(full("127.0.0.2", up.port))
        except OSError:
            pytest.skip("this machine has one loopback address only")
        with proxy(anthropic_lane(f"http://localhost:{up.port}")) as lynkr:
            assert ask(lynkr.port, "/v1/messages", BODY).body == BODY


def test_a_name_none_of_whose_addresses_listens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to(monkeypatch, "::1", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with proxy(anthropic_lane(f"http://localhost:{port}")) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.status == 502
    assert "refused" in error_of(answer)


def test_a_client_that_is_gone_when_it_is_let_in_is_its_own_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, setting an option fails where the other side has reset the connection."""
    real, failed, gone = socket.socket.setsockopt, list[socket.socket](), list[Any]()

    def setsockopt(this: socket.socket, *args: Any) -> None:
        there = None
        with contextlib.suppress(OSError):
            there = this.getpeername()
        if there in gone:
            failed.append(this)
            raise OSError(errno.EINVAL, "Invalid argument")
        real(this, *args)

    with contextlib.ExitStack() as stack:
        # Whoever may have forgotten it.
        stack.callback(lambda: [this.close() for this in failed])
        up = stack.enter_context(upstream(echo))
        lynkr = stack.enter_context(proxy(anthropic_lane(up.url)))
        assert ask(lynkr.port, "/v1/messages", BODY).status == 200
        monkeypatch.setattr(socket.socket, "setsockopt", setsockopt)
        with socket.socket() as client:
            client.bind(("127.0.0.1", 0))
            gone.append(client.getsockname())
            client.connect(("127.0.0.1", lynkr.port))
            assert until(lambda: failed)
        assert ask(lynkr.port, "/v1/messages", BODY).status == 200


# --- Many at once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_many_at_once_get_what_is_theirs(tls: bool) -> None:
    """All that is read goes through the same memory."""
    bodies = [b'{"x":"' + b"%02d" % number * 100_000 + b'"}' for number in range(20)]
    answers: dict[int, list[bytes]] = {}
    with certified() as (context, path), upstream(echo, tls=context if tls else None) as up:
        with proxy(anthropic_lane(up.url), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:

            def talk(number: int) -> None:
                with connect(lynkr.port) as connection:
                    for _ in range(3):
                        connection.sendall(request(lynkr.port, "/v1/messages", bodies[number]))
                        answers.setdefault(number, []).append(read(connection).body)

            threads = [threading.Thread(target=talk, args=(number,)) for number in range(len(bodies))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert up.connections <= len(bodies)
    assert answers == {number: [body] * 3 for number, body in enumerate(bodies)}
