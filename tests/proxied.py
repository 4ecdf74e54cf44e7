"""A session's proxy inside of the test, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lynkr.answers.settings import Caching
from lynkr.formats import CODECS
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.row import Row
from lynkr.proxy.setting import Door, Setting
from lynkr.proxy.thread import ProxyThread
from lynkr.routing.router import Router
from lynkr.routing.settings import Budget
from lynkr.secrets import Key
from lynkr.transforms.settings import OFF, Settings
from lynkr.transforms.shaper import Change

SECRET = "s3cr3t-of-the-session"


@dataclass
class Proxy:
    port: int
    rows: list[Row] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    # What the user is told of when the session is over.
    troubles: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{SECRET}"

    def row(self, number: int = 0, within: float = 5.0) -> Row:
        """The row of a request; rows are written when their request is over, maybe after its client has gone."""
        deadline = time.monotonic() + within
        while len(self.rows) <= number:
            assert time.monotonic() < deadline, "the request has no row"
            time.sleep(0.01)
        return self.rows[number]


def anthropic_lane(url: str | None, **more: Any) -> Lane:
    return Lane("main", "anthropic", (Format.ANTHROPIC,), more.pop("auth", Auth.CLIENT), url, **more)


def openai_lane(url: str | None, **more: Any) -> Lane:
    formats = (Format.OPENAI_RESPONSES, Format.OPENAI_CHAT)
    return Lane("gpt", "openai", formats, more.pop("auth", Auth.CLIENT), url, **more)


@contextlib.contextmanager
def proxy(
    *lanes: Lane,
    keys: Mapping[str, Key] | None = None,
    origins: Mapping[str, str] | None = None,
    carriers: tuple[tuple[str, str | None], ...] = (),
    environ: Mapping[str, str] | None = None,
    speaks: tuple[Format, ...] = tuple(CODECS),
    compress: Settings = OFF,
    keep: Callable[[Change, str], None] | None = None,
    router: Router | None = None,
    budget: Budget | None = None,
    healths: Path | None = None,
    caching: Caching | None = None,
    shelf: Path | None = None,
    whose: str = "work",
) -> Iterator[Proxy]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    found = Proxy(listener.getsockname()[1])
    counter = itertools.count()
    thread = ProxyThread(
        Door(listener, found.port, SECRET, carriers),
        Setting(
            router=router or Router(lanes, "complex", "first lane of the tier"),
            origins=origins or {},
            keys=keys or {},
            environ=environ or {},
            speaks=speaks,
            record=found.rows.append,
            alarm=found.alarms.append,
            now=lambda: "2026-11-21T00:00:00.000Z",
            new_id=lambda: f"{next(counter):06}",
            compress=compress,
            keep=keep,
            budget=budget or Budget(),
            healths=healths,
            caching=caching or Caching(),
            shelf=shelf,
            profile=whose,
        ),
    )
    found.troubles = thread.troubles
    try:
        yield found
    finally:
        thread.stop()
        listener.close()
    assert thread.problem is None, thread.problem


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """An address at which nothing listens, and nothing else begins to meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def connect(port: int, timeout: float = 20.0) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def request(
    port: int,
    target: str,
    body: bytes = b"",
    headers: Sequence[str] = (),
    *,
    method: str = "POST",
    secret: str = SECRET,
) -> bytes:
    """The bytes of a request to the proxy."""
    lines = [f"{method} /{secret}{target} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@dataclass
class Answer:
    """What came back: the body without its transfer coding, and whether it was ended as HTTP wants it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    ended: bool

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def read(connection: socket.socket, *, head_only: bool = False) -> Answer:
    """Reads one answer off a connection, strictly."""
    with connection.makefile("rb") as reader:
        status = int(reader.readline().split()[1])
        headers = []
        while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        named = {name.lower(): value for name, value in headers}
        if head_only or status == 204:
            return Answer(status, headers, b"", ended=True)
        if "content-length" in named:
            body = reader.read(int(named["content-length"]))
            return Answer(status, headers, body, len(body) == int(named["content-length"]))
        body = b""
        try:
            while True:
                size = reader.readline()
                if not size.strip():
                    return Answer(status, headers, body, ended=False)
                length = int(size, 16)
                body += reader.read(length)
                reader.readline()
                if length == 0:
                    return Answer(status, headers, body, ended=True)
        except ConnectionError:
            return Answer(status, headers, body, ended=False)


def ask(port: int, target: str, body: bytes = b"", headers: Sequence[str] = (), **more: Any) -> Answer:
    """One request on a connection of its own."""
    with connect(port) as connection:
        connection.sendall(request(port, target, body, headers, **more))
        return read(connection, head_only=more.get("method") == "HEAD")
