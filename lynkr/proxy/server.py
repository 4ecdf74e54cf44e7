"""HTTP/1.1 in: h11 over anyio. A reader and a server for each connection, one exchange at a time on it.

What reaches the application has shown the secret and a Host of this machine. The reader also listens for the client to
hang up while a request is served, and then the exchange is cancelled: nobody pays for an answer that nobody reads.
Clients that are slow to ask are dropped; those that are slow to read an answer are waited for a good while.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import h11
from anyio.abc import SocketStream

from lynkr.errors import ClientError
from lynkr.proxy.gate import Gate
from lynkr.upstream.auth import Headers

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
MAX_COPY = 2 * 1024 * 1024
IDLE_S = 900.0  # between requests; longer than clients keep a connection
HEAD_S = 30.0  # for a first request to begin, and from any request's first byte to the end of its headers
BODY_S = 60.0  # for each read of a body
SEND_S = 300.0  # for each write of an answer
LINGER_S = 2.0  # for the rest of a body that was refused
_READ = 256 * 1024
# Too many open files and the like: what is open goes on, and what comes waits until something has closed.
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED)
_BREATH_S = 0.1
_PIPELINED = 64 * 1024
_AT_ONCE = 64


class ClientGone(Exception):
    """The client closed the connection, or is as good as gone."""


@dataclass(slots=True)
class Request:
    """A request that was let in. `target` has no secret any more; the body is read when it is asked for."""

    method: str
    target: str
    headers: Headers
    connection: Connection

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str:
        """The first value of a header, "" where there is none."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")

    async def body(self) -> bytes | None:
        """The whole body, None where there is none. Raises ClientError (413, 408)."""
        return await self.connection.body(self)


@dataclass(slots=True)
class Reply:
    """The answer to one request: `start`, any number of `send`, `end`."""

    connection: Connection
    started: bool = False
    finished: bool = False
    # What was sent of the body, where somebody wants it.
    copy: bytearray | None = None
    _head: bytes = b""

    def copied(self) -> int | None:
        """How much of the body has been copied; None where that was too much, or nobody wanted it."""
        return None if self.copy is None else len(self.copy)

    async def start(self, status: int, headers: Headers, reason: bytes = b"") -> None:
        """Makes the head ready; it leaves with the first bytes after it."""
        if self.connection.is_last:
            headers = [*headers, (b"Connection", b"close")]
        response = h11.Response(status_code=status, headers=headers, reason=reason)
        self._head = self.connection.http.send(response) or b""
        self.started = True

    async def send(self, data: bytes) -> None:
        """Sends bytes of the body as they are."""
        if self.copy is not None:
            self.copy = self.copy + data if len(self.copy) + len(data) <= MAX_COPY else None
        framed = self.connection.http.send(h11.Data(data=data)) or b""
        head, self._head = self._head, b""
        await self.connection.write(head + framed if head else framed)

    async def end(self) -> None:
        """Completes the answer."""
        tail = self.connection.http.send(h11.EndOfMessage()) or b""
        if rest := self._head + tail:
            self._head = b""
            await self.connection.write(rest)
        self.finished = True

    async def whole_head(self, status: int, headers: Headers, reason: bytes = b"") -> None:
        """Sends the answer to HEAD."""
        await self.start(status, headers, reason)
        await self.end()

    async def whole(self, status: int, body: bytes, headers: Headers, reason: bytes = b"") -> None:
        """Sends an answer in one piece."""
        await self.start(status, [*headers, (b"Content-Length", str(len(body)).encode())], reason)
        if body and not self.connection.asked_for_head:
            await self.send(body)
        await self.end()


Application = Callable[[Request, Reply], Awaitable[None]]


async def serve(
    listener: socket.socket,
    gate: Gate,
    application: Application,
    stop: anyio.Event,
    fault: Callable[[Exception], None],
    drain: anyio.Event | None = None,
    connected: set[Connection] | None = None,
) -> None:
    """Serves `listener` until `stop` is set; what is still going on then is cancelled.

    Once `drain` is set nobody new is let in, and it ends when everyone who is there has been served. Who is connected
    stands in `connected`. A fault of ours in one connection is told to `fault` and ends that connection only.
    """
    listener.setblocking(False)  # noqa: FBT003 - the socket's own way
    here = set[Connection]() if connected is None else connected
    door, left = anyio.CancelScope(), anyio.Event()
    coming = set[socket.socket]()

    async def one(client: socket.socket) -> None:
        stream = await SocketStream.from_socket(client)
        coming.discard(client)
        connection = Connection(stream, gate)
        here.add(connection)
        try:
            async with stream:
                await connection.run(application)
        except Exception as error:  # noqa: BLE001 - the other connections go on, and the session's end tells of it
            fault(error)
        finally:
            here.discard(connection)
            left.set()

    async def accept() -> None:
        with door:
            while True:
                await anyio.wait_readable(listener)
                # All that wait at once: one for each turn of the loop, a busy proxy would keep them waiting for long.
                for _ in range(_AT_ONCE):
                    try:
                        client, _ = listener.accept()
                    except BlockingIOError:
                        break
                    except OSError as error:
                        if error.errno not in _PASSING:
                            raise
                        await anyio.sleep(_BREATH_S)
                        break
                    client.setblocking(False)  # noqa: FBT003
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    coming.add(client)
                    group.start_soon(one, client)
        listener.close()

    async def empty(draining: anyio.Event) -> None:
        nonlocal left
        await draining.wait()
        door.cancel()
        for connection in tuple(here):
            connection.leave()
        while here:
            left = anyio.Event()
            await left.wait()
        stop.set()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(accept)
            if drain is not None:
                group.start_soon(empty, drain)
            await stop.wait()
            group.cancel_scope.cancel()
    finally:
        for waiting in (listener, *coming):
            waiting.close()


@dataclass(slots=True, eq=False)
class Connection:
    """One client: a reader, which is always listening, and a server, which takes what the reader has heard."""

    stream: SocketStream
    gate: Gate
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD))
    asked_for_head: bool = False
    _news: anyio.Event = field(default_factory=anyio.Event)
    _room: anyio.Event = field(default_factory=anyio.Event)
    _serving: anyio.CancelScope | None = None
    _ahead: int = 0
    _gone: bool = False
    _known: bool = False
    _ending: bool = False
    _leaving: bool = False
    _idle: bool = False

    def leave(self) -> None:
        """Ends after the request that is under way, at once where there is none."""
        self._leaving = True
        self._news.set()

    @property
    def known(self) -> bool:
        """Whether this client has shown the secret."""
        return self._known

    @property
    def is_last(self) -> bool:
        """Whether this connection takes no request after this one."""
        return self._leaving

    async def run(self, application: Application) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            try:
                while await self._one(application):
                    self.http.start_next_cycle()
                if not self._idle:  # nothing is on its way to whoever was only there
                    await self._linger()
            except (ClientGone, anyio.BrokenResourceError, anyio.ClosedResourceError):
                # Nobody is left to tell; the exchange, if one was under way, has written its row.
                self._gone = True
            group.cancel_scope.cancel()

    async def _listen(self) -> None:
        """The reader. When the client hangs up, what is being served for it is cancelled."""
        try:
            while True:
                data = await self.stream.receive(_READ)
                if self._ending:
                    continue
                self.http.receive_data(data)
                self._news.set()
                if self._serving is not None:
                    self._ahead += len(data)
                    if self._ahead > _PIPELINED:
                        self._room = anyio.Event()
                        await self._room.wait()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._gone = True
            self._news.set()
            if self._serving is not None:
                self._serving.cancel()

    async def _one(self, application: Application) -> bool:
        """Serves one request; whether the connection can take another."""
        reply = Reply(self)
        try:
            head = await self._head()
        except h11.RemoteProtocolError as error:
            if self.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await reply.whole(error.error_status_hint, b"", [(b"Connection", b"close")])
            return False
        if head is None:
            return False
        if sum(len(name) + len(value) for name, value in head.headers) + len(head.target) > MAX_HEAD:
            await reply.whole(431, b"", [(b"Connection", b"close")])
            return False
        self.asked_for_head = head.method == b"HEAD"
        target = head.target.decode("ascii", "surrogateescape")
        status, target, headers = self.gate.admit(target, head.headers.raw_items())
        if status != 200:
            await reply.whole(status, b"", [(b"Connection", b"close")])
            return False
        self._known = True
        with anyio.CancelScope() as self._serving:
            await application(Request(head.method.decode(), target, headers, self), reply)
        self._serving, self._ahead = None, 0
        self._room.set()
        return not self._gone and self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    async def _head(self) -> h11.Request | None:
        if self._leaving and self.http.trailing_data[0] == b"":
            self._idle = True
            return None
        if self.http.trailing_data[0] == b"":
            # Whoever has not shown the secret yet is not kept for long.
            with anyio.move_on_after(IDLE_S if self._known else HEAD_S):
                await self._more()
        with anyio.move_on_after(HEAD_S):
            while (event := self.http.next_event()) is h11.NEED_DATA and not self._gone:
                if self.http.trailing_data[0] == b"":
                    self._idle = self._leaving
                    return None
                await self._more()
            return event if isinstance(event, h11.Request) else None
        return None

    async def body(self, request: Request) -> bytes | None:
        """See Request.body."""
        announced = request.header("content-length")
        if announced.isdigit() and int(announced) > MAX_BODY:
            raise _too_large()
        if self.http.they_are_waiting_for_100_continue:
            await self.write(self.http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        parts, size = list[bytes](), 0
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise ClientGone
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > MAX_BODY:
                raise _too_large()
        # All of it was this request's: from here on the reader listens for the client to hang up.
        self._ahead = 0
        self._room.set()
        return b"".join(parts) if parts or announced else None

    async def _event(self) -> object:
        while True:
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                raise ClientError(f"lynkr: the request is not HTTP as it should be: {error}") from error
            if event is not h11.NEED_DATA:
                return event
            if self._gone:
                raise ClientGone
            try:
                with anyio.fail_after(BODY_S):
                    await self._more()
            except TimeoutError as error:
                raise ClientError("lynkr: the rest of the request did not come", status=408) from error

    async def _more(self) -> None:
        """Waits until the reader has heard more, or the end."""
        # What comes in now is of the request that is being read, not ahead of it.
        self._ahead = 0
        self._room.set()
        if not self._gone:
            self._news = anyio.Event()
            await self._news.wait()

    async def write(self, data: bytes) -> None:
        """Sends bytes to the client. Raises ClientGone where it does not take them."""
        try:
            with anyio.fail_after(SEND_S):
                await self.stream.send(data)
        except TimeoutError as error:
            raise ClientGone from error

    async def _linger(self) -> None:
        """Ends our side and lets the client read what is on its way: closing at once could take it back."""
        self._ending = True
        self._room.set()
        await self.stream.send_eof()
        with anyio.move_on_after(LINGER_S):
            while not self._gone:
                await self._more()


def _too_large() -> ClientError:
    return ClientError(f"lynkr: the request is larger than {MAX_BODY >> 20} MiB", status=413, kind="too_large")
