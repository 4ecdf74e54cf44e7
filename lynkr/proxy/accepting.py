"""Lets clients in: a task for each connection, until they are to go."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import anyio
import anyio.lowlevel

from lynkr.proxy.gate import Gate
from lynkr.proxy.heads import Heads
from lynkr.proxy.message import Application, Hasten
from lynkr.proxy.server import Connection
from lynkr.upstream.receiver import inlet

# Too many open files and the like: what is open goes on, and what comes waits until something has closed.
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED, errno.EPROTO, errno.EPERM,
            errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH)  # fmt: skip
_BREATH_S = 0.1
_AT_ONCE = 64


async def serve(
    listener: socket.socket,
    gate: Gate,
    application: Application,
    stop: anyio.Event,
    fault: Callable[[Exception], None],
    drain: anyio.Event | None = None,
    connected: set[Connection] | None = None,
    hasten: Hasten | None = None,
) -> None:
    """Serves `listener` until `stop` is set; what is still going on then is cancelled.

    `hasten` begins with what need not be thought about. Once `drain` is set nobody new is let in, and it ends when
    everyone who is there has been served. Who is connected stands in `connected`. A fault of ours in one connection is
    told to `fault` and ends that connection only.
    """
    listener.setblocking(False)  # noqa: FBT003 - the socket's own way
    here = set[Connection]() if connected is None else connected
    door, left, memory, heads = anyio.CancelScope(), anyio.Event(), inlet(), Heads(gate)
    coming = set[socket.socket]()

    async def one(client: socket.socket) -> None:
        connection = Connection(heads, memory, hasten)
        is_there = await _joined(client, connection)
        coming.discard(client)
        left.set()
        if not is_there:
            return
        here.add(connection)
        if drain is not None and drain.is_set():
            await anyio.lowlevel.checkpoint()  # what it has sent already is to be heard
            connection.leave()
        try:
            await connection.run(application)
        except Exception as error:  # noqa: BLE001 - the other connections go on, and the session's end tells of it
            fault(error)
        finally:
            connection.close()
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
                    coming.add(client)
                    group.start_soon(one, client)
        listener.close()

    async def empty(draining: anyio.Event) -> None:
        nonlocal left
        await draining.wait()
        door.cancel()
        for connection in tuple(here):
            connection.leave()
        while here or coming:
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


async def _joined(client: socket.socket, connection: Connection) -> bool:
    """Gives a client's socket to its connection; whether it is still there."""
    try:
        client.setblocking(False)  # noqa: FBT003
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with anyio.CancelScope(shield=True):
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, client)
    except OSError:
        client.close()
        return False
    return True
