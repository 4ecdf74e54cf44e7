"""llama.cpp's own HTTP server with a model from a file: `python -m lynkr.demo.llama FILE.gguf`.

From the wheel `xllamacpp` (the extra `gguf`). One thread: two that share a busy core are slower than one.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

CONTEXT = 8192
READY_WITHIN_S = 300.0


def main() -> None:
    """Loads the model and serves it until ended; the first line says where, once it can answer."""
    import xllamacpp  # an extra

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_ctx, params.n_parallel = CONTEXT, 1
    params.cpuparams.n_threads = 1
    params.use_jinja, params.ui = True, False
    server = xllamacpp.Server(params)
    deadline = time.monotonic() + READY_WITHIN_S
    while not _healthy(port):
        if time.monotonic() > deadline:
            sys.exit("the model was not ready in time")
        time.sleep(0.2)
    print(f"listening {port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    del server


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    main()
