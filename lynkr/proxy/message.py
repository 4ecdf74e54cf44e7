"""A request that was let in and its answer to be, as those who serve them know them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lynkr.framing.http1 import LAST_CHUNK, Headers, Texts, bodiless, chunk, indexed, tokens, write_response

if TYPE_CHECKING:
    from lynkr.proxy.heads import Like
    from lynkr.proxy.server import Connection

# Longer answers are not copied.
MAX_COPY = 2 * 1024 * 1024


# Where all processors are busy, a client that waits for an answer's beginning or end would hear of it only when the
# system takes this one away, some milliseconds later. Windows has no such call.
give_way: Callable[[], None] = getattr(os, "sched_yield", lambda: None)


class ClientGone(Exception):
    """The client closed the connection, or is as good as gone."""


@dataclass(slots=True)
class Request:
    """A request that was let in. `target` has no secret any more; the body is read when it is asked for."""

    method: str
    target: str
    headers: Headers
    connection: Connection
    # The headers by lower-case name.
    named: Mapping[bytes, bytes] = field(default_factory=dict)
    # Those with the same have heads that are alike.
    like: Like | None = None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def texts(self) -> Texts:
        """The headers by lower-case name, as text."""
        return Texts(self.named)

    async def body(self) -> bytes | None:
        """The whole body, None where there is none. Raises ClientError (413, 408)."""
        return await self.connection.body()


class Reply:
    """The answer to one request: `start`, any number of `send` or `put`, `end`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.started = self.finished = False
        # What was sent of the body, where somebody wants it.
        self.copy: bytearray | None = None
        self._head = b""
        self._chunked = False
        # Bytes that the head promises and that have not been sent, None where it promises no number.
        self._left: int | None = None

    @property
    def sized(self) -> bool:
        """Whether the head has said how long the body is."""
        return self._left is not None

    @property
    def unframed(self) -> bool:
        """Whether the body's end is the connection's."""
        return self.started and self._left is None and not self._chunked

    def copied(self) -> int | None:
        """How much of the body has been copied; None where that was too much, or nobody wanted it."""
        return None if self.copy is None else len(self.copy)

    def start(self, status: int, headers: Headers, reason: bytes = b"") -> None:
        """Makes the head ready; it leaves with the first bytes after it."""
        asked = self.connection.asked
        named = indexed(headers)
        lengths = tokens(named.get(b"content-length"))
        if len(lengths) > 1 or (lengths and status == 204):
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
            headers += [(b"Content-Length", lengths[0])] if status != 204 else []  # said twice, the same
        if not self.connection.has_read:
            self.connection.is_last = True  # what is left of the request is nobody's
        if bodiless(status) or asked.method == b"HEAD":
            self._left = 0
        elif lengths:
            self._left = int(lengths[0])
        elif asked.minor:
            self._chunked = True
            headers = [*headers, (b"Transfer-Encoding", b"chunked")]
        else:
            self.connection.is_last = True  # its end is the connection's
        if b"close" in tokens(named.get(b"connection")):
            self.connection.is_last = True
        elif self.connection.is_last:
            headers = [*headers, (b"Connection", b"close")]
        self._head = write_response(status, reason, headers)
        self.started = True

    def put(self, data: bytes) -> bool:
        """Sends bytes of the body as they are; whether the client has enough for now, see `drained`. Raises
        ClientGone."""
        if self.copy is not None:
            self.copy += data
            if len(self.copy) > MAX_COPY:
                self.copy = None
        if self._chunked:
            data = chunk(data)
        elif self._left is not None:
            self._left -= len(data)
        if not self._head:
            return self.connection.put(data)
        data, self._head = self._head + data, b""
        full = self.connection.put(data)
        give_way()
        return full

    async def drained(self) -> None:
        """Waits until the client takes more. Raises ClientGone."""
        await self.connection.drained()

    async def send(self, data: bytes) -> None:
        """Sends bytes of the body as they are, and waits while the client has enough. Raises ClientGone."""
        if self.put(data):
            await self.drained()

    def end(self) -> None:
        """Completes the answer. Raises ClientGone."""
        rest = self._head + (LAST_CHUNK if self._chunked else b"")
        if rest:
            self.connection.put(rest)
            give_way()
        self._head = b""
        if self._left:
            self.connection.is_last = True  # less than it promised
        self.finished = True

    async def whole_head(self, status: int, headers: Headers, reason: bytes = b"") -> None:
        """Sends the answer to HEAD."""
        self.start(status, headers, reason)
        self.end()

    async def whole(self, status: int, body: bytes, headers: Headers, reason: bytes = b"") -> None:
        """Sends an answer in one piece."""
        self.start(status, [*headers, (b"Content-Length", b"%d" % len(body))], reason)
        if body and not self.connection.asked_for_head:
            await self.send(body)
        self.end()


Application = Callable[[Request, Reply], Awaitable[None]]
# What serves the rest of a request that was begun.
Rest = Callable[[], Awaitable[None]]
# Hears of a request that was begun: it has been served, or what serves its rest is wanted.
News = Callable[[bool], None]
# Begins to serve a request whose whole body is here at once, where there is nothing to think about.
Hasten = Callable[[Request, Reply, bytes, News], Rest | None]
