"""The least that a proxy in this language can do: bytes of one socket go to another. `passthrough.py PORT` prints its
own port. It reads nothing, records nothing and serves one server; what it adds is what anything on asyncio adds."""

from __future__ import annotations

import asyncio
import sys


class Side(asyncio.BufferedProtocol):
    """One end of a pair."""

    memory = memoryview(bytearray(256 * 1024))

    def __init__(self, other: Side | None = None) -> None:
        self.other = other
        self.waiting = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.waiting:
            transport.write(self.waiting)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.memory

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self.memory[:nbytes])
        assert self.other is not None
        if self.other.transport is None:
            self.other.waiting += data
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Client(Side):
    """The client's end; it opens the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.other = Side(self)
        super().connection_made(transport)
        other = self.other
        self.opening = asyncio.ensure_future(
            asyncio.get_running_loop().create_connection(lambda: other, "127.0.0.1", int(sys.argv[1]))
        )


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
