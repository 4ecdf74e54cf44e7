"""A client's connection: HTTP/1.1 in, over asyncio's transports, one exchange at a time.

What reaches the application has shown the secret and a Host of this machine. While a request is served the connection
still listens for the client to hang up, and then its case is cancelled: nobody pays for an answer that nobody
reads. Clients that are slow to ask are dropped; those that are slow to read an answer are waited for a good while.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import NamedTuple, cast

import anyio

from lynkr.errors import ClientError
from lynkr.framing.http1 import (
    Body,
    MalformedHTTP,
    RequestHead,
    Sized,
    head_end,
    request_body,
    tokens,
)
from lynkr.proxy.heads import Heads
from lynkr.proxy.message import Application, ClientGone, Hasten, Reply, Request, Rest
from lynkr.upstream.receiver import Receiver

MAX_BODY = 64 * 1024 * 1024
IDLE_S = 900.0  # between requests; longer than clients keep a connection
HEAD_S = 30.0  # for a first request to begin, and from any request's first byte to the end of its headers
BODY_S = 60.0  # for each read of a body
SEND_S = 300.0  # for a client to take what it was sent
LINGER_S = 2.0  # for the rest of a body that was refused
# So much is read of what nobody has asked for yet.
_PIPELINED = 64 * 1024
# A larger request is not sent on before it was looked at; that takes a small part of the time that it does.
_HASTY = 64 * 1024
# And of the requests after the one that is being served.
_AHEAD = 1024 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


# What is answered before anything was asked.
_NOTHING = RequestHead(b"", b"", [], {}, 1)


class _Arrival(NamedTuple):
    """A request whose head has come, with its answer to be: None was not let in, with `status`. `rest` is what is left
    to do where it was begun."""

    head: RequestHead
    status: int
    request: Request | None
    reply: Reply
    rest: Rest | None


class Connection(Receiver):
    """One client."""

    def __init__(self, heads: Heads, inlet: memoryview, hasten: Hasten | None = None) -> None:
        super().__init__(inlet)
        # The request that is being served, and whether this connection takes none after it.
        self.asked = _NOTHING
        self.is_last = False
        # Whether this client has shown the secret.
        self.known = False
        self._heads, self._hasten = heads, hasten
        self._transport: asyncio.Transport
        # Bytes of a head, or of what comes after the request that is being served; so much of them was searched.
        self._buffer, self._searched = bytearray(), 0
        # Whether a head may come, and the request that did.
        self._expecting = False
        self._arrival: _Arrival | MalformedHTTP | None = None
        self._body: Body = Sized(0)
        self._parts, self._size = list[bytes](), 0
        self._malformed: MalformedHTTP | None = None
        self._wanted = self._stopped = False
        # One scope for all its requests: the first that is cancelled is the last.
        self._life, self._serving = anyio.CancelScope(), False
        self._gone = self._ending = self._idle = False
        # Who waits for bytes to come, and for bytes to go.
        self._listener: asyncio.Future[bool] | None = None
        self._full: asyncio.Future[None] | None = None
        # Until when the listener waits, and what looks at that from time to time.
        self._until = 0.0
        # Until when the head has to be there that has begun to come.
        self._head_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def asked_for_head(self) -> bool:
        """Whether the answer is to have no body."""
        return self.asked.method == b"HEAD"

    @property
    def has_read(self) -> bool:
        """Whether all of the request has come."""
        return self._body.done

    def leave(self) -> None:
        """Ends after the request that is under way, at once where there is none."""
        self.is_last = True
        self._wake()

    def close(self) -> None:
        """Closes the connection at once."""
        self._time(None)
        self._transport.abort()

    async def run(self, application: Application) -> None:
        """Serves requests until there are no more."""
        with contextlib.suppress(ClientGone), self._life:
            # Whoever has gone is told nothing more; the case, if one was under way, has written its row.
            while await self._one(application):
                pass
            if not self._idle:  # nothing is on its way to whoever was only there
                await self._linger()

    async def _one(self, application: Application) -> bool:
        """Serves one request; whether the connection can take another."""
        self.asked = _NOTHING
        try:
            arrival = await self._next()
        except MalformedHTTP as error:
            await Reply(self).whole(error.status, b"", [(b"Connection", b"close")])
            return False
        except anyio.get_cancelled_exc_class():
            if not isinstance(self._arrival, _Arrival) or self._arrival.rest is None:
                raise
            # What was begun has its row in any case; at its next wait this is cancelled again.
            arrival = self._arrival
        if arrival is None:
            return False
        self._arrival, reply = None, arrival.reply
        if arrival.request is None:
            await reply.whole(arrival.status, b"", [(b"Connection", b"close")])
            return False
        self._serving = True
        if self._gone:
            self._life.cancel()
        try:
            await (arrival.rest() if arrival.rest is not None else application(arrival.request, reply))
        finally:
            self._serving = False
            if reply.unframed and not reply.finished:
                self._reset()
        return reply.finished and self._body.done and not self.is_last and not self._gone

    async def _next(self) -> _Arrival | None:
        """The next request that somebody has to serve, as soon as its head is there; None where none comes. Raises
        MalformedHTTP."""
        clock = asyncio.get_running_loop().time
        self._expecting, self._head_until = True, clock() + HEAD_S
        while self._arrival is None:
            self._look()
            if self._arrival is not None:
                break
            if not self._buffer and self.is_last:
                self._idle = not self._transport.get_write_buffer_size()
                return None
            if self._gone:
                return None
            # Whoever has not shown the secret yet is not kept for long.
            waits = self.known and not self._buffer
            came = await self._more(IDLE_S if waits else self._head_until - clock())
            if self._arrival is None and not came and clock() >= self._until:
                return None
        if isinstance(self._arrival, MalformedHTTP):
            raise self._arrival
        return self._arrival

    def _look(self, data: bytes = b"") -> None:
        """Looks for a head in what has come; lets it in, and begins to serve it where that takes no thought."""
        if self._buffer:
            data = bytes(self._buffer + data)
            self._buffer.clear()
        try:
            if data.startswith((b"\r", b"\n")):
                data = data.lstrip(b"\r\n")  # empty lines before a request are nothing (RFC 9112, section 2.2)
            if not data:
                return
            if data[0] < ord(" "):
                raise MalformedHTTP("no HTTP")
            if (end := head_end(data, self._searched)) < 0:
                if not self._searched:
                    self._head_until = asyncio.get_running_loop().time() + HEAD_S
                self._buffer += data
                self._searched = len(data)
                return
            entry = self._heads.read(said := data[:end])
            body = request_body(entry.head)
        except MalformedHTTP as error:
            self._arrival, self._expecting = error, False
            return
        head = entry.head
        self._searched, self._expecting, self.asked = 0, False, head
        self._begin(body, data[end:])
        request, reply, rest = None, Reply(self), None
        if entry.status == 200:
            self.known = True
            if not head.minor or b"close" in tokens(head.named.get(b"connection")):
                self.is_last = True
            request = Request(head.method.decode(), entry.target, entry.headers, self, entry.named, entry.like)
            if self._hasten is not None and 0 < self._size <= _HASTY and self._body.done:
                rest = self._hasten(request, reply, self._parts[0], self._heard)
                self._parts = [] if rest is not None else self._parts
        self._arrival = _Arrival(head, entry.status, request, reply, rest)
        self._heads.learn(said, entry)

    def _heard(self, served: bool) -> None:
        """Hears of a request that was begun: it has been `served`, or its rest is to be."""
        if not served:
            self._wake()
            return
        self._arrival, self.asked, self._expecting = None, _NOTHING, True
        self._wait(IDLE_S)
        if self._buffer:
            self._wake()  # not here: the lane may be about to say that it closes

    def _begin(self, body: Body, data: bytes) -> None:
        """A request has begun: what is there behind its head may already be of its body."""
        self._body, self._parts, self._size, self._wanted = body, [], 0, False
        if body.done:
            self._buffer += data
        elif data:
            self._take_in(data)
        self._go_on()

    def _take_in(self, data: bytes) -> None:
        """Takes bytes of the body, and leaves those that come after it."""
        try:
            data = self._body.feed(data)
        except MalformedHTTP as error:
            self._malformed = error
            return
        self._parts.append(data)
        self._size += len(data)
        if self._body.done:
            self._buffer += self._body.rest

    async def body(self) -> bytes | None:
        """See Request.body."""
        announced = self.asked.named.get(b"content-length")
        if announced and int(announced.partition(b",")[0]) > MAX_BODY:
            raise _too_large()
        if not (self._body.done or self._size or not self.asked.minor) and b"100-continue" in tokens(
            self.asked.named.get(b"expect")
        ):
            self.put(_CONTINUE)
        self._wanted = True
        self._go_on()
        while not self._body.done:
            if self._malformed is not None:
                raise ClientError(f"lynkr: the request is not HTTP as it should be: {self._malformed}")
            if self._size > MAX_BODY:
                raise _too_large()
            if self._gone:
                raise ClientGone
            if not await self._more(BODY_S):
                raise ClientError("lynkr: the rest of the request did not come", status=408)
        if self._size > MAX_BODY:
            raise _too_large()
        parts, self._parts = self._parts, []
        return b"".join(parts) if announced or b"transfer-encoding" in self.asked.named else None

    async def _more(self, seconds: float) -> bool:
        """Waits for more bytes, or the end; whether something came in time."""
        if self._gone:
            return True
        listener = self._listener = asyncio.get_running_loop().create_future()
        self._wait(seconds)
        try:
            return bool(await listener)
        finally:
            self._listener = None

    def _wait(self, seconds: float) -> None:
        """The listener waits for so long from now."""
        # One timer goes on from wait to wait, which nearly always end long before it: a scope costs several times as
        # much.
        self._until = asyncio.get_running_loop().time() + seconds
        if self._timer is None or self._timer.when() > self._until:
            self._time(self._until)

    def _time(self, when: float | None) -> None:
        """Looks at the clock at `when` and at no other time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else asyncio.get_running_loop().call_at(when, self._late)

    def put(self, data: bytes) -> bool:
        """Sends bytes; whether the client has enough for now. Raises ClientGone."""
        if self._gone:
            raise ClientGone
        self._transport.write(data)
        return self._full is not None

    async def drained(self) -> None:
        """Waits until the client takes more. Raises ClientGone."""
        if self._full is not None:
            try:
                with anyio.fail_after(SEND_S):
                    await asyncio.shield(self._full)
            except TimeoutError as error:
                raise ClientGone from error
        if self._gone:
            raise ClientGone

    async def _linger(self) -> None:
        """Ends our side and lets the client read what is on its way: closing at once could take it back."""
        self._ending = True
        self._go_on()
        if not self._gone:
            self._transport.write_eof()
        with anyio.move_on_after(SEND_S):
            unsent = True
            while unsent and not self._gone:
                unsent = self._transport.get_write_buffer_size() > 0
                while not self._gone and await self._more(LINGER_S):
                    pass

    def _reset(self) -> None:
        """Ends the connection so that nobody takes what was sent for all of it."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        self._gone = True

    def _go_on(self) -> None:
        """Reads on, where reading has stopped."""
        if self._stopped and not self._gone:
            self._stopped = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._listener is not None and not self._listener.done():
            self._listener.set_result(True)

    def _late(self) -> None:
        self._timer = None
        if self._listener is None or self._listener.done():
            return
        if asyncio.get_running_loop().time() < self._until:
            self._time(self._until)
        else:
            self._listener.set_result(False)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        if not self._body.done:
            self._take_in(data)
            if self._size > _PIPELINED and not self._wanted:
                self._stopped = True
                self._transport.pause_reading()
        elif self._expecting:
            self._look(data)
            if isinstance(self._arrival, _Arrival) and self._arrival.rest is not None:
                return  # nobody need wake up for it now
        elif len(self._buffer) + len(data) <= _AHEAD:
            self._buffer += data
        else:
            # Whoever asks so far ahead is answered to here. It is read on, for it may hang up.
            self._buffer.clear()
            self.is_last = self._ending = True
        self._wake()

    def eof_received(self) -> bool:
        self._lost()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        self._lost()

    def _lost(self) -> None:
        """The client has hung up: what is being served for it is cancelled."""
        self._gone = True
        self._wake()
        self.resume_writing()
        if self._serving:
            self._life.cancel()

    def pause_writing(self) -> None:
        self._full = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._full is not None and not self._full.done():
            self._full.set_result(None)
        self._full = None


def _too_large() -> ClientError:
    return ClientError(f"lynkr: the request is larger than {MAX_BODY >> 20} MiB", status=413, kind="too_large")
