"""Listens between a real tool and lynkr, to know what the tool sent: `tap.py RECORD NAME=URL... -- COMMAND`.

Runs as the child of `lynkr run`, starts COMMAND with the base URLs led through itself, and writes each connection's
bytes to RECORD.N as the tool sent them. Only the port in the Host header is changed on the way.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path


def main() -> None:
    record, at = sys.argv[1], sys.argv.index("--")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", os.environ["LYNKR_URL"])[1])  # type: ignore[index]
    listener = socket.create_server(("127.0.0.1", 0))
    mine = listener.getsockname()[1]
    threading.Thread(target=accept, args=(listener, mine, port, record), daemon=True).start()
    here, there = f"127.0.0.1:{port}", f"127.0.0.1:{mine}"
    command = []
    for word in sys.argv[at + 1 :]:
        path = Path(word)
        if word.endswith("claude-settings.json"):
            moved = path.with_name("tapped.json")
            moved.write_text(path.read_text().replace(here, there))
            word = str(moved)
        command.append(word.replace(here, there))
    environ = {name: value.replace(here, there) for name, value in os.environ.items()}
    sys.exit(subprocess.run(command, env=environ, check=False).returncode)


def accept(listener: socket.socket, mine: int, port: int, record: str) -> None:
    number = 0
    while True:
        client, _ = listener.accept()
        lynkr = socket.create_connection(("127.0.0.1", port))
        file = Path(f"{record}.{number}")
        number += 1
        here, there = f"127.0.0.1:{mine}".encode(), f"127.0.0.1:{port}".encode()
        threading.Thread(target=pump, args=(client, lynkr, file, here, there), daemon=True).start()
        threading.Thread(target=pump, args=(lynkr, client, None, b"", b""), daemon=True).start()


def pump(source: socket.socket, sink: socket.socket, file: Path | None, old: bytes, new: bytes) -> None:
    while data := source.recv(65536):
        if file:
            with file.open("ab") as out:
                out.write(data)
            data = data.replace(old, new)
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
