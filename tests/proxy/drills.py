"""Lanes that fail, each in a way of its own, beside lanes that do not; and what must be left of that: nothing."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import re
import socket
import socketserver
import ssl
import stat
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest import mock

import anyio.from_thread
import anyio.to_thread
import trustme
from anyio.abc import SocketAttribute, SocketStream
from anyio.lowlevel import EventLoopToken, current_token
from anyio.streams.buffered import BufferedByteReceiveStream
from loops import loop
from proxied import Answer, Proxy, connect, proxy, read, request
from proxy.test_translating import CLIENTS, ENDS, WORDS, body, heard, lane, target
from proxy.test_translating_failures import BEGUN, BREAKS
from scripts import END, STREAM_HEAD, Asked, Cut, Hang, Pause, Step, Upstream, chunk, head, upstream, whole

from lynkr.lane import Lane
from lynkr.routing.router import Router
from lynkr.routing.settings import Routing
from lynkr.secrets import Key

# A client that hears nothing for so long has given up.
CLIENT_S = 4.0
# How long a lane may hang: before it begins, where another could step in, and at any time.
WAIT_S, TIMEOUT_S = 0.2, 0.4
# Tasks of a proxy that nobody asks for anything: its own, the one that waits for who comes next, and what goes on beside
# the requests.
AT_REST = 3
WELL = '{"title": "A listing"}'
NEXT = dict(zip(CLIENTS, [*CLIENTS[1:], CLIENTS[0]], strict=True))
NOWHERE = "does-not-exist.invalid"
PAGE = b"<html><body>Sign in to the hotel's network</body></html>"


@dataclass(frozen=True)
class Fault:
    """`status` is what a client gets of a lane that fails so and has no other beside it, `tried` what the ledger says
    the lane gave (None: nothing), `why` a word of the reason.

    `ways` are the kinds of answers (streamed or not) that can fail so; `slow` lanes keep their client waiting.
    """

    name: str
    status: int = 200
    tried: int | None = None
    why: str = ""
    ways: tuple[bool, ...] = (True, False)
    slow: bool = False

    def __str__(self) -> str:
        return self.name


# Nobody is there, or nobody that can be spoken to.
NOBODY = [Fault("refused", 502, None, "refused"), Fault("unknown host", 502, None, NOWHERE),
          Fault("no TLS", 502, None, "TLS"), Fault("unknown certificate", 502, None, "certificate")]  # fmt: skip
# It begins to answer and says nothing of an answer.
SILENT = [Fault("hang before headers", 504, slow=True), Fault("hang after headers", 502, slow=True),
          Fault("cut before headers", 502), Fault("cut after headers", 502)]  # fmt: skip
REFUSING = [Fault("429 with retry-after", 429, 429), Fault("endless error body", 500, 500),
            *(Fault(f"{status}", status, status) for status in (429, 500, 529))]  # fmt: skip
# Its client hears it as it came, if there is nobody else.
WRONG = [Fault("error as first event", ways=(True,)), Fault("wrong content type")]
# Nothing of an answer either, in ways that are harder to see.
HIDDEN = [Fault("dripping error body", slow=True), Fault("hang in an error body", slow=True), Fault("empty answer"),
          Fault("cut inside the first event", ways=(True,)),
          Fault("hang inside the first event", ways=(True,), slow=True)]  # fmt: skip
SIGNS = Fault("signs of life forever", ways=(True,), slow=True)
# What happens in the middle of an answer.
WITHIN = [Fault("hang mid-stream"), Fault("cut mid-stream"), Fault("cut inside an event", ways=(True,)),
          Fault("error mid-stream", ways=(True,))]  # fmt: skip
ENDLESS = Fault("endless body")


def error(spoken: str, status: int) -> dict[str, Any]:
    """The body of an error, as its vendor documents it."""
    if spoken == "anthropic":
        names = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": names[status], "message": "Oh no"}, "request_id": "req_1"}
    if spoken == "gemini":
        names = {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 529: "UNAVAILABLE"}
        return {"error": {"code": status, "message": "Oh no", "status": names[status]}}
    codes = {429: "rate_limit_exceeded", 500: "server_error", 529: "overloaded"}
    return {"error": {"message": "Oh no", "type": "server_error", "param": None, "code": codes[status]}}


def begun(spoken: str, streamed: bool) -> list[bytes]:
    """An answer as far as its first words."""
    if streamed:
        return [STREAM_HEAD, *map(chunk, [*BEGUN[spoken][0], *BEGUN[spoken][1]])]
    return [head(200, "Content-Type: application/json", "Content-Length: 5000"), b'{"id": "1", "model":']


def _forever(start: bytes, piece: bytes) -> Iterable[Step]:
    yield start
    for step in repeat(chunk(piece)):
        yield step
        yield Pause(0.002)


def steps(name: str, spoken: str, streamed: bool) -> Iterable[Step]:
    """What a lane says that has been asked and fails in the way called `name`."""
    said = begun(spoken, streamed)
    chunked = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    ping = b'event: ping\ndata: {"type": "ping"}\n\n' if spoken == "anthropic" else b": ping\n\n"
    match name:
        case "429" | "500" | "529":
            return whole(error(spoken, int(name)), int(name))
        case "429 with retry-after":
            return whole(error(spoken, 429), 429, "Retry-After: 7")
        case "endless error body":
            return _forever(head(500, *chunked), b"x" * 50_000)
        case "dripping error body":
            return _forever(head(500, *chunked), b"x")
        case "endless body" if streamed:
            return _forever(b"".join(said), BEGUN[spoken][1][-1] * 20)
        case "endless body":
            return _forever(head(200, *chunked) + chunk(b'{"id": "'), b"x" * 5000)
        case "signs of life forever":
            return _forever(STREAM_HEAD, ping)
        case "empty answer":
            return [STREAM_HEAD, END] if streamed else whole(b"")
    first, last = chunk(BEGUN[spoken][0][0][:12]), chunk(BREAKS[spoken][0])
    table: dict[str, list[Step]] = {
        "hang before headers": [Hang()],
        "hang after headers": [said[0], Hang()],
        "cut before headers": [Cut()],
        "cut after headers": [said[0], Cut()],
        "error as first event": [STREAM_HEAD, last, END],
        "wrong content type": whole(PAGE, kind="text/html"),
        "hang in an error body": [head(500, chunked[0], "Content-Length: 500"), b'{"error"', Hang()],
        "cut inside the first event": [STREAM_HEAD, first, Pause(0.01), Cut()],
        "hang inside the first event": [STREAM_HEAD, first, Hang()],
        "hang mid-stream": [*said, Hang()],
        "cut mid-stream": [*said, Pause(0.02), Cut()],
        "cut inside an event": [*said, last[:20], Pause(0.02), Cut()],
        # A proxy that gets both at once has heard an error before anybody heard an answer.
        "error mid-stream": [*said, Pause(0.25), last, END],
    }
    return table[name]


# --- a stage for each drill ----------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A session with a lane that fails and, maybe, one that does not."""

    lynkr: Proxy
    faulty: Upstream | None
    healthy: Upstream
    sent: list[str] = field(default_factory=list)

    def send(self, client: str, streamed: bool, patience_s: float = CLIENT_S) -> Answer:
        """One request of `client`, which gives up after a while."""
        began = time.monotonic()
        with self.asking(client, streamed, patience_s) as connection:
            answer = read(connection)
        assert time.monotonic() - began < patience_s
        return answer

    @contextlib.contextmanager
    def asking(self, client: str, streamed: bool, patience_s: float = CLIENT_S) -> Iterator[socket.socket]:
        """A connection on which a request was sent."""
        with connect(self.lynkr.port, patience_s) as connection:
            sent = json.dumps(body(client, streamed)).encode()
            connection.sendall(request(self.lynkr.port, target(client, streamed), sent))
            self.sent.append(client)
            yield connection


class Keys(dict[str, Key]):
    """A lane's key is looked for in the proxy's own loop; that is how a test gets hold of it."""

    loop: EventLoopToken | None = None

    def get(self, *args: Any) -> Any:
        with contextlib.suppress(anyio.NoEventLoopError):
            self.loop = current_token()
        return super().get(*args)

    def tasks(self) -> int:
        """How much goes on in the proxy."""
        return len(anyio.from_thread.run_sync(anyio.get_running_tasks, token=self.loop))


def keys() -> Keys:
    return Keys({name: Key("sk-lanes-own") for name in ("first", "second", "third")})


def named(name: str, spoken: str, url: str, **more: Any) -> Lane:
    return lane(spoken, url, **more)._replace(name=name)


@contextlib.contextmanager
def session(lanes: list[Lane], held: Mapping[str, Key] | None = None, **more: Any) -> Iterator[Proxy]:
    """A session whose lanes are those of one tier, in order."""
    healths = more.pop("healths", None)
    routing = Routing(**{"wait_s": WAIT_S, **more})
    router = Router(tuple(lanes), "complex", "first lane of the tier", routing=routing)
    # Reading the world's certificates takes longer than a drill.
    nobody = {"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent"}
    with (
        mock.patch.dict(os.environ, nobody),
        proxy(*lanes, router=router, keys=held or keys(), environ=nobody, healths=healths) as lynkr,
    ):
        yield lynkr


class _Plain(socketserver.BaseRequestHandler):
    """Speaks plain HTTP to whoever comes with TLS."""

    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


@dataclass
class Servers:
    """The servers of a whole file, which change their parts between drills."""

    faulty: Upstream
    healthy: Upstream
    strange: str
    plain: str

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Servers]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        plain = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Plain)
        with upstream(_mute) as one, upstream(_mute) as two, upstream(_mute, tls=context) as three, plain:
            threading.Thread(target=plain.serve_forever).start()
            yield cls(one, two, three.url, f"https://127.0.0.1:{plain.server_address[1]}")
            plain.shutdown()

    @contextlib.contextmanager
    def failing(self, fault: Fault, spoken: str, streamed: bool) -> Iterator[tuple[str, Upstream | None]]:
        """Where the lane is that fails so, and its server if that is ever asked."""
        match fault.name:
            case "refused":
                with socket.socket() as bound:
                    bound.bind(("127.0.0.1", 0))  # taken, and nobody listens
                    yield f"http://127.0.0.1:{bound.getsockname()[1]}", None
            case "unknown host":
                yield f"http://{NOWHERE}", None
            case "no TLS":
                yield self.plain, None
            case "unknown certificate":
                yield self.strange, None
            case name:
                self.faulty.script = lambda _: steps(name, spoken, streamed)
                yield self.faulty.url, self.faulty

    @contextlib.contextmanager
    def stage(
        self, fault: Fault, streamed: bool, first: str, second: str | None = None, **more: Any
    ) -> Iterator[Stage]:
        """`first` and `second` are the formats of the lanes; the first one fails. In the end every request must have
        its row, and nothing go on any more."""
        for server in (self.faulty, self.healthy):
            server.asked, server.connections, server.closed_early = [], 0, 0
        self.healthy.script = loop("-", {})[second or first]
        impatient = fault.name == "hang mid-stream" or (second is None and fault.slow)
        # Only what hangs is waited for; a slow machine or resolver must not change the reason.
        more = {"wait_s": WAIT_S if fault.slow else CLIENT_S} | more
        held = keys()
        with self.failing(fault, first, streamed) as (url, faulty):
            lanes = [named("first", first, url, timeout_s=TIMEOUT_S if impatient else None)]
            if second is not None:
                lanes.append(named("second", second, self.healthy.url, timeout_s=CLIENT_S))
            with session(lanes, held, **more) as lynkr:
                yield (stage := Stage(lynkr, faulty, self.healthy))
                assert comes_true(lambda: held.tasks() <= AT_REST)
            assert len(lynkr.rows) == len(stage.sent)


def _mute(_: Asked) -> list[Step]:
    raise AssertionError("nobody was to be asked")


def is_well(client: str, answer: Answer, streamed: bool, words: str = WELL) -> bool:
    """Whether an answer is whole, once, and says what a lane that works says."""
    plain = replace(answer, body=answer.body.replace(b"\r\n", b"\n"))
    said = heard(client, plain, streamed)
    return (answer.status, answer.ended, said.text, said.end) == (200, True, words, ENDS[client][0])


# --- what is left --------------------------------------------------------------------------------------------------------


def comes_true(what: Callable[[], bool], within: float = 5.0) -> bool:
    """Whether something becomes true soon."""
    deadline = time.monotonic() + within
    while not what() and time.monotonic() < deadline:
        time.sleep(0.005)
    return what()


def _sockets() -> int:
    count = 0
    for path in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            count += stat.S_ISSOCK(path.stat().st_mode)
    return count


@dataclass
class Left:
    """How many sockets and threads this process has."""

    sockets: int = field(default_factory=_sockets)
    threads: int = field(default_factory=threading.active_count)

    def nothing_more(self) -> bool:
        """Whether by now there are no more than there were."""
        return comes_true(lambda: _sockets() <= self.sockets and threading.active_count() <= self.threads)


# --- a crowd -------------------------------------------------------------------------------------------------------------

LANES = {"first": "anthropic", "second": "openai-chat", "third": "gemini"}
PATIENCE_S = 2.0
ENOUGH = 60_000
RESET = struct.pack("ii", 1, 0)
# How often, in a thousand requests to a lane, it fails so.
ODDS = {
    "cut before headers": 40, "cut after headers": 40, "429 with retry-after": 40, "429": 40, "500": 50, "529": 50,
    "wrong content type": 40, "error as first event": 40, "error mid-stream": 30, "cut mid-stream": 40,
    "cut inside an event": 30, "endless error body": 2, "endless body": 6, "hang before headers": 4,
    "hang after headers": 4, "hang mid-stream": 4,
}  # fmt: skip
_STREAMS = ("error as first event", "error mid-stream", "cut inside an event", "endless body")
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead)


@dataclass
class Told:
    """What one client of the crowd got: `end` is well, error, broken, enough (of what does not end) or left."""

    client: str
    streamed: bool
    end: str = "left"
    status: int | None = None
    lane: str | None = None
    id: str | None = None


@dataclass
class Crowd:
    """Many clients of every format, and three lanes that fail at random. Each request has a number, in its words and as
    the name of its model; a lane that answers well repeats it."""

    seed: int
    told: dict[int, Told] = field(default_factory=dict)
    # By request: how often each lane was asked, and how many whole good answers were sent.
    asked: Counter[tuple[int, str]] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    open: int = 0

    def _fault(self, number: int, name: str, streamed: bool) -> str | None:
        chance = random.Random(f"{self.seed}/{number}/{name}/{self.asked[number, name]}").randrange(1000)
        for fault, odds in ODDS.items():
            chance -= odds
            if chance < 0:
                return fault if streamed or fault not in _STREAMS else "500"
        return None

    async def lane(self, name: str, stream: SocketStream) -> None:
        """One connection of the proxy's to a lane."""
        self.open += 1
        buffered = BufferedByteReceiveStream(stream)
        try:
            with contextlib.suppress(*_GONE):
                while await self._answer(name, stream, buffered):
                    pass
        finally:
            self.open -= 1
            with anyio.CancelScope(shield=True):
                await stream.aclose()

    async def _answer(self, name: str, stream: SocketStream, buffered: BufferedByteReceiveStream) -> bool:
        said = (await buffered.receive_until(b"\r\n\r\n", 65536)).decode("latin-1")
        sent = await buffered.receive_exactly(int(re.search(r"content-length: (\d+)", said, re.I)[1]))  # type: ignore[index]
        number = int(re.search(rb"number (\d+)", sent)[1])  # type: ignore[index]
        asked = Asked("POST", said.split(" ")[1], [], sent)
        streamed = b'"stream":true' in sent.replace(b" ", b"") or ":stream" in asked.target
        fault = self._fault(number, name, streamed)
        self.asked[number, name] += 1
        for step in steps(fault, LANES[name], streamed) if fault else loop("-", {})[LANES[name]](asked):
            match step:
                case Pause():
                    await anyio.sleep(step.seconds)
                case Hang():
                    await stream.receive(1)
                case Cut():
                    with contextlib.suppress(OSError):  # the other side may have cut it first
                        stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    return False
                case bytes():
                    await stream.send(step.replace(b"isting", b"%06d" % number))
        self.answered[number] += fault is None
        return True

    async def clients(self, port: int, numbers: Iterator[int]) -> None:
        """Clients one after the other, on one connection as long as it lasts."""
        stream: SocketStream | None = None
        for number in numbers:
            chance = random.Random(f"{self.seed}/{number}")
            told = self.told[number] = Told(chance.choice(CLIENTS), chance.random() < 0.6)
            wait_s = chance.random() / 4 if chance.random() < 0.03 else 30.0
            stream = stream or await anyio.connect_tcp("127.0.0.1", port)
            at = target(told.client, told.streamed).replace("gemini-2.5-pro", f"model-{number}")
            value = json.dumps(body(told.client, told.streamed)).replace(json.dumps(WORDS), f'"number {number}"')
            sent = re.sub(r'"model": "[^"]*"', f'"model": "model-{number}"', value)
            await stream.send(request(port, at, sent.encode()))
            with anyio.move_on_after(wait_s):
                await self._hear(number, told, stream)
            assert wait_s < 30 or told.end != "left", f"request {number} has no answer"
            if told.end not in ("well", "error"):
                await stream.aclose()
                stream = None
        if stream is not None:
            await stream.aclose()

    async def _hear(self, number: int, told: Told, stream: SocketStream) -> None:
        answer = await _read(BufferedByteReceiveStream(stream))
        told.status, told.lane, told.id = answer.status, *map(answer.header, ("x-lynkr-lane", "x-lynkr-request"))
        if answer.status != 200:
            told.end = "error" if answer.ended and json.loads(answer.body)["error"]["message"] else "broken"
        elif len(answer.body) > ENOUGH:
            told.end = "enough"
        else:
            told.end = "broken"
            with contextlib.suppress(AssertionError, LookupError, TypeError, ValueError):
                if is_well(told.client, answer, told.streamed, WELL.replace("isting", f"{number:06}")):
                    told.end = "well"

    async def run(self, requests: int, at_once: int, session: Callable[..., Any]) -> None:
        """Lets so many clients come."""
        numbers = iter(range(requests))
        async with contextlib.AsyncExitStack() as stack, anyio.create_task_group() as group:
            lanes = []
            for name, spoken in LANES.items():
                listener = await stack.enter_async_context(await anyio.create_tcp_listener(local_host="127.0.0.1"))
                group.start_soon(listener.serve, functools.partial(self.lane, name))
                url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
                lanes.append(named(name, spoken, url, timeout_s=PATIENCE_S))
            with session(lanes) as lynkr:
                async with anyio.create_task_group() as crowd:
                    for _ in range(at_once):
                        crowd.start_soon(self.clients, lynkr.port, numbers)
            assert await anyio.to_thread.run_sync(comes_true, lambda: not self.open)
            group.cancel_scope.cancel()


async def _read(buffered: BufferedByteReceiveStream) -> Answer:
    """One answer, or as much of it as there is, or as is enough."""
    first, *lines = (await buffered.receive_until(b"\r\n\r\n", 65536)).decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    answer = Answer(int(first.split()[1]), headers, b"", False)
    with contextlib.suppress(*_GONE):
        if length := answer.header("content-length"):
            answer.body = await buffered.receive_exactly(int(length))
            answer.ended = True
        while not answer.ended and len(answer.body) <= ENOUGH:
            size = int(await buffered.receive_until(b"\r\n", 20), 16)
            answer.body += (await buffered.receive_exactly(size + 2))[:-2]
            answer.ended = size == 0
    return answer
