"""What leaves before anybody has thought about it is the same as if somebody had: at the lane, at the client, in the
ledger, whatever either side does and whenever it does it."""

from __future__ import annotations

import contextlib
import functools
import gc
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio.from_thread
import anyio.lowlevel
import pytest
import trustme
from proxied import SECRET, Answer, Proxy, anthropic_lane, ask, connect, openai_lane, proxy, read, request
from proxy.test_connections import echo, until
from scripts import (
    END,
    STREAM_HEAD,
    Asked,
    Cut,
    Hang,
    Pause,
    Script,
    Step,
    Upstream,
    anthropic,
    anthropic_events,
    chat,
    chunk,
    codex_loop,
    event,
    head,
    stream,
    upstream,
    whole,
)

from lynkr.answers.settings import Bypassing, Caching
from lynkr.conversation import ENVELOPE
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.row import Row
from lynkr.proxy.ahead import Ahead
from lynkr.proxy.case import Case
from lynkr.proxy.exchange import Exchange
from lynkr.proxy.hastened import Hastened
from lynkr.proxy.heads import Entry, Heads, Like
from lynkr.proxy.message import News, Reply, Request, Rest
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.server import Connection
from lynkr.proxy.setting import Setting
from lynkr.routing.router import Router
from lynkr.routing.settings import Budget, Routing
from lynkr.secrets import Key
from lynkr.transforms.settings import Settings
from lynkr.upstream.wire import Wire

PATH = "/v1/messages"
BODY = b'{"model": "claude-opus-5-5", "max_tokens": 100, "stream": true, "messages": [{"role": "user", "content": "Why?"}]}'
NEXT = b'{"model": "claude-opus-5-5", "messages": [], "n": 2}'
PING = event("ping", {"type": "ping"})
KEYS = {"main": Key("sk-lanes-own")}
MIB = 1024 * 1024
# More than sockets hold by themselves.
LARGE = 32 * MIB


@dataclass
class Watched:
    """A proxy's inside: whether each request that was whole at once `went` ahead, which none does while it is `off`; what
    was read so far from clients and lanes, in pieces; and what is to be done `before` and `after` one is looked at."""

    server: Upstream
    off: bool = False
    went: list[bool] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    before: Callable[[Request], None] = lambda _: None
    after: Callable[[Request], None] = lambda _: None
    token: Any = None


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    """One for all that is asked twice: to end it takes longer than to ask."""
    with upstream(echo) as up:
        yield up


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, server: Upstream) -> Watched:
    found = Watched(server)
    hasten, asked, answered = Exchange.hasten, Connection.data_received, Wire.data_received

    def hastening(common: Exchange, request: Request, reply: Reply, body: bytes, news: News) -> Rest | None:
        found.token = anyio.lowlevel.current_token()
        if found.off:
            return None
        found.before(request)
        rest = hasten(common, request, reply, body, news)
        found.went.append(rest is not None)
        found.after(request)
        return rest

    def asking(connection: Connection, data: bytes) -> None:
        asked(connection, data)
        found.asked += 1

    def answering(wire: Wire, data: bytes) -> None:
        answered(wire, data)
        found.answered += 1

    monkeypatch.setattr(Exchange, "hasten", hastening)
    monkeypatch.setattr(Connection, "data_received", asking)
    monkeypatch.setattr(Wire, "data_received", answering)
    return found


def slowly(watched: Watched, *steps: Step) -> Script:
    """Says each of these when the proxy has read the one before."""

    def script(_: Asked) -> Iterator[Step]:
        for step in steps:
            before = watched.answered
            yield step
            assert not isinstance(step, bytes) or until(lambda before=before: watched.answered > before)  # type: ignore[misc]

    return script


def send(watched: Watched, connection: socket.socket, *pieces: bytes) -> None:
    """Sends each of these when the proxy has read the one before."""
    for piece in pieces:
        before = watched.asked
        connection.sendall(piece)
        assert until(lambda before=before: watched.asked > before)  # type: ignore[misc]


def warm(lynkr: Proxy, path: str = PATH) -> None:
    """From here on a connection to the lane is there."""
    there = len(lynkr.rows)
    assert ask(lynkr.port, path, NEXT).body == NEXT
    lynkr.row(there)


def in_flight(lynkr: Proxy) -> float:
    page = ask(lynkr.port, "/metrics", method="GET").body.decode()
    return float(next(line.split()[1] for line in page.splitlines() if line.startswith("lynkr_requests_in_flight ")))


@contextlib.contextmanager
def still(watched: Watched) -> Iterator[None]:
    """The proxy does nothing meanwhile, and finds all that has come at once."""
    began, go = threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        go.wait(10)

    thread = threading.Thread(target=anyio.from_thread.run_sync, args=(hold,), kwargs={"token": watched.token})
    thread.start()
    assert began.wait(10)
    try:
        yield
    finally:
        go.set()
        thread.join(10)


@dataclass
class _Unbroken:
    """A connection whose answers are read one after the other, also where several come at once."""

    reader: Any

    @contextlib.contextmanager
    def makefile(self, _mode: str) -> Iterator[Any]:
        yield self.reader


@dataclass(frozen=True)
class Seen:
    """All that a request has left behind: what the client got (and what came then, None where the connection stayed
    open or was reset), what the lane got, the rows, and how many connections the lane had."""

    answers: list[Answer]
    rest: bytes | None
    asked: list[Asked]
    rows: list[Row]
    connections: int


def alike(rows: Iterable[Row]) -> list[Row]:
    """Rows without what differs by its nature."""
    return [
        replace(row, id="", at="", ms=0.0, first_byte_ms=row.first_byte_ms if row.first_byte_ms is None else 1.0)
        for row in rows
    ]


def seen(
    watched: Watched,
    off: bool,
    said: Callable[[Proxy], Sequence[bytes]],
    script: Script,
    *,
    answers: int = 1,
    rows: int = 1,
    ends: bool = False,
    lane: Callable[[str], Lane] = anthropic_lane,
    path: str = PATH,
    **more: Any,
) -> Seen:
    """What comes of what a client says in pieces, where all is looked at first (`off`) or not. The next client of the
    session gets its own answer in any case, and then nothing is under way any more."""
    watched.off, watched.went, up = off, [], watched.server
    up.script, asked, connections = echo, len(up.asked), up.connections
    with proxy(lane(up.url), **more) as lynkr:
        warm(lynkr, path)
        assert watched.went == ([] if off else [False])
        over = 0

        def told(asked: Asked) -> Iterator[Step]:
            nonlocal over
            try:
                yield from script(asked)
            finally:
                over += 1

        up.script, watched.went = told, []
        got, rest = list[Answer](), None
        with connect(lynkr.port) as connection, connection.makefile("rb") as reader:
            send(watched, connection, *said(lynkr))
            for _ in range(answers):
                got.append(read(_Unbroken(reader)))  # type: ignore[arg-type]
            if ends:
                with contextlib.suppress(ConnectionResetError):
                    rest = reader.read()
            if rows:
                lynkr.row(rows)
        assert until(lambda: over == len(up.asked) - asked - 1)
        went, up.script = list(watched.went), echo
        assert ask(lynkr.port, path, NEXT).body == NEXT
        lynkr.row(rows + 1)
        assert in_flight(lynkr) == 0
        assert lynkr.alarms == []
    watched.went = went
    assert len(lynkr.rows) == rows + 2
    return Seen(got, rest, up.asked[asked:], alike(lynkr.rows), up.connections - connections)


def same(watched: Watched, went: list[bool], *args: Any, **more: Any) -> Seen:
    """What comes of it both ways, which is the same; ahead they `went` so."""
    thought = seen(watched, True, *args, **more)
    ahead = seen(watched, False, *args, **more)
    assert watched.went == went
    assert ahead.asked == thought.asked
    assert ahead.answers == thought.answers
    assert ahead.rest == thought.rest
    assert ahead.rows == thought.rows
    assert ahead.connections == thought.connections
    return ahead


def one(body: bytes = BODY, path: str = PATH, *headers: str, **more: Any) -> Callable[[Proxy], Sequence[bytes]]:
    return lambda lynkr: [request(lynkr.port, path, body, headers, **more)]


def raw(*lines: str, body: bytes = b"", version: str = "1.1", path: str = PATH) -> Callable[[Proxy], bytes]:
    """A request with exactly these headers beside its Host."""

    def made(lynkr: Proxy) -> bytes:
        first = [f"POST /{SECRET}{path} HTTP/{version}", f"Host: 127.0.0.1:{lynkr.port}"]
        return "\r\n".join([*first, *lines, "", ""]).encode() + body

    return made


def together(*made: Callable[[Proxy], bytes]) -> Callable[[Proxy], Sequence[bytes]]:
    return lambda lynkr: [b"".join(each(lynkr) for each in made)]


def apart(*made: Callable[[Proxy], bytes]) -> Callable[[Proxy], Sequence[bytes]]:
    return lambda lynkr: [each(lynkr) for each in made]


def some(data: bytes) -> Callable[[Proxy], bytes]:
    return lambda _: data


LENGTH = f"Content-Length: {len(BODY)}"
PLAIN = raw(LENGTH, body=BODY)
CHUNKED = raw("Transfer-Encoding: chunked", body=chunk(BODY[:9]) + chunk(BODY[9:]) + b"0\r\nX: trailer\r\n\r\n")
JUNK = some(b"GET nothing\r\n\r\n")


# --- What clients say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lane", "path", "body", "script"),
    [
        (anthropic_lane, PATH, BODY, anthropic()),
        (anthropic_lane, PATH + "?beta=true&x=%20", BODY.replace(b"true", b"false"), anthropic()),
        (openai_lane, "/v1/responses", b'{"model": "gpt-5.5", "input": [], "stream": true}', codex_loop("ls")),
        (openai_lane, "/v1/chat/completions", b'{"model": "gpt-5.5", "messages": [], "stream": true}', chat()),
        (openai_lane, "/v1/chat/completions", b'{"model": "gpt-5.5", "messages": []}', chat()),
        (
            lambda url: Lane("google", "gemini", (Format.GEMINI,), Auth.CLIENT, url),
            "/v1beta/models/gemini-3-pro:generateContent",
            b'{"contents": []}',
            lambda _: whole({"candidates": [], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1}}),
        ),
    ],
    ids=["anthropic", "whole", "responses", "chat", "chat-whole", "gemini"],
)
def test_what_goes_ahead_is_what_goes_anyway(
    watched: Watched, lane: Callable[[str], Lane], path: str, body: bytes, script: Script
) -> None:
    headers = ("x-api-key: sk-ant-clients", "Accept-Encoding: gzip, br", "X-A: b")
    got = same(watched, [True], one(body, path, *headers), script, lane=lane, path=path)
    assert (got.answers[0].status, got.rows[1].outcome, got.rows[1].status) == (200, "ok", 200)
    assert got.rows[1].usage.output or b"chunk" in got.answers[0].body
    assert (got.asked[1].body, got.asked[1].header("x-api-key")) == (body, "sk-ant-clients")


SAID: dict[str, tuple[Callable[[Proxy], Sequence[bytes]], list[bool], dict[str, Any]]] = {
    "plain": (apart(PLAIN), [True], {}),
    "twice, in one write": (together(PLAIN, PLAIN), [True, True], {"answers": 2, "rows": 2}),
    "twice, while the first waits": (apart(PLAIN, PLAIN), [True, True], {"answers": 2, "rows": 2}),
    "others of other lengths": (
        apart(*(raw(f"Content-Length: {len(body)}", "X-A: b", body=body) for body in (BODY, NEXT, b"{}", BODY))),
        [True] * 4,
        {"answers": 4, "rows": 4},
    ),
    "others with another key": (
        apart(*(raw(LENGTH, f"x-api-key: {key}", body=BODY) for key in ("sk-a", "sk-b", "sk-a"))),
        [True] * 3,
        {"answers": 3, "rows": 3},
    ),
    "others with other ids": (
        apart(*(raw(LENGTH, "traceparent: 1", *more, "x-app: cli", body=BODY)
                for more in (("X-Id: 1",), ("X-Id: 2",), (), ("X-Id:  ",), ("X-Id: a: \xe9b",)))),
        [True] * 5,
        {"answers": 5, "rows": 5},
    ),
    "others with other things that end here": (
        apart(*(raw("Connection: keep-alive, X-Mine", f"X-Mine: {n}", f"X-Id: {n}", LENGTH, body=BODY) for n in range(3))),
        [True] * 3,
        {"answers": 3, "rows": 3},
    ),
    "three kinds in one write": (together(PLAIN, CHUNKED, PLAIN), [True] * 3, {"answers": 3, "rows": 3}),
    "an empty line after it": (together(PLAIN, some(b"\r\n"), PLAIN), [True, True], {"answers": 2, "rows": 2}),
    "the body on its own": (apart(raw(LENGTH), some(BODY)), [], {}),
    "the body in pieces": (apart(raw(LENGTH, body=BODY[:9]), some(BODY[9:20]), some(BODY[20:])), [], {}),
    "the head in pieces": (apart(some(b"POST /"), lambda lynkr: PLAIN(lynkr)[6:]), [True], {}),
    "the head in pieces, after one": (
        lambda lynkr: [PLAIN(lynkr) + PLAIN(lynkr)[:9], PLAIN(lynkr)[9:]],
        [True, True],
        {"answers": 2, "rows": 2},
    ),
    "close": (apart(raw(LENGTH, "Connection: close", body=BODY)), [True], {"ends": True}),
    "close, and more": (together(raw(LENGTH, "Connection: close", body=BODY), PLAIN), [True], {"ends": True}),
    "HTTP/1.0": (apart(raw(LENGTH, body=BODY, version="1.0")), [True], {"answers": 0, "ends": True}),
    "100-continue with its body": (apart(raw(LENGTH, "Expect: 100-continue", body=BODY)), [True], {}),
    "100-continue in chunks": (
        apart(raw("Transfer-Encoding: chunked", "Expect: 100-continue", body=chunk(BODY) + END)),
        [True],
        {},
    ),
    "chunks": (apart(CHUNKED), [True], {}),
    "chunks that are none": (
        together(raw("Transfer-Encoding: chunked", body=b"2\r\n{}x\r\n0\r\n\r\n"), PLAIN),
        [],
        {"ends": True},
    ),
    "headers twice": (apart(raw("X-A: 1", LENGTH, "x-a: 2", "Cookie: a", "Cookie: b", LENGTH, body=BODY)), [True], {}),
    "headers that end here": (
        apart(raw(LENGTH, "Connection: keep-alive, X-Mine", "X-Mine: 1", "TE: trailers", "Keep-Alive: 5", body=BODY)),
        [True],
        {},
    ),
    "headers beyond ASCII": (apart(lambda lynkr: PLAIN(lynkr).replace(b"Content", b"X: \xff\xe9\r\nContent", 1)), [True], {}),
    "a folded header": (apart(raw(LENGTH, "X-A: a\r\n b", body=BODY)), [True], {}),
    "gzip": (
        apart(raw("Content-Encoding: gzip", f"Content-Length: {len(gzip.compress(BODY, mtime=0))}",
                  body=gzip.compress(BODY, mtime=0))),
        [False],
        {},
    ),
    "no JSON": (one(b'{"model": "claude-opus-5-5", nothing'), [True], {}),
    "no UTF-8": (one(b'{"model": "claude-opus-5-5", "x": "\xff\xc3"}'), [True], {}),
    "no object": (one(b"[1, 2]"), [True], {}),
    "no name": (one(b'{"model": 5}'), [True], {}),
    "nested too deeply": (one(b'{"model": "m", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"), [True], {}),
    "a number too long": (one(b'{"model": "m", "x": ' + b"9" * 10_000 + b"}"), [True], {}),
    "nothing": (one(b""), [], {}),
    "no length": (apart(raw()), [], {}),
    "Upgrade: websocket": (apart(raw(LENGTH, "Upgrade: websocket", "Connection: upgrade", body=BODY)), [False], {}),
    "Upgrade: h2c": (apart(raw(LENGTH, "Upgrade: h2c", "Connection: upgrade", body=BODY)), [False], {}),
    "GET": (one(b"", "/v1/models", method="GET"), [], {}),
    "GET with a body": (one(b"{}", "/v1/models", method="GET"), [False], {}),
    "HEAD": (one(b"", "/", "Connection: close", method="HEAD"), [], {"answers": 0, "ends": True}),
    "tokens counted": (one(BODY, "/v1/messages/count_tokens"), [False], {}),
    "no path that is known": (one(BODY, "/v1/messages/batches"), [False], {}),
    "a wrong secret": (one(BODY, secret="wrong"), [], {"rows": 0, "ends": True}),
    "a wrong secret after it": (
        lambda lynkr: [PLAIN(lynkr) + request(lynkr.port, PATH, BODY, secret="wrong")],
        [True],
        {"answers": 2, "ends": True},
    ),
    "another host": (
        apart(lambda lynkr: PLAIN(lynkr).replace(b"127.0.0.1", b"example.com")),
        [],
        {"rows": 0, "ends": True},
    ),
    "no HTTP after it": (together(PLAIN, JUNK), [True], {"answers": 2, "ends": True}),
    "no HTTP while it waits": (apart(PLAIN, JUNK), [True], {"answers": 2, "ends": True}),
    "two lengths after it": (
        together(PLAIN, raw("Content-Length: 5", "Content-Length: 6", body=BODY)),
        [True],
        {"answers": 2, "ends": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAID)
def test_whatever_a_client_says_and_however_it_comes(watched: Watched, what: str) -> None:
    said, went, more = SAID[what]

    def script(asked: Asked) -> Iterable[Step]:
        if "waits" in what and len(watched.went) < 2:
            assert until(lambda: watched.asked >= wanted)
        return [head(200, "Content-Length: 0")] if asked.method == "HEAD" else echo(asked)

    wanted = 0

    def counted(lynkr: Proxy) -> Sequence[bytes]:
        nonlocal wanted
        pieces = said(lynkr)
        wanted = watched.asked + len(pieces)
        return pieces

    got = same(watched, went, counted, script, **more)
    if went and all(went):
        assert got.answers == [] or got.answers[0].status == 200


def test_a_body_that_is_waited_for_is_asked_for(watched: Watched) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        warm(lynkr)
        with connection.makefile("rb") as reader:
            for n in range(2):
                connection.sendall(raw(LENGTH, "Expect: 100-continue")(lynkr))
                assert (reader.readline(), reader.readline()) == (b"HTTP/1.1 100 Continue\r\n", b"\r\n")
                connection.sendall(BODY)
                assert read(_Unbroken(reader)).body == BODY  # type: ignore[arg-type]
                lynkr.row(n + 1)
            connection.sendall(PLAIN(lynkr))
            assert read(_Unbroken(reader)).body == BODY  # type: ignore[arg-type]
    assert watched.went == [False, True]


def test_a_secret_in_a_header_goes_nowhere(watched: Watched) -> None:
    def said(lynkr: Proxy) -> Sequence[bytes]:
        return [
            PLAIN(lynkr).replace(f"/{SECRET}".encode(), b"").replace(b"\r\n", f"\r\nX-In: {SECRET}\r\n".encode(), 1)
        ]

    got = same(watched, [True], said, echo, carriers=(("x-in", "what was there"),))
    assert got.asked[1].header("x-in") == "what was there"


def test_the_lanes_own_headers_go_with_it(watched: Watched) -> None:
    def lane(url: str) -> Lane:
        return anthropic_lane(url + "/base", headers={"X-A": "the lane's", "X-B": "too"})

    said = apart(*(raw(LENGTH, f"x-a: the client's {n}", f"x-c: {n}", body=BODY) for n in range(3)))
    got = same(watched, [True] * 3, said, echo, lane=lane, answers=3, rows=3)
    for n, asked in enumerate(got.asked[1:4]):
        assert asked.target == "/base" + PATH
        assert [value for name, value in asked.headers if name.lower() == "x-a"] == ["the lane's"]
        assert asked.header("x-c") == str(n)


# --- What lanes say --------------------------------------------------------------------------------------------------

REFUSAL = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
FIRST = anthropic_events([{"type": "text", "text": "x"}], "end_turn", {"input_tokens": 9, "output_tokens": 1}, "m")
SIZED = head(200, "Content-Type: application/json", "Content-Length: 2")
# The answer in pieces, each read on its own, and how many connections it takes in all.
ANSWERS: dict[str, tuple[list[Step], int]] = {
    "whole": ([*whole({"usage": {"input_tokens": 5, "output_tokens": 6}})], 1),
    "a stream": ([*stream(FIRST)], 1),
    "a stream in one piece": ([b"".join(step for step in stream(FIRST) if isinstance(step, bytes))], 1),
    "the head in pieces": ([SIZED[:9], SIZED[9:30], SIZED[30:] + b"{", b"}"], 1),
    "the head alone": ([SIZED, b"{}"], 1),
    "the end alone": ([STREAM_HEAD + chunk(PING), END[:1], END[1:]], 1),
    "no body": ([head(200, "Content-Length: 0")], 1),
    "no body in chunks": ([STREAM_HEAD + END], 1),
    "a coding that nobody knows": ([head(200, "Content-Length: 2", "Content-Encoding: x-none") + b"{}"], 1),
    "a coding that it is not in": ([head(200, "Content-Length: 2", "Content-Encoding: gzip") + b"{}"], 1),
    "headers beyond ASCII": ([b"HTTP/1.1 200 \xe9\r\nX: \xff\r\nContent-Type: \xe9\r\nContent-Length: 2\r\n\r\n{}"], 1),
    "204": ([head(204)], 1),
    "304": ([head(304, "ETag: x", "Content-Length: 5")], 1),
    "400": ([*whole(REFUSAL, 400)], 1),
    "401": ([*whole(REFUSAL, 401, "WWW-Authenticate: x")], 1),
    "413, and closed": ([*whole(REFUSAL, 413, "Connection: close")], 2),
    "429": ([*whole(REFUSAL, 429, "Retry-After: 9", "anthropic-ratelimit-x: 1")], 1),
    "500 without a length": ([head(500) + b"oh", Cut()], 2),
    "529": ([*whole(REFUSAL, 529)], 1),
    "529 in chunks": ([head(529, "Transfer-Encoding: chunked") + chunk(b'{"a"'), chunk(b":1}") + END], 1),
    "an error in the stream": ([STREAM_HEAD + chunk(event("error", REFUSAL)) + END], 1),
    "somebody's page": ([*whole(b"<html>", kind="text/html")], 1),
    "gzip": ([*whole(gzip.compress(b"{}", mtime=0), 200, "Content-Encoding: gzip")], 1),
    "HTTP/1.0": ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"], 2),
    "an interim answer": ([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + SIZED + b"{}"], 1),
    "a length twice": ([head(200, "Content-Length: 2", "Content-Length: 2") + b"{}"], 1),
    "a length beside chunks": ([head(200, "Content-Length: 9", "Transfer-Encoding: chunked") + chunk(b"{}") + END], 1),
    "headers that end here": ([head(200, "Content-Length: 2", "Connection: X-Mine", "X-Mine: 1", "Set-Cookie: a", "Set-Cookie: b") + b"{}"], 1),
    "line feeds and folds": ([b"HTTP/1.1 200 OK\nX-A: b\n c\nContent-Length: 2\n\n{}"], 1),
    "more than it": ([SIZED + b"{}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"], 2),
    "more than nothing": ([head(204) + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"], 2),
    "more after it": ([SIZED + b"{}", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"], 2),
    "nothing, and closed": ([], 2),
    "nothing, and reset": ([Cut()], 2),
    "half a head, and closed": ([SIZED[:20]], 2),
    "half a head, and reset": ([SIZED[:20], Cut()], 2),
    "a head, and closed": ([SIZED], 2),
    "a head of a stream, and reset": ([STREAM_HEAD, Cut()], 2),
    "half of it, and closed": ([SIZED + b"{"], 2),
    "half of it, and reset": ([SIZED + b"{", Cut()], 2),
    "half a stream, and closed": ([STREAM_HEAD + chunk(FIRST[0])], 2),
    "half a stream, and reset": ([STREAM_HEAD, chunk(FIRST[0]), Cut()], 2),
    "half an event, and closed": ([STREAM_HEAD + chunk(FIRST[0] + b"event: content")], 2),
    "half a chunk, and reset": ([STREAM_HEAD + chunk(FIRST[0]) + b"ff\r\nda", Cut()], 2),
    "no end, and reset": ([head(200, "Content-Type: application/json") + b"{", Cut()], 2),
    "no HTTP": ([b"\x15\x03\x03\x00\x02\x02\x46\r\n\r\n"], 2),
    "no status": ([b"HTTP/1.1 2000 OK\r\n\r\n"], 2),
    "no length that is one": ([head(200, "Content-Length: +2") + b"{}"], 2),
    "two lengths": ([head(200, "Content-Length: 2", "Content-Length: 3") + b"{}"], 2),
    "another protocol": ([head(101, "Upgrade: x", "Connection: upgrade")], 2),
    "a head without an end": ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000], 2),
    "no chunks, at once": ([STREAM_HEAD + b"0x2\r\n{}\r\n0\r\n\r\n"], 2),
    "no chunks, with some": ([STREAM_HEAD + chunk(FIRST[0]) + b"-1\r\n"], 2),
    "no chunks, after the head": ([STREAM_HEAD, b"-1\r\n"], 2),
    "no chunks, in the middle": ([STREAM_HEAD + chunk(FIRST[0]), b"-1\r\n"], 2),
}  # fmt: skip


@pytest.mark.parametrize("what", ANSWERS)
def test_whatever_a_lane_says_and_however_it_comes(watched: Watched, what: str) -> None:
    steps, connections = ANSWERS[what]
    closes = "closed" in what and "413" not in what

    def script(asked: Asked) -> Iterator[Step]:
        yield from slowly(watched, *steps)(asked)
        if closes:
            raise EOFError

    got = same(watched, [True], apart(raw(LENGTH, "Connection: close", body=BODY)), script, answers=0, ends=True)
    assert got.connections == connections
    assert got.rest is not None or "reset" in what or "no chunks" in what or closes
    assert "reset" not in what or got.rows[1].outcome in ("refused", "cut")


@pytest.mark.parametrize(
    ("what", "became"),
    [
        ("a stream", (200, "ok")),
        ("400", (400, "refused")),
        ("204", (204, "ok")),
        ("half a stream, and closed", (200, "cut")),
        ("nothing, and reset", (502, "refused")),
        ("no HTTP", (502, "refused")),
    ],
)
def test_and_where_the_client_stays(watched: Watched, what: str, became: tuple[int, str]) -> None:
    steps, _ = ANSWERS[what]

    def script(asked: Asked) -> Iterator[Step]:
        yield from slowly(watched, *steps)(asked)
        if "closed" in what:
            raise EOFError

    got = same(watched, [True], apart(PLAIN), script)
    assert (got.answers[0].status, got.rows[1].outcome) == became


@pytest.mark.parametrize(
    "what",
    [
        "a stream",
        "the head alone",
        "204",
        "529 in chunks",
        "half a stream, and reset",
        "half of it, and reset",
        "half an event, and closed",
        "a head of a stream, and reset",
        "no chunks, in the middle",
        "nothing, and reset",
    ],
)
def test_and_where_the_connection_was_woken_before(watched: Watched, what: str) -> None:
    """By what the client says more, while the lane is silent."""
    steps, _ = ANSWERS[what]
    wanted = 0

    def said(lynkr: Proxy) -> Sequence[bytes]:
        nonlocal wanted
        wanted = watched.asked + 2
        return [PLAIN(lynkr), b"\r\n"]

    def script(asked: Asked) -> Iterator[Step]:
        assert until(lambda: watched.asked >= wanted)
        yield from slowly(watched, *steps)(asked)
        if "closed" in what:
            raise EOFError

    got = same(watched, [True], said, script, answers=0 if what == "204" else 1)
    assert got.rows[1].outcome == (
        "cut" if "half" in what or "middle" in what else "refused" if "5" in what or "reset" in what else "ok"
    )


@pytest.mark.parametrize("half", [b"", b"{", b"{}"], ids=["head", "half", "whole"])
def test_a_lane_that_closes_as_soon_as_it_has_spoken_over_tls(watched: Watched, half: bytes) -> None:
    """What it said and its end are read in one go; another request may stand behind this one."""
    count = 2 if half == b"{}" else 1
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    there, go, over = threading.Event(), threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(head(200, f"Content-Length: {len(NEXT)}") + NEXT)
                    if not connection.recv(65536):
                        continue
                    there.set()
                    assert go.wait(10)
                    connection.sendall(SIZED + half)
                    connection.setblocking(False)
                    with contextlib.suppress(ssl.SSLWantReadError):
                        connection.unwrap()
                    over.set()

    found = list[tuple[list[Answer], list[Row]]]()
    with authority.cert_pem.tempfile() as path, socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        for off in (True, False):
            watched.off, watched.went = off, []
            for each in (there, go, over):
                each.clear()
            lane = anthropic_lane(f"https://127.0.0.1:{listener.getsockname()[1]}")
            with proxy(lane, environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
                warm(lynkr)
                with connect(lynkr.port) as connection:
                    connection.sendall(PLAIN(lynkr) * count)
                    assert there.wait(10)
                    with still(watched):
                        go.set()
                        assert over.wait(10)
                    with connection.makefile("rb") as reader:
                        answers = [read(_Unbroken(reader)) for _ in range(count)]  # type: ignore[arg-type]
                found.append((answers, alike(lynkr.row(n + 1) for n in range(count))))
            assert watched.went[:2] == ([] if off else [False, True])
        listener.shutdown(socket.SHUT_RDWR)
    assert found[1] == found[0]
    assert [row.outcome for row in found[1][1]] == {b"": ["refused"], b"{": ["cut"], b"{}": ["ok", "ok"]}[half]


# --- Who goes, and when ----------------------------------------------------------------------------------------------

REACHED: dict[str, list[Step]] = {
    "while the lane is silent": [],
    "after the head": [STREAM_HEAD],
    "after half the head": [STREAM_HEAD[:20]],
    "in the middle": [STREAM_HEAD + chunk(FIRST[0])],
    "in the middle of what has a length": [SIZED + b"{"],
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("when", REACHED)
def test_a_client_that_hangs_up_ends_what_went_ahead(watched: Watched, when: str, reset: bool) -> None:
    rows = list[list[Row]]()
    for off in (True, False):
        watched.off, watched.went = off, []
        with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
            warm(lynkr)
            up.script, before = slowly(watched, *REACHED[when], Hang()), watched.answered
            with connect(lynkr.port) as connection:
                connection.sendall(PLAIN(lynkr))
                assert until(lambda: len(up.asked) == 2)
                assert until(lambda before=before: watched.answered == before + len(REACHED[when]))  # type: ignore[misc]
                assert in_flight(lynkr) == 1
                if "middle" in when:
                    assert connection.recv(9) == b"HTTP/1.1 "
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert lynkr.row(1).outcome == "gone"
            assert until(lambda: up.closed_early == 1)
            up.script = echo
            assert ask(lynkr.port, PATH, NEXT).body == NEXT
            lynkr.row(2)
            assert in_flight(lynkr) == 0
            assert (len(up.asked), up.connections) == (3, 2)
        rows.append(alike(lynkr.rows))
    assert watched.went == [False, True, False]
    assert rows[0] == rows[1]
    assert len(rows[1]) == 3


@pytest.mark.parametrize("when", REACHED)
def test_a_session_that_ends_ends_what_went_ahead(watched: Watched, when: str) -> None:
    rows = list[list[Row]]()
    for off in (True, False):
        watched.off, watched.went = off, []
        with upstream(echo) as up:
            with proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
                warm(lynkr)
                up.script, before = slowly(watched, *REACHED[when], Hang()), watched.answered
                connection.sendall(PLAIN(lynkr))
                assert until(lambda: len(up.asked) == 2)
                assert until(lambda before=before: watched.answered == before + len(REACHED[when]))  # type: ignore[misc]
            assert until(lambda: up.closed_early == 1)
        rows.append(alike(lynkr.rows))
    assert watched.went == [False, True]
    assert [row.outcome for row in rows[1]] == ["ok", "gone"]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_one_that_is_cancelled_in_the_moment_in_which_it_leaves_has_its_row(watched: Watched, first: bool) -> None:
    def cancel(request: Request) -> None:
        if request.named.get(b"x-cancelled"):
            request.connection._life.cancel()

    watched.before, watched.after = (cancel, watched.after) if first else (watched.before, cancel)
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        up.script = lambda _: [Hang()]
        with connect(lynkr.port) as connection:
            # It waits already when the request comes.
            send(watched, connection, b"\r\n")
            connection.sendall(raw(LENGTH, "X-Cancelled: yes", body=BODY)(lynkr))
            assert connection.recv(1) == b""
        assert lynkr.row(1).outcome == "gone"
        assert until(lambda: up.closed_early == 1)
        up.script = echo
        assert ask(lynkr.port, PATH, NEXT).body == NEXT
        lynkr.row(2)
        assert in_flight(lynkr) == 0
    assert watched.went == [False, True, False]
    assert len(lynkr.rows) == 3


@pytest.mark.parametrize("all_of_it", [True, False])
def test_one_that_is_cancelled_in_the_moment_in_which_its_answer_begins_has_its_row(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, all_of_it: bool
) -> None:
    real = Hastened._answered

    def answered(case: Hastened, head: Any) -> Any:
        case.request.connection._life.cancel()
        return real(case, head)

    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        steps: list[Step] = [SIZED + b"{}"] if all_of_it else [SIZED + b"{", Hang()]
        up.script = lambda _: steps
        with connect(lynkr.port) as connection, monkeypatch.context() as patched:
            patched.setattr(Hastened, "_answered", answered)
            connection.sendall(PLAIN(lynkr))
            with contextlib.suppress(ConnectionError), connection.makefile("rb") as reader:
                assert reader.read().endswith(b"{}" if all_of_it else b"{")
            row = lynkr.row(1)
        assert all_of_it or row.outcome == "gone"
        assert all_of_it or until(lambda: up.closed_early == 1)
        up.script = echo
        assert ask(lynkr.port, PATH, NEXT).body == NEXT
        lynkr.row(2)
        assert in_flight(lynkr) == 0
    assert watched.went[:2] == [False, True]
    assert len(lynkr.rows) == 3


@pytest.mark.parametrize(
    "said",
    [SIZED + b"{}", STREAM_HEAD + chunk(PING) + END, head(204), head(304, "ETag: x"), head(200, "Content-Length: 0")],
    ids=["length", "chunks", "204", "304", "nothing"],
)
def test_who_hung_up_before_the_answer_came_has_not_got_it(watched: Watched, said: bytes) -> None:
    """Both are found at once."""
    outcomes = list[str]()
    for off in (True, False):
        watched.off, watched.went = off, []
        with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
            warm(lynkr)
            go, spoken = threading.Event(), threading.Event()

            def script(_: Asked, go: threading.Event = go, spoken: threading.Event = spoken) -> Iterator[Step]:
                assert go.wait(10)
                yield said
                spoken.set()

            up.script = script
            with connect(lynkr.port) as connection:
                connection.sendall(PLAIN(lynkr))
                assert until(lambda: len(up.asked) == 2)
                with still(watched):
                    connection.close()
                    go.set()
                    assert spoken.wait(10)
            outcomes.append(lynkr.row(1).outcome)
            up.script = echo
            assert ask(lynkr.port, PATH, NEXT).body == NEXT
        assert len(lynkr.rows) == 3
    assert watched.went[:2] == [False, True]
    assert outcomes == ["gone", "gone"]


def test_who_hangs_up_as_soon_as_it_has_asked_has_one_row(watched: Watched) -> None:
    """Both are found at once."""
    rows = list[list[Row]]()
    for off in (True, False):
        watched.off, watched.went = off, []
        with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
            warm(lynkr)
            up.script = lambda _: [Hang()]
            send(watched, connection, b"\r\n")
            with still(watched):
                connection.sendall(PLAIN(lynkr))
                connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
            lynkr.row(1)
            up.script = echo
            assert ask(lynkr.port, PATH, NEXT).body == NEXT
            lynkr.row(2)
            assert in_flight(lynkr) == 0
        rows.append(alike(lynkr.rows))
    assert watched.went[:2] == [False, True]
    assert [row.outcome for row in rows[1]] == ["ok", "gone", "ok"]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("patience", ["HEAD_S", "IDLE_S"])
def test_a_lane_may_think_for_longer_than_a_client_may_wait_to_ask(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        warm(lynkr)
        monkeypatch.setattr(f"lynkr.proxy.server.{patience}", 0.1)
        up.script = lambda asked: [Pause(0.4), SIZED, Pause(0.1), b"{}"]
        if patience == "IDLE_S":
            connection.sendall(PLAIN(lynkr))
            assert read(connection).body == b"{}"
        # Here the wait for the rest of a head, or for another request, is already going on.
        first = PLAIN(lynkr)
        send(watched, connection, first[:9], first[9:])
        assert read(connection).body == b"{}"
        lynkr.row(1 + (patience == "IDLE_S"))
    assert watched.went[1:] == [True] * (1 + (patience == "IDLE_S"))


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"], ids=["none", "408"])
@pytest.mark.parametrize("first", ["lane", "client"])
def test_a_connection_that_the_lane_has_given_up_is_not_used(watched: Watched, first: str, last_words: bytes) -> None:
    """That, and the request, are found at once."""
    go, over = threading.Event(), threading.Event()

    def script(asked: Asked) -> Iterator[Step]:
        yield from echo(asked)
        if up.connections > 1:
            return
        assert go.wait(10)
        if last_words:
            yield last_words
        over.set()
        raise EOFError

    def gives_up() -> None:
        go.set()
        assert over.wait(10)
        time.sleep(0.05)  # its end is on its way, and nobody can be asked whether it has come

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        warm(lynkr)
        send(watched, connection, b"\r\n")
        with still(watched):
            if first == "lane":
                gives_up()
            connection.sendall(PLAIN(lynkr))
            gives_up()
        answer = read(connection)
        assert (answer.status, answer.body) == (200, BODY)
        assert lynkr.row(1).outcome == "ok"
        assert up.connections == 2


def test_a_fault_of_ours_ends_in_an_answer_and_a_row(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        with connect(lynkr.port) as connection, monkeypatch.context() as patched:
            patched.setattr("lynkr.proxy.ahead.marked", fails)
            connection.sendall(PLAIN(lynkr))
            with connection.makefile("rb") as reader:
                assert reader.readline().startswith(b"HTTP/1.1 200")
            lynkr.row(1)
        assert lynkr.troubles == ["a fault of its own (RuntimeError('a fault')); please report it"]
        assert ask(lynkr.port, PATH, NEXT).body == NEXT
        lynkr.row(2)
        assert in_flight(lynkr) == 0
    assert len(lynkr.rows) == 3


# --- Who takes their time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunked", "more"), [(False, False), (False, True), (True, False)], ids=["length", "followed", "chunks"]
)
def test_a_large_answer_waits_for_a_slow_reader(watched: Watched, chunked: bool, more: bool) -> None:
    piece, sent = bytes(range(256)) * 4096, 0

    def script(_: Asked) -> Iterator[Step]:
        nonlocal sent
        yield head(200, "Content-Type: x/y", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {LARGE}")
        for _n in range(LARGE // len(piece)):
            yield chunk(piece) if chunked else piece
            sent += len(piece)
        if chunked:
            yield END

    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        warm(lynkr)
        up.script = script
        connection.sendall(PLAIN(lynkr))
        before = -1
        while sent != before or not sent:
            before = sent
            time.sleep(0.2)
        waiting = sent
        if more:
            send(watched, connection, request(lynkr.port, PATH, NEXT))
            time.sleep(0.1)
        held = sent
        up.script = echo
        with connection.makefile("rb") as reader:
            answer = read(_Unbroken(reader))  # type: ignore[arg-type]
            assert not more or read(_Unbroken(reader)).body == NEXT  # type: ignore[arg-type]
        rows = [lynkr.row(1 + n) for n in range(1 + more)]
    assert watched.went[:2] == [False, True]
    # What the sockets of two connections hold, and no more.
    assert held < LARGE - 8 * MIB
    assert held - waiting <= 2 * len(piece)
    assert answer.ended
    assert answer.body == piece * (LARGE // len(piece))
    assert {row.outcome for row in rows} == {"ok"}
    assert up.connections == 1


def test_a_slow_reader_that_goes_ends_what_went_ahead(watched: Watched) -> None:
    sent = 0

    def script(_: Asked) -> Iterator[Step]:
        nonlocal sent
        yield head(200, "Content-Type: x/y", f"Content-Length: {LARGE * 10}")
        while True:
            yield b"x" * 65536
            sent += 1

    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        up.script = script
        with connect(lynkr.port) as connection:
            connection.sendall(PLAIN(lynkr))
            before = -1
            while sent != before or not sent:
                before = sent
                time.sleep(0.2)
        assert lynkr.row(1).outcome == "gone"
        assert until(lambda: up.closed_early == 1)
        up.script = echo
        assert ask(lynkr.port, PATH, NEXT).body == NEXT
    assert watched.went[:2] == [False, True]


def test_many_at_once_get_what_is_theirs(watched: Watched) -> None:
    wrong = list[bytes]()

    def client(lynkr: Proxy, who: int) -> None:
        with connect(lynkr.port) as connection:
            for n in range(20):
                body = b'{"model": "m", "who": "%d of %d"}' % (n, who)
                connection.sendall(request(lynkr.port, PATH, body))
                if (got := read(connection).body) != body:
                    wrong.append(got)

    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        threads = [threading.Thread(target=client, args=(lynkr, who)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        lynkr.row(160)
        assert in_flight(lynkr) == 0
    assert wrong == []
    assert len(lynkr.rows) == 161
    assert sum(watched.went) >= 100


# --- What has to be looked at ----------------------------------------------------------------------------------------


def _routed(lanes: Sequence[Lane], routing: Routing | None = None, **tiers: tuple[Lane, ...]) -> Router:
    return Router(tuple(lanes), "complex", "by tier", tiers, routing or Routing())


def _tiered(url: str) -> dict[str, Any]:
    main, small = anthropic_lane(url), anthropic_lane(url)._replace(name="small", model="claude-haiku-5-5")
    return {"router": _routed((main, small), complex=(main,), simple=(small,))}


LOOKED_AT: dict[str, Callable[[str, Path], dict[str, Any]]] = {
    "a key": lambda url, _: {"lane": anthropic_lane(url, auth=Auth.KEY), "keys": KEYS},
    "a key and a model": lambda url, _: {"lane": anthropic_lane(url, auth=Auth.KEY, model="m"), "keys": KEYS},
    "nobody's login": lambda url, _: {"lane": anthropic_lane(url, auth=Auth.NONE)},
    "a model": lambda url, _: {"lane": anthropic_lane(url, model="claude-haiku-5-5")},
    "a limit of time": lambda url, _: {"lane": anthropic_lane(url, timeout_s=20.0)},
    "a limit of how many": lambda url, _: {"lane": anthropic_lane(url, concurrency=2)},
    "retries": lambda url, _: {"router": _routed([anthropic_lane(url)], Routing(retries=1))},
    "tiers": lambda url, _: _tiered(url),
    "two lanes": lambda url, _: {
        "router": _routed([anthropic_lane(url), anthropic_lane(url)._replace(name="other")]),
    },
    "a budget": lambda url, _: {"budget": Budget(session_usd=100.0)},
    "a budget that is spent": lambda url, _: {"budget": Budget(session_usd=0.0)},
    "tool results compressed": lambda url, _: {"compress": Settings(tool_results=True), "keep": lambda *_: None},
    "tools compressed": lambda url, _: {"compress": Settings(tool_schemas=True)},
    "a double tool": lambda url, _: {"compress": Settings(drop_duplicate_tools=True)},
    "a tool left out": lambda url, _: {"compress": Settings(without_tools=("Bash",))},
    "a terse model": lambda url, _: {"compress": Settings(terse="lite")},
    "answers kept": lambda url, folder: {"caching": Caching(answers="exact"), "shelf": folder},
    "probes answered": lambda url, _: {"bypassing": Bypassing(probes=True)},
    "titles answered": lambda url, _: {"bypassing": Bypassing(titles=True)},
}  # fmt: skip


@pytest.mark.parametrize("what", LOOKED_AT)
def test_where_there_is_something_to_decide_nothing_goes_ahead(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    with upstream(anthropic()) as up:
        more = LOOKED_AT[what](up.url, tmp_path)
        if (bypassing := more.pop("bypassing", None)) is not None:
            monkeypatch.setattr("proxied.Setting", functools.partial(Setting, bypassing=bypassing))
        with proxy(more.pop("lane", anthropic_lane(up.url)), **more) as lynkr:
            for n in range(3):
                ask(lynkr.port, PATH, json.dumps({**json.loads(BODY), "n": n}).encode())
                lynkr.row(n)
            assert "spent" in what or len(up.asked) == 3
    assert not any(watched.went)
    assert len(lynkr.rows) == 3


def test_nothing_goes_ahead_to_a_lane_of_another_format(watched: Watched) -> None:
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        answer = ask(lynkr.port, "/v1/chat/completions", BODY)
        assert (answer.status, lynkr.row(1).error) == (400, "format_not_spoken")
    assert watched.went == [False, False]


def test_what_lynkr_has_sealed_is_taken_out_first(watched: Watched) -> None:
    """It is no provider's, and would be refused."""
    thought = {"type": "thinking", "thinking": "", "signature": ENVELOPE + "AAAA"}
    said = [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "So."}]},
    ]
    body = json.dumps({"model": "claude-opus-5-5", "messages": said}).encode()
    got = same(watched, [False], one(body), echo)
    assert ENVELOPE.encode() not in got.asked[1].body
    assert got.rows[1].changes


@pytest.mark.parametrize("size", [64 * 1024 + 1, 300_000])
def test_what_is_large_is_looked_at_first(watched: Watched, size: int) -> None:
    body = b'{"model": "m", "x": "' + b"x" * (size - 23) + b'"}'
    assert len(body) == size
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        assert ask(lynkr.port, PATH, body).body == body
        assert (up.asked[1].body, lynkr.row(1).asked_model) == (body, "m")
    assert watched.went in ([False], [False, False])


def test_what_a_head_said_is_kept_when_its_request_has_left_and_known_from_then_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    likes, did = list[Like | None](), list[str]()
    watched.before = lambda request: likes.append(request.like)
    learn, post = Heads.learn, Wire.post

    def learning(heads: Heads, head: bytes, entry: Entry) -> None:
        did.append("kept")
        learn(heads, head, entry)

    def posting(wire: Wire, *sent: Any) -> None:
        did.append("left")
        post(wire, *sent)

    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        warm(lynkr)
        monkeypatch.setattr(Heads, "learn", learning)
        monkeypatch.setattr(Wire, "post", posting)
        for turn in range(3):
            assert ask(lynkr.port, PATH, NEXT, ["A: 1", f"X-Turn: {turn}"]).body == NEXT
            lynkr.row(turn + 1)
    assert did == ["left", "kept"] * 3
    _, first, second, third = likes
    assert first is None
    assert second is not None
    assert second is third


def test_what_comes_while_the_only_connection_is_in_use_is_looked_at(watched: Watched) -> None:
    go = threading.Event()

    def script(asked: Asked) -> list[Step]:
        assert asked.body != BODY or go.wait(10)
        return echo(asked)

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        warm(lynkr)
        connection.sendall(PLAIN(lynkr))
        assert until(lambda: len(up.asked) == 2)
        assert ask(lynkr.port, PATH, NEXT).body == NEXT
        assert in_flight(lynkr) == 1
        go.set()
        assert read(connection).body == BODY
        lynkr.row(2)
        assert in_flight(lynkr) == 0
        assert up.connections == 2
    assert watched.went == [False, True, False]


# --- What is left of it ----------------------------------------------------------------------------------------------

LEFT: dict[str, tuple[list[Step], tuple[str, int | None]]] = {
    "a stream": ([*stream(FIRST)], ("ok", 200)),
    "whole": ([*whole(b"{}")], ("ok", 200)),
    "nothing": ([head(204)], ("ok", 204)),
    "a refusal": ([*whole(REFUSAL, 400)], ("refused", 400)),
    "none": ([Cut()], ("refused", 502)),
    "no HTTP": ([b"no\r\n\r\n"], ("refused", 502)),
    "cut": ([STREAM_HEAD + chunk(PING), Cut()], ("cut", 200)),
    "no chunks": ([STREAM_HEAD + chunk(PING), b"-1\r\n"], ("cut", 200)),
    "gone": ([STREAM_HEAD + chunk(PING), Hang()], ("gone", 200)),
}


@pytest.mark.parametrize("what", LEFT)
@pytest.mark.usefixtures("nobody_looks")
def test_of_what_went_ahead_nothing_is_left(watched: Watched, what: str) -> None:
    steps, became = LEFT[what]
    with upstream(echo) as up, proxy(anthropic_lane(up.url)) as lynkr:
        for n in range(5):
            up.script = echo
            warm(lynkr)
            up.script = slowly(watched, *steps)
            with connect(lynkr.port) as connection:
                connection.sendall(PLAIN(lynkr))
                with connection.makefile("rb") as reader:
                    reader.read(9) if what == "gone" else read(_Unbroken(reader), head_only=what == "nothing")  # type: ignore[arg-type]
            row = lynkr.row(2 * n + 1)
            assert (row.outcome, row.status) == became
        assert sum(watched.went) >= 5
        # One that its connection still waits for may be there for a moment longer.
        for kind in (Inbound, Case, Ahead, Request):
            left = sum(isinstance(each, kind) for each in gc.get_objects())
            assert left <= 1, kind
