"""lynkr beside others and beside nothing: `python tests/bench/peers.py [--rounds N] [--write]`.

All are asked in turn, in one run, over connections that stay open; what the machine does in a slow moment it does to
each of them. Those that are not installed (nginx, ccr, litellm) are left out, and the page says so. `--write` makes
docs/benchmarks.md of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import contestants
from bench import launching
from client import Peer, body, cpu_ms, rss_mb
from contestants import Contestant
from curve import Point, curve, drawing

ROOT = Path(__file__).parents[2]
PAGE, DRAWING = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"
EVENTS = 400
WHOLE, STREAMED = b"}}", b"\r\n0\r\n\r\n"
SIZES = {"small": 800, "300 kB": 300_000}
CONNECTIONS, SECONDS = 64, 3.0


@dataclass
class Figures:
    """What was measured of one: milliseconds by case, and more."""

    who: Contestant
    total: dict[str, list[float]] = field(default_factory=dict)
    # The first event of a short stream, and of one that all have paused for.
    first: list[float] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    cpu_us_per_event: float | None = None
    per_second: list[float] = field(default_factory=list)
    cpu_us_per_request: float | None = None
    rss_mb: float | None = None

    def p50(self, case: str) -> float:
        return statistics.median(self.total[case])

    def p90(self, case: str) -> float:
        return statistics.quantiles(self.total[case], n=10)[8]


def in_turn(found: list[Figures], rounds: int) -> None:
    """Every case, every contestant, in an order that changes."""
    peers = [Peer(each.who.port, each.who.prefix) for each in found]
    asked = body(800, streamed=True)
    for _ in range(max(10, rounds // 40)):
        for peer, each in random.sample(list(zip(peers, found, strict=True)), len(found)):
            first, _ = peer.ask(asked, STREAMED, "x-paced: yes\r\n")
            each.paused.append(first)
    for number in range(-20, rounds // 2):
        for peer, each in random.sample(list(zip(peers, found, strict=True)), len(found)):
            first, _ = peer.ask(asked, STREAMED, "x-few: yes\r\n")
            if number >= 0:
                each.first.append(first)
    for case, size in SIZES.items():
        asked = body(size, streamed=False)
        # The first of a kind costs what no later one does: a connection, code that has not run.
        for number in range(-20, rounds if size < 10_000 else rounds // 2):
            for peer, each in random.sample(list(zip(peers, found, strict=True)), len(found)):
                _, total = peer.ask(asked, WHOLE)
                if number >= 0:
                    each.total.setdefault(case, []).append(total)


def events(each: Figures) -> None:
    """Processor time for each event that is relayed, without what the request itself takes."""
    if each.who.pid is None:
        return
    peer = Peer(each.who.port, each.who.prefix)
    few, many = body(800, streamed=False), body(800, streamed=True)
    spent = {}
    for asked, last in ((few, WHOLE), (many, STREAMED)):
        peer.ask(asked, last)
        before, asks, ends = cpu_ms(each.who.pid), 0, time.monotonic() + SECONDS
        while time.monotonic() < ends:
            peer.ask(asked, last)
            asks += 1
        spent[last] = (cpu_ms(each.who.pid) - before) / asks
    each.cpu_us_per_event = (spent[STREAMED] - spent[WHOLE]) * 1000 / EVENTS


def crowd(each: Figures) -> None:
    """Small requests a second over many connections at once, by clients that are processes of their own; the contestant
    has one core for itself, as far as the machine has two."""
    if each.who.pid is None:
        return
    with pinned(each.who.pid, {0}):
        before = cpu_ms(each.who.pid)
        command = [sys.executable, str(Path(__file__).parent / "crowd.py"), str(each.who.port), each.who.prefix,
                   str(CONNECTIONS), str(SECONDS)]  # fmt: skip
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        served, answered = map(int, said.split())
        each.per_second.append(served / SECONDS)
        each.cpu_us_per_request = (cpu_ms(each.who.pid) - before) * 1000 / answered


@contextlib.contextmanager
def pinned(pid: int, cores: set[int]) -> Iterator[None]:
    """A process and its threads on some cores alone, and everybody else on the others."""
    every = os.sched_getaffinity(0)
    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    for thread in threads:
        os.sched_setaffinity(thread, cores)
    os.sched_setaffinity(0, every - cores or every)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, every)


def measured(rounds: int, names: list[str]) -> tuple[list[Figures], list[Point]]:
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(contestants.server())

        def home() -> Path:
            return Path(stack.enter_context(tempfile.TemporaryDirectory()))

        found = [Figures(Contestant("direct", "", upstream))]
        makes = [contestants.passthrough, contestants.lynkr, *(contestants.PEERS[name] for name in names)]
        found += [Figures(stack.enter_context(make(upstream, home()))) for make in makes]
        squeezed = stack.enter_context(contestants.lynkr(upstream, home(), contestants.KEYED, "lynkr, compressing"))
        found.append(Figures(squeezed))
        in_turn(found, rounds)
        for each in found:
            events(each)
        for _ in range(3):
            for each in random.sample(found, len(found)):
                crowd(each)
        for each in found:
            each.rss_mb = rss_mb(each.who.pid) if each.who.pid else None
        lynkr = next(each.who for each in found if each.who.name == "lynkr")
        points = curve(upstream, {"relayed": lynkr, "compressed": squeezed})
        return found, points


def table(found: list[Figures]) -> list[str]:
    direct = found[0]
    lines = ["| | version | small, added p50 · p90 | 300 kB, added p50 · p90 | first event, added p50 · after a pause | CPU an event | "
             "requests/s on one core | CPU a request | memory after |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for each in found:
        if each is direct:
            continue
        added = [
            f"{each.p50(case) - direct.p50(case):.2f} · {each.p90(case) - direct.p90(case):.2f} ms" for case in SIZES
        ]
        first, paused = (
            statistics.median(one) - statistics.median(other)
            for one, other in ((each.first, direct.first), (each.paused, direct.paused))
        )
        lines.append(
            f"| {each.who.name} | {each.who.version} | {' | '.join(added)} | {first:.2f} · {paused:.2f} ms | "
            f"{each.cpu_us_per_event:.0f} µs | {statistics.median(each.per_second):,.0f} | "
            f"{each.cpu_us_per_request:.0f} µs | {each.rss_mb:.0f} MB |"
        )
    return lines


def machine() -> str:
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu}, {cores} cores, {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}"


def page(found: list[Figures], points: list[Point], launch: dict[str, float], left_out: list[str], rounds: int) -> str:
    direct = found[0]
    lines = [
        "# Benchmarks",
        "",
        f"Measured on {time.strftime('%Y-%m-%d')} by `python tests/bench/peers.py --rounds {rounds} --write`, which "
        "makes this page; nothing here is written by hand.",
        "",
        f"Machine: {machine()}. Everything runs on it, upstream and client too, and other work may have run beside. All "
        "are asked in turn in one run, over connections that stay open, by one client; the upstream answers at once.",
        "",
        f"A direct small request takes {direct.p50('small'):.2f} ms here, one of 300 kB {direct.p50('300 kB'):.2f} ms, "
        f"the first event of a stream {statistics.median(direct.first):.2f} ms, and {statistics.median(direct.paused):.2f} "
        "ms after a pause of some seconds, in which the others were asked. What they add to that:",
        "",
        *table(found),
        "",
        "“asyncio, bytes only” is a proxy of eighty lines that copies bytes and looks at nothing: less than that nobody "
        "adds who uses Python's event loop. lynkr relays a lane with the tool's own login, unchanged, and records every "
        "request; “lynkr, compressing” has a lane with a key, and tool results are compressed. The client asks for the "
        f"same body again and again. Requests a second: {CONNECTIONS} connections, the contestant on one core. Memory: "
        "after all of that; lynkr keeps each request's row, some 1 kB, until the session ends.",
    ]
    if left_out:
        lines += ["", f"Not installed, so not measured: {', '.join(left_out)}."]
    lines += [
        "",
        "## A session's start",
        "",
        f"- `lynkr run -- true`: {launch['run_true_s'] * 1000:.0f} ms (`true` alone: {launch['true_s'] * 1000:.1f} ms)",
        f"- until the child runs: {launch['child_running_s'] * 1000:.0f} ms",
        f"- `lynkr --help`: {launch['help_s'] * 1000:.0f} ms; completing an option: {launch['complete_s'] * 1000:.0f} ms;"
        f" `python -c pass`: {launch['python_s'] * 1000:.0f} ms",
        "",
        "## The cost of a turn, by how long the conversation is",
        "",
        "Each turn sends the whole conversation again, with some 2 kB that are new, up to 500 turns and 1 MB. In "
        "milliseconds, medians of turns around each point; added is what lynkr takes beyond the direct request of the "
        "same body.",
        "",
        "![Milliseconds a turn, by turns](benchmarks.svg)",
        "",
        "| turns | body | direct | relayed, added | compressed, added |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {point.turns} | {point.kilobytes:,.0f} kB | {point.direct:.2f} | {point.added['relayed']:.2f} | "
          f"{point.added['compressed']:.2f} |" for point in points),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    names = contestants.there(list(contestants.PEERS))
    found, points = measured(given.rounds, names)
    with tempfile.TemporaryDirectory() as name:
        launch = launching(Path(name), 15)
    said = page(found, points, launch, [name for name in contestants.PEERS if name not in names], given.rounds)
    print(said)
    if given.write:
        PAGE.write_text(said, "utf-8")
        DRAWING.write_text(drawing(points), "utf-8")


if __name__ == "__main__":
    main()
