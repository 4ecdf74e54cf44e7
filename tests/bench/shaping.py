"""What compression costs: `python tests/bench/shaping.py [--json]`.

A conversation of recorded outputs (tests/recorded) and of files that are read again grows turn by turn. How long does a
further turn take where it has 15,000 tokens, and where it has 150,000 and 300,000? And how long does a result of 100 kB
take, by what gave it? Times are the least of several runs, of processor time; a turn's size is the same everywhere.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from lynkr.formats import Match
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.documents import Documents
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.shaping import Shaping
from lynkr.transforms.settings import Settings
from lynkr.transforms.shaper import alone

RECORDED = Path(__file__).parent.parent / "recorded"
SIZES = (15_000, 50_000, 150_000, 300_000)
LARGE = 100_000
CHARS_PER_TOKEN = 4
LANE = Lane("a", "anthropic", (Format.ANTHROPIC,), Auth.KEY, "http://127.0.0.1")
FILE = "".join(f"{n:6d}\tvalue_{n} = compute({n}, other={n * 7})\n" for n in range(1, 120))


def outputs() -> Iterator[tuple[str, str]]:
    """Commands and what they gave, of two to six kB each, in an order that mixes programs."""
    found = []
    for path in sorted(RECORDED.glob("*/*.toml"), key=lambda path: (path.stem, path.parent.name)):
        text = path.with_suffix(".out").read_bytes().decode("utf-8", "replace")
        if 2_000 <= len(text) <= 6_000:
            found.append((tomllib.loads(path.read_text("utf-8"))["command"], text))
    yield from found


def conversation(tokens: int, turns: int) -> list[bytes]:
    """The bodies of `turns` requests of a conversation that has about so many tokens; what is new is always the same."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "mend it"}]
    known, size = list(outputs()), 0
    fresh = known[:turns]
    for n, (command, text) in enumerate(cycle(known[turns:])):
        if size > tokens * CHARS_PER_TOKEN:
            break
        size += _step(messages, n, command, text)
    bodies = [json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()]
    for n, (command, text) in enumerate(fresh):
        _step(messages, 100_000 + n, command, text)
        bodies.append(json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode())
    return bodies


def _step(messages: list[dict[str, Any]], n: int, command: str, text: str) -> int:
    """Adds a call and its result; how long that is."""
    again = n % 4 == 0
    use = (
        {"name": "Read", "input": {"file_path": "/w/a.py"}}
        if again
        else {"name": "Bash", "input": {"command": command}}
    )
    given = FILE.replace(f"value_{n % 99} =", f"changed_{n} =") if again else f"run {n}\n{text}"
    messages.append({"role": "assistant", "content": [{"type": "tool_use", "id": f"c{n}", **use}]})
    messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"c{n}", "content": given}]})
    return len(given)


def turn_ms(tokens: int, turns: int = 8, runs: int = 5) -> float:
    """Milliseconds of processor time for a further turn of a conversation with so many tokens."""
    bodies, best = conversation(tokens, turns), [float("inf")] * turns
    for _ in range(runs):
        shaping, documents = Shaping(Settings(tool_results=True), lambda change, request: None), Documents()
        for n, body in enumerate(bodies):
            inbound = Inbound(
                Request("POST", "/v1/messages", [], None),
                {},
                Match(Format.ANTHROPIC, True, None),
                body,
                "x",
                0,
                reading=documents.read,
            )
            began = time.process_time()
            outcome = shaping(inbound, LANE)
            taken = (time.process_time() - began) * 1000
            assert outcome.faults == 0
            if n:
                best[n - 1] = min(best[n - 1], taken)
    return sum(best) / len(best)


def large_ms(runs: int = 3) -> dict[str, float]:
    """Milliseconds for 100 kB of each program's output, repeated with other figures where less was recorded."""
    found = dict[str, float]()
    for folder in sorted(path for path in RECORDED.iterdir() if path.is_dir()):
        path = max(folder.glob("*.out"), key=lambda path: path.stat().st_size)
        command = tomllib.loads(path.with_suffix(".toml").read_text("utf-8"))["command"]
        text = path.read_bytes().decode("utf-8", "replace")
        copies = (text.replace("1", str(n)) for n in range(2, 1000))
        whole = text
        while len(whole) < LARGE:
            whole += next(copies)
        best = float("inf")
        for _ in range(runs):
            began = time.process_time()
            alone(whole[:LARGE], command)
            best = min(best, (time.process_time() - began) * 1000)
        found[folder.name] = best
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    turns = {size: turn_ms(size) for size in SIZES}
    large = large_ms()
    if options.json:
        print(json.dumps({"turn_ms": turns, "large_ms": large}, indent=1))
        return
    first = turns[SIZES[0]]
    for size, taken in turns.items():
        print(f"a further turn at {size:>7,} tokens: {taken:6.2f} ms   {taken / first:5.2f}")
    middle = sorted(large.values())[len(large) // 2]
    print(f"a result of 100 kB: {middle:.1f} ms in the middle of {len(large)} programs")
    for name, taken in sorted(large.items(), key=lambda pair: -pair[1])[:8]:
        print(f"    {name:12} {taken:6.1f} ms")


if __name__ == "__main__":
    main()
