"""Many clients at once, as one process: `crowd.py PORT PREFIX CONNECTIONS SECONDS` prints how many small requests were
answered in that time, and how many in all, with the second before it in which everything becomes warm. It does as little as it can, so that the one who is asked is the one who is busy."""

from __future__ import annotations

import asyncio
import sys

from client import HEADERS, body


class Client(asyncio.Protocol):
    """Asks again as soon as it has been answered."""

    def __init__(self, request: bytes) -> None:
        self.request, self.answered, self.tail = request, 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-16:]
        if self.tail.endswith((b"}}", b"}}\r\n0\r\n\r\n")):
            self.answered, self.tail = self.answered + 1, b""
            self.transport.write(self.request)


async def main(port: int, prefix: str, connections: int, seconds: float) -> tuple[int, int]:
    data = body(800, streamed=False)
    head = f"POST {prefix}/v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{HEADERS}Content-Length: {len(data)}"
    request = head.encode() + b"\r\n\r\n" + data
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(request), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.sleep(1)  # until all of it is warm
    before = sum(client.answered for client in clients)
    await asyncio.sleep(seconds)
    answered = sum(client.answered for client in clients)
    return answered - before, answered


if __name__ == "__main__":
    print(*asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
