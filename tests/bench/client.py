"""The benchmark's client: runs as the child of `lynkr run`, and asks directly and through lynkr in turn.

Arguments: the direct port, the number of rounds. Prints JSON: per case the added latency in ms (median and 99th
percentile of the differences to the direct median), and the proxy's CPU and memory.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TICK = os.sysconf("SC_CLK_TCK")
HEADERS = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Accept": "application/json", "Content-Type": "application/json", "anthropic-version": "2023-06-01",
        "User-Agent": "claude-cli/2.1.329 (external, cli)", "x-app": "cli", "x-api-key": "sk-fake", "Connection": "keep-alive",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
        "X-Stainless-Lang": "js", "X-Stainless-Runtime": "node", "X-Stainless-Retry-Count": "0", "X-Stainless-Timeout": "600",
        "Accept-Encoding": "gzip, deflate, br, zstd", "x-claude-code-request-class": "main",
    }.items()
)  # fmt: skip


def body(size: int, *, streamed: bool) -> bytes:
    """A request of about `size` bytes: text and tool results as a coding session has them."""
    line = "    def method(self, value: int) -> str:\n        return \"escaped \\\\ and 'quoted'\" + str(value)\n"
    data: dict[str, Any] = {"model": "claude-opus-5-5", "stream": streamed, "max_tokens": 1000, "messages": []}
    while len(json.dumps(data)) < size:
        data["messages"] += [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {"path": "x.py"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": line * 50}]},
        ]
    return json.dumps(data).encode()


class Peer:
    """A keep-alive connection to the direct server or to lynkr; made anew where the other side has given it up."""

    def __init__(self, port: int, prefix: str) -> None:
        self.port = port
        self.connect()
        self.head = f"POST {prefix}/v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{HEADERS}"

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(60)

    def ask(self, data: bytes, last: bytes, extra: str = "") -> tuple[float, float]:
        """(ms to the first byte of the body, ms in all). `last` ends the answer, where no length does."""
        try:
            return self._ask(data, last, extra)
        except (BrokenPipeError, ConnectionResetError, EOFError) as gone:
            if gone.args[0] and isinstance(gone, EOFError):
                raise  # in the middle of its answer
            self.socket.close()
            self.connect()
            return self._ask(data, last, extra)

    def _ask(self, data: bytes, last: bytes, extra: str) -> tuple[float, float]:
        sent = f"{self.head}{extra}Content-Length: {len(data)}\r\n\r\n".encode() + data
        began, first, tail, seen, left, sized = time.perf_counter(), 0.0, b"", False, 1, False
        self.socket.sendall(sent)
        while left > 0 and not tail.endswith(last):
            chunk = self.socket.recv(262_144)
            if not chunk:
                raise EOFError(tail)
            if seen:
                left -= len(chunk) if sized else 0
            elif (end := (tail + chunk).find(b"\r\n\r\n")) >= 0:
                _, _, rest = (tail + chunk).lower()[:end].partition(b"\r\ncontent-length:")
                sized = bool(rest)
                left = int(rest.split(b"\r\n")[0]) - (len(tail + chunk) - end - 4) if sized else 1
            tail = (tail + chunk)[-4096:] if seen else tail + chunk
            if not seen and b"\r\n\r\n" in tail and not tail.endswith(b"\r\n\r\n"):
                seen, first = True, time.perf_counter()
                assert tail.startswith(b"HTTP/1.1 200"), tail
        done = time.perf_counter()
        return ((first or done) - began) * 1000, (done - began) * 1000


def cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICK


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def compare(
    direct: Peer, lynkr: Peer, data: bytes, last: bytes, rounds: int, pid: int, extra: str = ""
) -> dict[str, float]:
    """Asks both in turn and compares; the first tenth warms up."""
    times: dict[str, list[tuple[float, float]]] = {"direct": [], "lynkr": []}
    before = cpu_ms(pid)
    for number in range(rounds):
        order = (("direct", direct), ("lynkr", lynkr))
        for name, peer in order if number % 2 else order[::-1]:
            times[name].append(peer.ask(data, last, extra))
    used = cpu_ms(pid) - before
    result: dict[str, float] = {"cpu_ms_per_request": round(used / rounds, 3)}
    for at, kind in ((0, "first"), (1, "total")):
        a, b = ([pair[at] for pair in times[name][rounds // 10 :]] for name in ("direct", "lynkr"))
        base = statistics.median(a)
        result[f"{kind}_direct_p50_ms"] = round(base, 3)
        result[f"{kind}_added_p50_ms"] = round(statistics.median(b) - base, 3)
        result[f"{kind}_added_p99_ms"] = round(
            statistics.quantiles(b, n=100)[98] - statistics.quantiles(a, n=100)[98], 3
        )
    return result


def main() -> None:
    port, rounds = int(sys.argv[1]), int(sys.argv[2])
    where, pid = urlsplit(os.environ["ANTHROPIC_BASE_URL"]), os.getppid()
    assert where.port
    direct, lynkr = Peer(port, ""), Peer(where.port, where.path)
    lynkr.ask(body(100, streamed=False), b"}}")
    time.sleep(0.3)
    result: dict[str, Any] = {"rss_idle_mb": round(rss_mb(pid), 1)}
    result["small"] = compare(direct, lynkr, body(800, streamed=False), b"}}", rounds, pid)
    result["300 kB"] = compare(direct, lynkr, body(300_000, streamed=False), b"}}", rounds // 2, pid)
    events, end = body(800, streamed=True), b"\r\n0\r\n\r\n"
    result["5 events"] = compare(direct, lynkr, events, end, rounds // 2, pid, "x-few: yes\r\n")
    result["400 events"] = compare(direct, lynkr, events, end, rounds // 4, pid)
    result["400 events, paced"] = compare(direct, lynkr, events, end, max(12, rounds // 50), pid, "x-paced: yes\r\n")
    for _ in range(max(0, 1000 - rounds - 2 * (rounds // 2) - rounds // 4)):
        lynkr.ask(body(800, streamed=False), b"}}")
    result["rss_after_mb"] = round(rss_mb(pid), 1)
    result["client_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
