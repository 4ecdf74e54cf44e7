"""A soak of `lynkr serve`: `python tests/bench/standing.py [SECONDS] [--streams N]`.

So many streams at once, each of thirty events `--gap` apart, then the next one on the same connection. The same load
goes to the upstream directly before and after, so that what the machine and this client add is known. Every event says
when it was sent; the clock is the machine's own and the same in all processes. Meanwhile somebody new asks every second
whether the proxy lives. In the end the ids of all answers are looked for in the ledger.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio.abc import SocketAttribute, SocketStream

EVENTS = 30
TOKEN = "soak" * 8
PROFILE = '[lanes.main]\nprovider = "anthropic"\nauth = "client"\nbase_url = "http://127.0.0.1:{port}"\n'
LINE = "    def method(self, value: int) -> str:\\n        return str(value)\\n"
BODY = (
    '{"model": "claude-haiku-5-5", "max_tokens": 1000, "stream": true, "messages": [{"role": "user", "content": "%s"}]}'
    % (LINE * 60)
).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SENT = re.compile(rb"sent at (\d+)")
ID = re.compile(rb"\r\nx-lynkr-request: (\w+)\r\n", re.IGNORECASE)
TAIL = b"0\r\n\r\n"
START = (
    'message_start\ndata: {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", '
    '"model": "claude-haiku-5-5", "content": [], "stop_reason": null, "usage": {"input_tokens": 10, "output_tokens": 1}}}'
)
STOP = (
    'message_delta\ndata: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 30}}'
    '\n\nevent: message_stop\ndata: {"type": "message_stop"}'
)
DELTA = (
    'content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", '
    '"text": "sent at %d"}}'
)


def frame(text: str) -> bytes:
    said = f"event: {text}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(said), said)


async def upstream(gap_s: float) -> None:
    """Serves for ever. Prints its port."""

    async def one(stream: SocketStream) -> None:
        prompt(stream)
        heard = b""
        async with stream:
            while True:
                try:
                    while (end := heard.find(b"\r\n\r\n")) < 0 or len(heard) < end + 4 + length(heard[:end]):
                        heard += await stream.receive(262_144)
                    heard = heard[end + 4 + length(heard[:end]) :]
                    await stream.send(HEAD + frame(START))
                    for _ in range(EVENTS):
                        await anyio.sleep(gap_s)
                        await stream.send(frame(DELTA % time.monotonic_ns()))
                    await stream.send(frame(STOP) + TAIL)
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1024)
    print(listener.extra(SocketAttribute.local_port), flush=True)
    await listener.serve(one)


def length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)


def prompt(stream: SocketStream) -> None:
    """Sends every event by itself, at once."""
    stream.extra(SocketAttribute.raw_socket).setsockopt(6, 1, 1)


@dataclass
class Heard:
    """What came back: milliseconds from an event's sending, to a first byte, of whole streams; ids; what went wrong."""

    events: array[float] = field(default_factory=lambda: array("d"))
    firsts: array[float] = field(default_factory=lambda: array("d"))
    streams: array[float] = field(default_factory=lambda: array("d"))
    ids: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Load:
    """So many streams, and how far apart their events are."""

    streams: int
    gap_s: float

    async def on(self, port: int, prefix: str, seconds: float, heard: Heard) -> None:
        """Keeps the streams under way, each on a connection of its own."""
        async with anyio.create_task_group() as group:
            for number in range(self.streams):
                wait_s = number * EVENTS * self.gap_s / self.streams
                group.start_soon(one_after_another, port, prefix, wait_s, seconds, heard)


async def one_after_another(port: int, prefix: str, wait_s: float, seconds: float, heard: Heard) -> None:
    request = (
        f"POST {prefix}/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-api-key: sk-fake\r\n"
        f"anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY
    ends = time.monotonic() + seconds
    stream: SocketStream | None = None
    await anyio.sleep(wait_s)
    while time.monotonic() < ends:
        try:
            if stream is None:
                stream = await anyio.connect_tcp("127.0.0.1", port)
                prompt(stream)
            await ask(stream, request, heard)
        except (anyio.EndOfStream, OSError, anyio.BrokenResourceError) as error:
            heard.wrong[type(error).__name__] += 1
            stream = None
            await anyio.sleep(0.1)
    if stream is not None:
        await stream.aclose()


async def probe(port: int, took: array[float]) -> None:
    """Asks whether it lives, as a balancer does: on a new connection, every second."""
    request = f"GET /{TOKEN}/health/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    while True:
        began = time.monotonic_ns()
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(request)
            assert (await stream.receive()).startswith(b"HTTP/1.1 200")
        took.append((time.monotonic_ns() - began) / 1e6)
        await anyio.sleep(1)


async def ask(stream: SocketStream, request: bytes, heard: Heard) -> None:
    """One request and its answer, to the end."""
    began, first, events, tail = time.monotonic_ns(), 0, 0, b""
    await stream.send(request)
    while not tail.endswith(TAIL):
        data = await stream.receive(262_144)
        now = time.monotonic_ns()
        if not first:
            first = now
            if not data.startswith(b"HTTP/1.1 200"):
                heard.wrong[data.split(b"\r\n")[0].decode("latin-1")] += 1
                raise OSError
            heard.ids += [found.decode() for found in ID.findall(data)]
        for sent in SENT.findall(data):
            heard.events.append((now - int(sent)) / 1e6)
            events += 1
        tail = (tail + data)[-200:]
    if events != EVENTS or b"message_stop" not in tail:
        heard.wrong["not whole"] += 1
    heard.firsts.append((first - began) / 1e6)
    heard.streams.append((now - began) / 1e6)


@dataclass
class Watched:
    """The proxy's process over time."""

    pid: int

    def look(self, when: str) -> None:
        status = Path(f"/proc/{self.pid}/status").read_text()
        resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
        files = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        used = sum(map(int, Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        cpu = used / os.sysconf("SC_CLK_TCK")
        waited = int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9  # for one of the machine's cores
        print(
            f"{when:>12}: RSS {resident:7.1f} MB, {files:4d} descriptors, CPU {cpu:7.1f} s, waited {waited:7.1f} s",
            flush=True,
        )

    async def over(self, seconds: float) -> None:
        for quarter in range(1, 4):
            await anyio.sleep(seconds / 4)
            self.look(f"{quarter * 25} %")


async def measure(direct: int, port: int, pid: int, load: Load, seconds: float) -> tuple[Heard, Heard, Heard]:
    """(directly, warming up, through lynkr)."""
    alone, warm, through = Heard(), Heard(), Heard()
    watched, looks = Watched(pid), array("d")
    watched.look("idle")
    part = max(seconds / 20, 10.0)
    await load.on(direct, "", part, alone)
    await load.on(port, f"/{TOKEN}", 10.0, warm)
    watched.look("start")
    async with anyio.create_task_group() as group:
        group.start_soon(watched.over, seconds)
        group.start_soon(probe, port, looks)
        await load.on(port, f"/{TOKEN}", seconds, through)
        group.cancel_scope.cancel()
    watched.look("100 %")
    await load.on(direct, "", part, alone)
    watched.look("afterwards")
    print(f"/health/live on a new connection: p50 {statistics.median(looks):.1f}, longest {max(looks):.1f} ms")
    return alone, warm, through


def quantiles(values: array[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[98]


def told(alone: Heard, through: Heard) -> None:
    for what in ("events", "firsts", "streams"):
        (a50, a99), (b50, b99) = quantiles(getattr(alone, what)), quantiles(getattr(through, what))
        held = b99 / a99 <= 2 * b50 / a50
        print(
            f"{what:>8}: direct p50 {a50:.2f} p99 {a99:.2f}, through p50 {b50:.2f} p99 {b99:.2f} ms; added p50 "
            f"{b50 - a50:.2f} p99 {b99 - a99:.2f}; ratios {b50 / a50:.2f} and {b99 / a99:.2f} ({'held' if held else 'not held'})"
        )


def kept(ledger: Path, answered: list[str]) -> None:
    with closing(sqlite3.connect(ledger)) as db:
        rows = dict(db.execute("SELECT id, outcome FROM requests").fetchall())
    lost = [each for each in answered if each not in rows]
    print(f"answers {len(answered)}, of them different {len(set(answered))}; rows {len(rows)}, {dict(Counter(rows.values()))}; "
          f"answers without a row {len(lost)}, rows without an answer {len(set(rows) - set(answered))}")  # fmt: skip


def stands(home: Path, process: subprocess.Popen[bytes]) -> int:
    """The port of the proxy, once it has left its note."""
    for _ in range(300):
        notes = list((home / "lynkr" / "state").rglob("*.json"))
        if ports := [note.stem for note in notes if note.stem.isdigit()]:
            return int(ports[0])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the proxy does not stand")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=float, default=60.0)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--gap", type=float, default=0.15, help="seconds between two events of a stream")
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        anyio.run(upstream, given.gap)
        return
    load = Load(given.streams, given.gap)
    server = subprocess.Popen(
        [sys.executable, __file__, "--upstream", "--gap", str(given.gap)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout
    direct = int(server.stdout.readline())
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        path = home / "lynkr" / "config" / "profiles" / "soak.toml"
        path.parent.mkdir(parents=True)
        path.write_text(PROFILE.format(port=direct))
        environ = {"PATH": os.environ["PATH"], "HOME": name, "LYNKR_HOME": f"{name}/lynkr", "LYNKR_SERVE_TOKEN": TOKEN}
        command = [sys.executable, "-m", "lynkr", "serve", "-p", "soak", "--port", "0", "-q", "--log", f"{name}/log"]
        proxy = subprocess.Popen(command, env=environ)
        try:
            port = stands(home, proxy)
            time.sleep(1)
            alone, warm, through = anyio.run(measure, direct, port, proxy.pid, load, given.seconds)
            proxy.send_signal(signal.SIGINT)
            print(f"ended with status {proxy.wait(30)}")
        finally:
            for process in (proxy, server):
                process.kill()
                process.wait()
        told(alone, through)
        kept(home / "lynkr" / "data" / "ledger.db", warm.ids + through.ids)
        streams = len(warm.streams) + len(through.streams)
        print(f"whole streams {streams}, {len(through.streams) / given.seconds:.0f} a second; went wrong: "
              f"directly {dict(alone.wrong)}, through {dict(warm.wrong + through.wrong)}")  # fmt: skip


if __name__ == "__main__":
    main()
