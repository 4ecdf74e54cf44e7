"""Three sessions in the shape of real ones, made of constants: the same rows on every machine and every day.

Sizes follow measured sessions: Claude Code begins with some 30 k tokens of tools and instructions, a turn adds one to
three thousand, nearly all of the prompt is read from the cache, and answers have a few hundred tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lynkr.changes import Change, Removed, Switch
from lynkr.ids import ulid
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Before, Meter
from lynkr.ledger.prices import table
from lynkr.ledger.row import Row, Session, Try
from lynkr.usage import Heard, Usage

OPUS = Lane("claude", "anthropic", (Format.ANTHROPIC,), Auth.KEY)
HAIKU = Lane("small", "anthropic", (Format.ANTHROPIC,), Auth.KEY, model="claude-haiku-5-5")
AZURE = Lane(
    "azure", "azure-anthropic", (Format.ANTHROPIC,), Auth.KEY, model="claude-opus-5-5", base_url="https://corp.example"
)
LOCAL = Lane("local", "ollama", (Format.OLLAMA,), Auth.NONE, model="qwen2.5-coder:7b")
ASKED = "claude-opus-5-5"


class _Making:
    """One session in the making: a clock, ids that sort by it, and the meter that prices its rows."""

    def __init__(self, start: str, seed: int) -> None:
        self.at = datetime.fromisoformat(start)
        self._seed = seed
        self._count = 0
        self.meter = Meter(table())

    def id(self) -> str:
        self._count += 1
        noise = (self._seed * 1_000_003 + self._count).to_bytes(10, "big")
        return ulid(int(self.at.timestamp() * 1000), noise)

    def row(self, lane: Lane, usage: Usage, *, model: str = ASKED, asked: str = ASKED, ms: float = 2100.0,
            removed: tuple[Removed, ...] = (), before: Before | None = None, pause_s: float = 4.0, **more: object) -> Row:  # fmt: skip
        model = lane.model or model
        cost = self.meter.count(Heard(usage, complete=True, final=True), lane, model, asked, 0, removed, before)
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known: dict[str, object] = {
            "method": "POST", "path": "/v1/messages", "format": "anthropic", "tier": "complex", "why": "scores 0.81",
            "lane": lane.name, "provider": lane.provider, "model": model, "asked_model": asked, "status": 200,
            "usage": cost.usage, "estimated": cost.estimated, "cost_usd": cost.cost_usd,
            "baseline_usd": cost.baseline_usd, "removed_tokens": sum(saving.tokens for saving in cost.savings),
            "compression_usd": cost.compression_usd, "savings": cost.savings, "first_byte_ms": round(ms / 5, 1),
            "ms": ms, "who": "main", "conversation": "5f2a90c1d4e7b836",
        }  # fmt: skip
        made = Row(self.id(), at, **{**known, **more})  # type: ignore[arg-type]
        self.at += timedelta(milliseconds=ms, seconds=pause_s)
        return made


def _now(making: _Making) -> str:
    return making.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def claude() -> tuple[Session, list[Row]]:
    """Claude Code over two lanes: a title without a model, a growing conversation, compression, a failure, a return."""
    making = _Making("2026-11-19T09:12:03.250+00:00", 1)
    session = Session(making.id(), "claude", "work", "/home/ada/projects/orrery", _now(making), 1284.6, 0)
    rows = [replace(making.row(HAIKU, Usage(), ms=3.2, why="title: needs no model", who="title", answered="bypass:title",
                               tier="simple", conversation="77aa01b2c3d4e5f6"), baseline_usd=0.00041)]  # fmt: skip
    cached, turn = 0, 31_400
    for number in range(24):
        new = 900 + (number * 617) % 2300
        usage = Usage(input=3, cache_read=cached, cache_write=turn - cached, output=180 + (number * 131) % 900)
        removed = (Removed("pytest", 0.021, 0.97), Removed("repeat", 0.008, 0.5)) if number % 3 == 2 else ()
        more: dict[str, object] = {}
        lane = OPUS
        if number == 9:
            lane, more = (
                AZURE,
                {
                    "tried": (Try("claude", 529, "overloaded"),),
                    "switch": Switch(
                        "fallback",
                        "claude",
                        "azure",
                        "complex",
                        "complex",
                        "lane claude did not serve",
                        turn,
                        0.31,
                        None,
                    ),
                },
            )
        if number == 20:
            more = {"outcome": "cut", "error": "upstream_cut"}
        rows.append(making.row(lane, usage, removed=removed, ms=1400.0 + (number * 773) % 5200, **more))  # type: ignore[arg-type]
        cached, turn = turn, turn + new + usage.output
    for number in range(3):
        usage = Usage(input=4200 + 300 * number, output=90)
        rows.append(making.row(HAIKU, usage, who="subagent", tier="simple", why="scores 0.12: is short",
                               conversation="09b1e2f3a4c5d6e7", before=Before(4000 * number), ms=900.0))  # fmt: skip
    return session, rows


def codex() -> tuple[Session, list[Row]]:
    """Codex on Claude: another format, so that some of what it says is said otherwise or not at all."""
    making = _Making("2026-11-20T22:50:00.000+00:00", 2)
    session = Session(making.id(), "codex", "work", "/home/ada/projects/orrery", _now(making), 402.0, 130)
    dropped = (Change("service_tier", "dropped", "the lane has none"),
               Change("apply_patch", "changed", "said as a function with one text"))  # fmt: skip
    rows = [replace(making.row(OPUS, Usage(), ms=1.0), status=426, outcome="refused", error="upgrade", lane=None,
                    provider=None, model=None, path="/v1/responses", cost_usd=0.0, baseline_usd=0.0)]  # fmt: skip
    cached, turn = 0, 17_800
    for number in range(11):
        usage = Usage(input=12, cache_read=cached, cache_write=turn - cached, output=400 + 70 * number, reasoning=120)
        rows.append(making.row(OPUS, usage, model="claude-sonnet-5-5", asked="gpt-5.5", changes=dropped,
                               path="/v1/responses", format="openai-responses", ms=3100.0 + 90 * number))  # fmt: skip
        cached, turn = turn, turn + 1500 + usage.output
    again = making.row(
        OPUS, Usage(), answered=f"exact:{rows[3].id}", ms=2.1, why="the same question", model="claude-sonnet-5-5"
    )
    rows += [replace(again, baseline_usd=0.0123), making.row(OPUS, Usage(input=9000), outcome="gone", estimated=True)]
    return session, rows


def killed() -> tuple[Session, list[Row]]:
    """A session on a local model without a price, that never came to its end."""
    making = _Making("2026-11-21T07:30:00.000+00:00", 3)
    session = Session(making.id(), "python agent.py", "local", "/srv/=cmd|calc", _now(making))
    rows = [
        making.row(LOCAL, Usage(input=2100 + 800 * n, output=150), asked="gpt-5.5", path="/v1/chat/completions",
                   format="openai-chat", tier="medium", ms=8000.0, who=None, conversation=None)
        for n in range(5)
    ]  # fmt: skip
    return session, rows


SESSIONS = (claude, codex, killed)


def all_rows() -> Iterator[tuple[Session, Row]]:
    """Every row of the three, with its session."""
    for make in SESSIONS:
        session, rows = make()
        yield from ((session, row) for row in rows)
