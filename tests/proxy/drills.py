"""Lanes that fail, each in a way of its own, beside lanes that do not; and what must be left of that: nothing."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

import trustme
from loops import loop
from proxied import Answer, Proxy, proxy
from proxy.test_translating import ENDS, heard, lane
from proxy.test_translating_failures import BEGUN, BREAKS
from scripts import END, STREAM_HEAD, Asked, Cut, Hang, Pause, Script, Step, Upstream, chunk, head, upstream, whole

from lynkr.lane import Lane
from lynkr.routing.router import Router
from lynkr.routing.settings import Routing
from lynkr.secrets import Key

# A client that waits longer than this for the whole of an answer has given up.
CLIENT_S = 6.0
WAIT_S = 0.2
WELL = '{"title": "A listing"}'
NEXT = {
    "anthropic": "openai-chat",
    "openai-chat": "gemini",
    "gemini": "openai-responses",
    "openai-responses": "anthropic",
}
NOWHERE = "does-not-exist.invalid"


@dataclass(frozen=True)
class Fault:
    """`alone` is the status that a client gets of a lane that has no other beside it, `says` the lane's own status.

    `why` stands in the reason; `ways` are the kinds of answers (streamed or not) that can fail so; `slow` says that the
    lane keeps its client waiting.
    """

    name: str
    alone: int = 200
    says: int | None = None
    why: str = ""
    ways: tuple[bool, ...] = (True, False)
    slow: bool = False

    def __str__(self) -> str:
        return self.name


# What happens before the client has heard anything of an answer.
BEFORE = [
    Fault("refused", 502, None, "refused"),
    Fault("unknown host", 502, None, NOWHERE),
    Fault("no TLS", 502, None, "TLS"),
    Fault("unknown certificate", 502, None, "certificate"),
    Fault("hang before headers", 504, None, "no answer within", slow=True),
    Fault("hang after headers", 502, None, "no answer within", slow=True),
    Fault("cut after headers", 502, None, "stopped"),
    Fault("429 with retry-after", 429, 429),
    Fault("429", 429, 429),
    Fault("500", 500, 500),
    Fault("529", 529, 529),
    Fault("error as first event", 200, None, ways=(True,)),
    Fault("wrong content type", 200, None, "text/html"),
    Fault("endless error body", 500, 500),
]
# What happens in the middle of an answer.
WITHIN = [
    Fault("hang mid-stream"),
    Fault("cut mid-stream"),
    Fault("cut inside an event", ways=(True,)),
    Fault("error mid-stream", ways=(True,)),
]
ENDLESS = Fault("endless body")
PAGE = b"<html><body>Sign in to the hotel's network</body></html>"


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


def _begun(spoken: str, streamed: bool) -> list[Step]:
    """An answer as far as its first words."""
    if streamed:
        return [STREAM_HEAD, *map(chunk, [*BEGUN[spoken][0], *BEGUN[spoken][1]])]
    return [head(200, "Content-Type: application/json", "Content-Length: 5000") + b'{"id": "1", "model":']


def _forever(start: bytes, piece: bytes) -> Iterable[Step]:
    yield start
    for step in repeat(chunk(piece)):
        yield step
        yield Pause(0.001)


def steps(fault: Fault, spoken: str, streamed: bool) -> Iterable[Step]:
    """What a lane says that fails so, having been asked."""
    begun = _begun(spoken, streamed)
    announced = [STREAM_HEAD] if streamed else [head(200, "Content-Type: application/json", "Content-Length: 5000")]
    match fault.name:
        case "hang before headers":
            return [Hang()]
        case "hang after headers":
            return [*announced, Hang()]
        case "cut after headers":
            return [*announced, Cut()]
        case "429 with retry-after":
            return whole(error(spoken, 429), 429, "Retry-After: 7")
        case "429" | "500" | "529":
            return whole(error(spoken, int(fault.name)), int(fault.name))
        case "error as first event":
            return [STREAM_HEAD, chunk(BREAKS[spoken][0]), END]
        case "wrong content type":
            return whole(PAGE, kind="text/html")
        case "endless error body":
            start = head(500, "Content-Type: application/json", "Transfer-Encoding: chunked")
            return _forever(start, b'{"error": {"message": "' + b"x" * 50_000)
        case "hang mid-stream":
            return [*begun, Hang()]
        case "cut mid-stream":
            return [*begun, Pause(0.02), Cut()]
        case "cut inside an event":
            return [*begun, chunk(BREAKS[spoken][0][:20]), Pause(0.02), Cut()]
        case "error mid-stream":
            return [*begun, Pause(0.02), chunk(BREAKS[spoken][0]), END]
        case "endless body" if streamed:
            return _forever(b"".join(step for step in begun if isinstance(step, bytes)), BEGUN[spoken][1][-1] * 20)
        case "endless body":
            start = head(200, "Content-Type: application/json", "Transfer-Encoding: chunked") + chunk(b'{"id": "')
            return _forever(start, b"x" * 5000)
    raise AssertionError(fault.name)


@contextlib.contextmanager
def _plain() -> Iterator[str]:
    """A server that speaks plain HTTP to whoever comes with TLS."""

    def answer(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def failing(fault: Fault, spoken: str, streamed: bool) -> Iterator[tuple[str, Upstream | None]]:
    """Where the lane is that fails so, and its server, if there is one."""
    if fault.name == "refused":
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))  # taken, and nobody listens
            yield f"http://127.0.0.1:{bound.getsockname()[1]}", None
    elif fault.name == "unknown host":
        yield f"http://{NOWHERE}", None
    elif fault.name == "no TLS":
        with _plain() as url:
            yield url, None
    else:
        context = None
        if fault.name == "unknown certificate":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        script = loop("-", {})[spoken] if context else lambda _: steps(fault, spoken, streamed)
        with upstream(script, tls=context) as up:
            yield up.url, up


@dataclass
class Stage:
    """A session with a lane that fails and, maybe, one that does not."""

    lynkr: Proxy
    faulty: Upstream | None
    healthy: Upstream


def named(name: str, spoken: str, url: str, **more: Any) -> Lane:
    """A lane that speaks `spoken`."""
    return replace(lane(spoken, url, **more), name=name)


KEYS = {name: Key("sk-lanes-own") for name in ("first", "second", "third")}


@contextlib.contextmanager
def session(lanes: list[Lane], **routing: Any) -> Iterator[Proxy]:
    """A session whose lanes are those of one tier, in order."""
    router = Router(tuple(lanes), "complex", "first lane of the tier", routing=Routing(**{"wait_s": WAIT_S, **routing}))
    with proxy(*lanes, router=router, keys=KEYS) as lynkr:
        yield lynkr


@contextlib.contextmanager
def stage(fault: Fault, streamed: bool, first: str, second: str | None = None, **routing: Any) -> Iterator[Stage]:
    """`first` and `second` are the formats of the lanes; the first one fails."""
    patience = {"timeout_s": WAIT_S} if fault.name == "hang mid-stream" or (second is None and fault.slow) else {}
    # Only what hangs is waited for; a slow machine or resolver must not change the reason.
    routing.setdefault("wait_s", WAIT_S if fault.slow else CLIENT_S)
    with failing(fault, first, streamed) as (url, faulty), upstream(loop("-", {})[second or first]) as healthy:
        lanes = [named("first", first, url, **patience)]
        if second is not None:
            lanes.append(named("second", second, healthy.url))
        with session(lanes, **routing) as lynkr:
            yield Stage(lynkr, faulty, healthy)


def is_well(client: str, answer: Answer, streamed: bool) -> bool:
    """Whether an answer is whole and says what a lane that works says."""
    lf = replace(answer, body=answer.body.replace(b"\r\n", b"\n"))
    said = heard(client, lf, streamed)
    return (answer.status, answer.ended, said.text, said.end) == (200, True, WELL, ENDS[client][0])


def comes_true(what: Callable[[], bool], within: float = 5.0) -> bool:
    """Whether something becomes true soon."""
    deadline = time.monotonic() + within
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    return what()


def sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            count += stat.S_ISSOCK(os.fstat(int(name)).st_mode)
    return count


@dataclass
class Left:
    """What this process holds of what the system counts."""

    sockets: int = field(default_factory=sockets)
    threads: int = field(default_factory=threading.active_count)

    def nothing_more(self) -> bool:
        """Whether by now there is no more than there was."""
        return comes_true(lambda: sockets() <= self.sockets and threading.active_count() <= self.threads)


