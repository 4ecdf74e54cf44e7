"""The way out: what is sent, piece by piece."""

from __future__ import annotations

import socket
import threading

import pytest
from proxied import anthropic_lane, ask, proxy


@pytest.mark.parametrize("size", [2_000, 3_000_000])
def test_a_small_request_leaves_in_one_piece_and_a_large_one_whole(size: int) -> None:
    body = b"{" + b" " * size + b"THE END}"
    pieces: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            while not (pieces and pieces[-1].endswith(b"END}")):
                pieces.append(connection.recv(1 << 20))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        with proxy(anthropic_lane(f"http://127.0.0.1:{listener.getsockname()[1]}")) as lynkr:
            assert ask(lynkr.port, "/v1/messages", body).body == b"{}"
    assert b"".join(pieces).endswith(body)
    assert (len(pieces) == 1) is (size < 10_000)
