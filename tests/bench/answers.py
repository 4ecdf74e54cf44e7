"""Wrong hits and hits of the cache of answers, and what a hit takes: the table in docs/answers.md.

    python tests/bench/answers.py [--write]

Every pair of tests/answers goes through a real proxy: one side is asked, then the other, each pair under a system prompt of
its own so that no pair answers another. What a hit takes is measured against a plain relay of the same request in the same
run, in turn; the upstream is on loopback and answers at once, so this is the dearest comparison there is for a cache. Times
themselves are printed and not written: they are this machine's.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from answering import ASKED, body, echoes, session, target  # noqa: E402
from proxied import Answer, Proxy, connect, read, request  # noqa: E402
from scripts import Upstream, upstream  # noqa: E402

from lynkr.answers.settings import Caching, Mode  # noqa: E402

DOCUMENT = HERE.parent.parent / "docs" / "answers.md"
BEGIN, END = "<!-- pairs: made by tests/bench/answers.py -->", "<!-- end of pairs -->"
MODES: tuple[Mode, ...] = ("exact", "semantic")
ROUNDS, WARM = 300, 20
Pair = dict[str, str]


class Peer:
    """A client that keeps its connection."""

    def __init__(self, lynkr: Proxy) -> None:
        self.lynkr, self.connection = lynkr, connect(lynkr.port)

    def __call__(self, value: dict[str, Any]) -> Answer:
        sent = request(self.lynkr.port, target("anthropic"), json.dumps(value).encode())
        rows = len(self.lynkr.rows)
        self.connection.sendall(sent)
        answer = read(self.connection)
        self.lynkr.row(rows)
        return answer

    def ms(self, value: dict[str, Any]) -> float:
        """How long an answer takes."""
        sent = request(self.lynkr.port, target("anthropic"), json.dumps(value).encode())
        began = time.perf_counter()
        self.connection.sendall(sent)
        read(self.connection)
        return (time.perf_counter() - began) * 1000


def pairs(name: str) -> list[Pair]:
    path = HERE.parent / "answers" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def hits(up: Upstream, folder: Path, mode: Mode, asked: list[Pair]) -> list[bool]:
    """Whether the other side of each pair got the first one's answer."""
    found = []
    with session(up, folder, mode) as lynkr:
        peer = Peer(lynkr)
        for n, pair in enumerate(asked):
            peer(body(said=pair["one"], system=f"{n}"))
            found.append(peer(body(said=pair["other"], system=f"{n}")).header("x-lynkr-answered") is not None)
    return found


def times(up: Upstream, folder: Path) -> dict[str, float]:
    """Milliseconds of a plain relay and of each kind of hit, medians of the same run."""
    with ExitStack() as stack:
        relay = Peer(stack.enter_context(session(up, folder / "none", caching=Caching())))
        cached = Peer(stack.enter_context(session(up, folder / "some", "semantic")))
        # The later asking is found in its normal form each time: an answer that was given again is not kept anew.
        first, other = body(said=ASKED), body(said=ASKED.lower())
        cached(first)
        asks: dict[str, Callable[[], float]] = {
            "relay": lambda: relay.ms(first),
            "exact": lambda: cached.ms(first),
            "semantic": lambda: cached.ms(other),
        }
        taken: dict[str, list[float]] = {name: [] for name in asks}
        # Each follows each other equally often: what one leaves behind to do is not always the same one's burden.
        orders = list(itertools.permutations(asks))
        for n in range(WARM + ROUNDS):
            for name in orders[n % len(orders)]:
                taken[name].append(asks[name]())
        for value, how in ((first, "exact"), (other, "semantic")):
            assert cached(value).header("x-lynkr-answered") == how
    return {name: statistics.median(each[WARM:]) for name, each in taken.items()}


def main() -> list[str]:
    near, same = pairs("near_misses"), pairs("paraphrases")
    trivial = [pair for pair in same if pair["how"] != "free"]
    free = [pair for pair in same if pair["how"] == "free"]
    with tempfile.TemporaryDirectory() as made, upstream(echoes) as up:
        folder = Path(made)
        found = {(mode, name): hits(up, folder / mode / name, mode, asked) for mode in MODES
                 for name, asked in (("near", near), ("trivial", trivial), ("free", free))}  # fmt: skip
        took = times(up, folder / "times")
    for name, ms in took.items():
        print(f"{name}: {ms:.2f} ms", file=sys.stderr)
    for pair, wrong in zip(near, found["semantic", "near"], strict=True):
        if wrong:
            print(f"wrong hit ({pair['how']}): {pair['one']!r} / {pair['other']!r}", file=sys.stderr)
    lines = ["| | `exact` | `semantic` |", "|---|---:|---:|"]
    rows = (("wrong hits on {} near misses", "near", near), ("hits on {} trivial variants", "trivial", trivial),
            ("hits on {} free rewordings", "free", free))  # fmt: skip
    for words, name, asked in rows:
        cells = []
        for mode in MODES:
            many = sum(found[mode, name])
            cells.append(str(many) if name == "near" else f"{many / len(asked):.0%}")
        lines.append(f"| {words.format(len(asked))} | {' | '.join(cells)} |")
    shares = " | ".join(f"{took[mode] / took['relay']:.1f} ×" for mode in MODES)
    lines.append(f"| time of a hit against a relay to a server on this machine that answers at once | {shares} |")
    return lines


if __name__ == "__main__":
    made = main()
    print("\n".join(made))
    if "--write" in sys.argv:
        text = DOCUMENT.read_text("utf-8")
        head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
        DOCUMENT.write_text(head + "\n" + "\n".join(made) + "\n" + tail, "utf-8")
