"""Connections to servers: HTTP/1.1 over asyncio's transports, kept open between exchanges.

Every event of every answer passes here, so what comes goes from the socket to whoever takes it in one call, without a
task being woken: `pour`. Whoever wants it piece by piece asks for the `next`. Reading stops while nobody takes what has
come.
"""

from __future__ import annotations

import asyncio
import itertools
import select
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio

from lynkr.framing.http1 import (
    Body,
    Headers,
    MalformedHTTP,
    ResponseHead,
    Sized,
    head_end,
    read_response,
    response_body,
    write_request,
)
from lynkr.upstream.catalog import Address, Origin
from lynkr.upstream.failure import Failure
from lynkr.upstream.receiver import Receiver, inlet

# Coding tools pause 25 s between requests on average; common servers keep an idle connection for 60 s and more.
KEEPALIVE_S = 45.0
# So many of them are kept for each server.
_IDLE = 64
# A second address is tried when the first has not answered for so long (RFC 8305, section 5).
_NEXT_ADDRESS_S = 0.25
# More than this is sent at once: to copy a large body would cost more than the system call that it saves.
CORKED = 64 * 1024
_PIECE = 256 * 1024
# So much may wait for whoever takes it.
_WAITING = 256 * 1024

# Takes bytes of an answer, and says whether that is enough for now.
Take = Callable[[bytes], bool]
Begins = Callable[[ResponseHead], Take]


class Wire(Receiver):
    """One connection, for one exchange at a time: `send` or `post`, `answer`, `next` or `pour` to the end, `aclose`.
    Who does not wait for any of it has `post`, `meet`, and `free` when it has `ended`."""

    def __init__(self, inlet: memoryview) -> None:
        super().__init__(inlet)
        self.idle_since = 0.0
        # Takes the connection back, where it can be used again.
        self.home: Callable[[Wire], None] = Wire.abort
        self._transport: asyncio.Transport
        self._closed = False
        # Whether the server takes no more for now.
        self._blocked = False
        self._waiter: asyncio.Future[None] | None = None
        self._forget()

    def _forget(self) -> None:
        """Makes ready for another exchange."""
        self._head: ResponseHead | None = None
        self._method = b""
        self._unsent = False
        self._limit: float | None = None
        self._buffer = bytearray()
        self._body: Body = Sized(0)
        self._came, self._size = deque[bytes](), 0
        self._take: Take | None = None
        # See `meet`.
        self._begins: Begins | None = None
        self._stirred: Callable[[], None] | None = None
        self._stopped = False
        self._failure: Exception | None = None
        self._last = 0.0

    @property
    def closed(self) -> bool:
        """Whether it can be used no more."""
        return self._closed

    def post(self, method: bytes, head: bytes, body: bytes, limit: float | None) -> None:
        """Sends a small request whose head is written; nothing may take longer than `limit` seconds to go on."""
        self._begin(method, limit)
        self._transport.write(head + body)

    def stirs(self) -> bool:
        """Whether something has come, or the end has, that nobody was told of yet."""
        try:
            return bool(select.select([self._transport.get_extra_info("socket")], [], [], 0)[0])
        except ValueError:
            return True  # more files are open than can be asked about

    def meet(self, begins: Begins, stirred: Callable[[], None]) -> None:
        """For whoever does not wait for the answer to what was posted: `begins` is given its head and says who takes
        the body from there; `stirred` is called once, when that has `ended` or somebody should see what became of it.
        """
        self._begins, self._stirred = begins, stirred

    async def send(self, method: bytes, target: bytes, headers: Headers, body: bytes, limit: float | None) -> None:
        """Sends a request; see `post`. Raises Failure."""
        try:
            head = write_request(method, target, headers)
        except MalformedHTTP as error:
            raise Failure("send", str(error)) from error
        if len(body) <= CORKED:
            self.post(method, head, body, limit)
            return
        self._begin(method, limit)
        self._transport.write(head)
        await self._send(body)

    def _begin(self, method: bytes, limit: float | None) -> None:
        """Begins a new exchange."""
        self._forget()
        self._method, self._limit = method, limit

    async def answer(self) -> ResponseHead:
        """Waits for the head of the answer. Raises Failure."""
        self._stirred = None  # whoever waits here need not be called
        while self._head is None:
            try:
                await self._news()
            except Exception:
                if self._head is None:
                    raise
        return self._head  # what came after it is told to whoever reads on

    async def _send(self, body: bytes) -> None:
        """Sends a large body as the server takes it; one that has refused it already is not sent the rest."""
        for at in range(0, len(body), _PIECE):
            if self._head is not None and self._head.status >= 400:
                self._unsent = True
                return
            self._transport.write(body[at : at + _PIECE])
            while self._blocked and (self._head is None or self._head.status < 400):
                await self._news()
        # What TLS holds below cannot be asked for.
        refused = self._head is not None and self._head.status >= 400
        self._unsent = self._blocked or (refused and self._transport.get_extra_info("ssl_object") is not None)

    async def next(self) -> bytes:
        """The next bytes of the answer's body, b"" at its end. Raises Failure."""
        while not self._came:
            if self._body.done:
                return b""
            await self._news()
        data = self._came.popleft()
        self._size -= len(data)
        self._go_on()
        return data

    async def pour(self, take: Take, drained: Callable[[], Awaitable[None]]) -> None:
        """Gives the rest of the body to `take` as it comes; where that says that it is enough, `drained` says when to
        go on. Raises Failure, and whatever `take` raises."""
        self._take = None
        while True:
            while self._came:
                if take(await self.next()):
                    await drained()
            if self._stopped:
                await drained()
                self._go_on()
            if self._failure is not None:
                raise self._failure
            if self._body.done:
                return
            self._take = take
            try:
                await self._news()
            finally:
                self._take = None

    @property
    def ended(self) -> bool:
        """Whether the answer has come to its end, and whoever takes it has taken all."""
        return self._body.done and self._head is not None and not (self._came or self._stopped or self._failure)

    async def aclose(self) -> None:
        """See `free`."""
        self.free()

    def free(self) -> None:
        """Ends the exchange: the connection goes home, or is closed where its state does not allow that."""
        head = self._head
        # Some servers send a body after HEAD all the same, and the next exchange would take it for its answer.
        if (
            head is None
            or not head.lasts
            or self._closed
            or self._failure
            or not self._body.done
            or self._body.rest
            or self._unsent
            or self._blocked
            or self._method == b"HEAD"
            or self._transport.get_write_buffer_size()
        ):
            self._failure = None  # raised, it holds on to whoever heard of it, and they to this
            self.abort()
            return
        self._method = b""
        self._begins = self._stirred = self._take = None
        self.home(self)

    def abort(self) -> None:
        """Closes it at once."""
        self._closed = True
        self._begins = self._stirred = self._take = None
        self._transport.abort()

    async def _news(self) -> None:
        """Waits until something has happened. Raises Failure where that was the last thing."""
        if self._failure is not None:
            raise self._failure
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        try:
            if self._limit is None:
                await self._waiter
            else:
                await self._within(self._limit, loop)
        finally:
            self._waiter = None
        if self._failure is not None and not self._came:
            raise self._failure

    async def _within(self, limit: float, loop: asyncio.AbstractEventLoop) -> None:
        """Waits for news as long as something moves: what is sent, or what is taken without anybody being told."""
        assert self._waiter is not None
        since = loop.time()
        unsent = self._transport.get_write_buffer_size()
        while not self._waiter.done():
            with anyio.move_on_after(max(0.0, max(since, self._last) + limit - loop.time())) as waited:
                await asyncio.shield(self._waiter)
            if waited.cancelled_caught:
                before, unsent = unsent, self._transport.get_write_buffer_size()
                if unsent < before:
                    since = loop.time()
                elif loop.time() >= max(since, self._last) + limit:
                    raise Failure("time", f"nothing for {limit:g} s")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        elif self._stirred is not None:
            stirred, self._stirred = self._stirred, None
            stirred()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._failure is not None:
            return
        if not self._method:
            self.abort()  # nobody has asked for anything
            return
        try:
            if self._head is None:
                data = self._heading(data)
            if data:
                data = self._body.feed(data)
        except MalformedHTTP as error:
            self._failed(Failure("malformed", str(error)), error)
            return
        if data:
            self._deliver(data)
        if self._take is None or self._body.done:
            self._wake()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._wake()

    def eof_received(self) -> bool:
        self._over(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._over(exc)

    def _over(self, error: Exception | None) -> None:
        self._closed = True
        if self._head is not None and (self._body.done or (error is None and self._body.may_end())):
            self._body.done = True
        elif self._method and self._failure is None:
            self._failed(Failure("closed", "the server closed the connection"), error)
        self._wake()

    def _failed(self, failure: Failure, cause: Exception | None) -> None:
        failure.__cause__ = cause
        self._failure = failure
        self._wake()

    def _heading(self, data: bytes) -> bytes:
        """Reads the head; gives what came after it."""
        buffer, seek = self._buffer, len(self._buffer)
        buffer += data
        while (end := head_end(buffer, seek)) >= 0:
            head, seek = read_response(bytes(buffer[:end])), 0
            del buffer[:end]
            if head.status == 101:
                raise MalformedHTTP("it changes the protocol, which nobody has asked for")
            if head.status >= 200:
                self._body = response_body(head, self._method)
                self._head, rest = head, bytes(buffer)
                buffer.clear()
                if self._begins is not None:
                    self._take, self._begins = self._begins(head), None
                if self._waiter is not None or self._take is None:
                    self._wake()
                if self._body.done and rest:
                    self._closed = True  # more than an answer
                    return b""
                return rest
        return b""

    def _deliver(self, data: bytes) -> None:
        if self._take is None:
            self._came.append(data)
            self._size += len(data)
            if self._size > _WAITING:
                self._stop()
            return
        self._last = asyncio.get_running_loop().time() if self._limit is not None else 0.0
        try:
            if self._take(data):
                self._stop()
                self._wake()
        except Exception as error:  # noqa: BLE001 - raised where the taker's own task waits
            self._failure = error
            self._wake()

    def _stop(self) -> None:
        if not self._stopped and not self._closed:
            self._stopped = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        if self._stopped and self._size <= _WAITING:
            self._stopped = False
            if not self._transport.is_closing():
                self._transport.resume_reading()


class Wires:
    """The connections of one session. `tls` is asked for when the first secure one is made."""

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self._tls = tls
        self._idle: dict[Origin, list[Wire]] = {}
        self._inlet = inlet()

    def idle(self, origin: Origin) -> Wire | None:
        """A connection that is there, if there is one."""
        idle, now = self._idle.get(origin), asyncio.get_running_loop().time()
        while idle:
            wire = idle.pop()
            if not wire.closed and now - wire.idle_since < KEEPALIVE_S:
                return wire
            wire.abort()
        return None

    def at_rest(self, origin: Origin) -> Wire | None:
        """The same, if nothing has come by it in this very moment."""
        wire = self.idle(origin)
        if wire is not None and wire.stirs():
            self._idle[origin].append(wire)  # it is heard before the next is sent
            return None
        return wire

    async def open(self, where: Address, connect_s: float) -> Wire:
        """A connection to a server: one that is there, or a new one. Raises Failure."""
        if wire := self.idle(where.origin):
            return wire
        wire, idle = Wire(self._inlet), self._idle.setdefault(where.origin, [])
        await _connect(wire, where, self._tls() if where.scheme == "https" else None, connect_s)
        wire.home = lambda wire: self._keep(idle, wire)
        return wire

    def _keep(self, idle: list[Wire], wire: Wire) -> None:
        wire.idle_since = asyncio.get_running_loop().time()
        idle.append(wire)
        while idle[0].closed or len(idle) > _IDLE or wire.idle_since - idle[0].idle_since > KEEPALIVE_S:
            idle.pop(0).abort()

    def close(self) -> None:
        """Closes those that nobody uses."""
        for wire in itertools.chain.from_iterable(self._idle.values()):
            wire.abort()
        self._idle.clear()


async def _connect(wire: Wire, where: Address, tls: ssl.SSLContext | None, connect_s: float) -> None:
    loop, port = asyncio.get_running_loop(), where.port or (443 if where.scheme == "https" else 80)
    try:
        with anyio.fail_after(connect_s):
            connection = await _reached(where.host, port)
            name = where.host if tls else None
            await loop.create_connection(lambda: wire, sock=connection, ssl=tls, server_hostname=name)
    except TimeoutError as error:
        raise Failure("connect_time", "no connection in time") from error
    except (OSError, ExceptionGroup, UnicodeError) as error:
        raise Failure("connect", str(error)) from error


async def _reached(host: str, port: int) -> socket.socket:
    """A connected socket: the addresses of a host are tried in turn, each while the ones before may still answer."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # The families take turns, so that a network without one of them costs one wait.
    first = found[0][0]
    groups = ([info for info in found if info[0] == first], [info for info in found if info[0] != first])
    inorder = [info for pair in itertools.zip_longest(*groups) for info in pair if info is not None]
    if len(inorder) == 1:
        return await _attempt(inorder[0])
    won, errors = list[socket.socket](), list[Exception]()

    async def attempt(info: Any, failed: anyio.Event) -> None:
        try:
            connection = await _attempt(info)
        except OSError as error:
            errors.append(error)
            failed.set()
            return
        if won:
            connection.close()
            return
        won.append(connection)
        group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for info in inorder:
                failed = anyio.Event()
                group.start_soon(attempt, info, failed)
                with anyio.move_on_after(_NEXT_ADDRESS_S):
                    await failed.wait()
    except BaseException:
        for connection in won:
            connection.close()
        raise
    if not won:
        raise ExceptionGroup("no address answers", errors)
    return won[0]


async def _attempt(info: Any) -> socket.socket:
    family, kind, proto, _, address = info
    connection = socket.socket(family, kind, proto)
    try:
        connection.setblocking(False)  # noqa: FBT003 - the socket's own way
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
