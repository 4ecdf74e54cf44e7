"""What routing makes of recorded sessions: the bill of two lanes under the cache's rules; the table in docs/routing.md.

    python tests/bench/routing.py SESSION.json... [--write]

A session is a JSON file with `messages` in Anthropic's format. Each turn goes to the desk as the tool would send it; a
lane reads from its cache what it had in its last request of the session, and writes the rest, which is exact for a
conversation that only grows. Tokens are characters by four on all sides, prices those of the package. Answers are the
recorded ones, whichever lane gives them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lynkr.changes import Switch
from lynkr.formats import anthropic
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import CHARS_PER_TOKEN, Meter
from lynkr.ledger.prices import table
from lynkr.routing.asking import asking
from lynkr.routing.desk import Ask, Desk
from lynkr.routing.economy import Rates, cost
from lynkr.routing.router import router
from lynkr.routing.seats import Seat
from lynkr.routing.tiers import Work
from lynkr.usage import Usage

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "routing.md"
BEGIN, END = "<!-- replay: made by tests/bench/routing.py -->", "<!-- end of replay -->"
STRONG, PAIRS = "claude-opus-5-5", ("claude-haiku-5-5", "claude-sonnet-5-5")
# A session with so many requests was large work.
LARGE, GAP_S = 40, 20.0


class Guess(Desk):
    """Chooses at the start and stays there."""

    def _seated(self, seat: Seat, ask: Ask, found: Work) -> Switch | None:
        seat.seen = len(ask.conversation.turns)
        return None


class Ran(NamedTuple):
    usd: float
    strong: float
    requests: int
    strong_requests: int
    ended_strong: bool


def turns(session: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int, int]]:
    """(a request, its tokens, those of its answer) for each answer of a session."""
    messages = session["messages"]
    system = str(session.get("system") or "")
    size = len(system)
    for n, message in enumerate(messages):
        length = len(json.dumps(message["content"], ensure_ascii=False))
        if message["role"] == "assistant":
            body = {"model": STRONG, "max_tokens": 32000, "system": system, "messages": messages[:n],
                    "tools": [{"name": "Bash", "input_schema": {}}]}  # fmt: skip
            yield body, size // CHARS_PER_TOKEN, length // CHARS_PER_TOKEN
        size += length


def run(session: dict[str, Any], cheap: str, kind: type[Desk]) -> Ran:
    """What a session costs on both lanes, and on the strong one alone."""
    lanes = {name: Lane(name, "anthropic", (Format.ANTHROPIC,), Auth.KEY, model=model)
             for name, model in (("strong", STRONG), ("cheap", cheap))}  # fmt: skip
    meter = Meter(table())

    def prices(lane: Lane, tokens: int) -> Rates:
        price = meter.rates(lane, None, tokens)
        assert price is not None and price.cache_write is not None and price.cache_read is not None
        return Rates(price.cache_write / 1e6, price.cache_read / 1e6, price.output / 1e6)

    desk = kind(router(lanes, {"simple": ["cheap"], "medium": ["cheap"], "complex": ["strong"]}), prices)
    held: dict[str, int] = {"alone": 0}
    usd = strong = 0.0
    on = list[str]()
    for number, (body, prompt, output) in enumerate(turns(session)):
        conversation = anthropic.read_request(body)
        ask = Ask(Format.ANTHROPIC, asking(conversation, {}), conversation, prompt, 1000.0 + number * GAP_S)
        plan = desk.plan(ask)
        lane = plan.routes[0].lane
        desk.served(plan, plan.routes[0], ask, Usage(input=prompt, output=output))
        usd += cost(prices(lane, prompt), held.get(lane.name, 0), prompt, output)
        strong += cost(prices(lanes["strong"], prompt), held["alone"], prompt, output)
        held[lane.name] = held["alone"] = prompt
        on.append(lane.name)
    return Ran(usd, strong, len(on), on.count("strong"), on[-1] == "strong")


def main(paths: list[str]) -> list[str]:
    sessions = [json.loads(Path(path).read_text("utf-8")) for path in paths]
    lines = ["| cheap lane, policy | bill | dearest session | requests on the strong lane | large sessions that end there |",
             "|---|---:|---:|---:|---:|"]  # fmt: skip
    for cheap in PAIRS:
        for kind, name in ((Guess, "by the first prompt alone"), (Desk, "as lynkr does")):
            runs = [run(session, cheap, kind) for session in sessions]
            bill = sum(ran.usd for ran in runs) / sum(ran.strong for ran in runs)
            worst = max(ran.usd / ran.strong for ran in runs)
            share = sum(ran.strong_requests for ran in runs) / sum(ran.requests for ran in runs)
            large = [ran for ran in runs if ran.requests >= LARGE]
            there = sum(ran.ended_strong for ran in large)
            lines.append(f"| {cheap}, {name} | {bill:.1%} | {worst:.1%} | {share:.0%} | {there} of {len(large)} |")
    return lines


if __name__ == "__main__":
    made = main([word for word in sys.argv[1:] if word != "--write"])
    print("\n".join(made))
    if "--write" in sys.argv:
        text = DOCUMENT.read_text("utf-8")
        head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
        DOCUMENT.write_text(head + "\n" + "\n".join(made) + "\n" + tail, "utf-8")
