"""A scripted upstream at a port that has to be that very one, such as those that model servers take by themselves."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator

import pytest
from scripts import Script, Upstream, serve


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def at_port(port: int, script: Script) -> Iterator[Upstream]:
    """Serves at `port` of 127.0.0.1; skips the test where somebody else has it."""
    state = Upstream(script, port)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, EOFError):
                serve(self.request, state)

    try:
        server = _Server(("127.0.0.1", port), Connection)
    except OSError:
        pytest.skip(f"port {port} is taken on this machine")
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield state
        finally:
            server.shutdown()
