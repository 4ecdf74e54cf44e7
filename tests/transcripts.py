"""Transcripts as Claude Code 2.1.329 and Codex 0.169.0 write them, made up line by line; and what they cost, by hand.

Both builders keep entries in a list that a test may bend before it is written. `spent` prices the written lines with
nothing of lynkr's but its table's file: an answer of Claude Code is all lines with its ids, and its last usage counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from math import fsum
from pathlib import Path
from typing import Any

from conftest import reading

from lynkr.audit.account import MARGIN, Account, audit
from lynkr.audit.past import Reader
from lynkr.audit.reading import find
from lynkr.ledger.prices import table
from lynkr.plan import Options, Plan, for_past
from lynkr.report.audit import audit_values
from lynkr.report.period import Span

BEGAN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LISTING = "".join(f"-rw-r--r-- 1 dev dev {1000 + n} Nov 20 10:00 src/module_{n:03}.py\n" for n in range(200))
PRICES = Path(__file__).parent.parent / "lynkr" / "ledger" / "prices.json"


def figures(new: int = 10, write: int = 0, read: int = 0, out: int = 50, hour: int = 0) -> dict[str, Any]:
    """Anthropic's `usage`; `write` are the writes for five minutes, `hour` those for an hour."""
    return {
        "input_tokens": new,
        "cache_creation_input_tokens": write + hour,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": write, "ephemeral_1h_input_tokens": hour},
        "output_tokens": out,
        "service_tier": "standard",
    }


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(identity: str, name: str = "Bash", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": given or {"command": "ls -l src"}}


def result(identity: str, content: str = LISTING) -> list[dict[str, Any]]:
    return [{"type": "tool_result", "tool_use_id": identity, "content": content}]


def at(minutes: float) -> str:
    return (BEGAN + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Claude:
    """A transcript of Claude Code: each entry's parent is the one before, if no other is named."""

    session: str = "5e551011-0000-4000-8000-000000000001"
    cwd: str = "/home/dev/shop"
    model: str = "claude-opus-5-5"
    minute: float = 0.0
    entries: list[dict[str, Any]] = field(default_factory=list)
    last: str | None = None
    _ids: Iterable[int] = field(default_factory=lambda: count(1))

    def entry(self, kind: str, *, parent: str | None = "", **more: Any) -> str:
        """An entry of that type; `parent` is another's uuid, or None for the beginning of a conversation."""
        identity = f"{self.session[-4:]}-{next(iter(self._ids)):06}"
        self.entries.append(
            {"parentUuid": self.last if parent == "" else parent, "isSidechain": False, "type": kind,
             "uuid": identity, "timestamp": at(self.minute), "cwd": self.cwd, "sessionId": self.session,
             "version": "2.1.329", **more}
        )  # fmt: skip
        self.last = identity
        return identity

    def user(self, content: Any, *, parent: str | None = "", **more: Any) -> str:
        return self.entry("user", parent=parent, message={"role": "user", "content": content}, **more)

    def line(
        self, blocks: Sequence[Any], usage: Any, identity: str, *, parent: str | None = "", model: str = "", **more: Any
    ) -> str:
        """One line of an answer."""
        message = {"id": f"msg_{identity}", "type": "message", "role": "assistant", "model": model or self.model,
                   "content": list(blocks), "stop_reason": "end_turn", "usage": usage}  # fmt: skip
        if usage is None:
            del message["usage"]
        return self.entry("assistant", parent=parent, message=message, **{"requestId": f"req_{identity}", **more})

    def answer(self, blocks: Sequence[Any], usage: Any, identity: str, **more: Any) -> str:
        """An answer with a line for each of its blocks, all of them with its usage, half a minute after what came."""
        self.minute += 0.5
        parent = more.pop("parent", "")
        for block in blocks:
            self.line([block], usage, identity, parent=parent, **more)
            parent = ""
        assert self.last is not None
        return self.last

    def turns(
        self, number: int, *, prompt: int = 30_000, grows: int = 3_000, first: str = "list the sources"
    ) -> Claude:
        """A loop: `number` requests, each with the result of the call before, all but the newest read from the cache."""
        self.user(first)
        for n in range(number):
            read = 0 if n == 0 else prompt + grows * (n - 1)
            usage = figures(10, prompt + grows * n - read, read, 100)
            identity = f"{self.session[-4:]}{n:04}"
            self.answer([text("I look."), call(f"toolu_{identity}")], usage, identity)
            self.user(result(f"toolu_{identity}"))
        return self

    def write(self, path: Path) -> Path:
        return written(path, self.entries)


@dataclass
class Codex:
    """A rollout of Codex."""

    session: str = "01a2009b-fae7-72c1-ba6b-2f531dc353d4"
    cwd: str = "/home/dev/shop"
    model: str = "gpt-5.5"
    minute: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)
    total: dict[str, int] = field(default_factory=dict)

    def line(self, kind: str, **payload: Any) -> None:
        self.lines.append({"timestamp": at(self.minute), "ordinal": len(self.lines), "type": kind, "payload": payload})

    def begin(self, model: str = "", **more: Any) -> Codex:
        self.line("session_meta", session_id=self.session, id=self.session, cwd=self.cwd, cli_version="0.169.0",
                  source="exec", thread_source="user", base_instructions={"text": "You are Codex."}, **more)  # fmt: skip
        self.turn(model)
        return self

    def turn(self, model: str = "") -> None:
        self.model = model or self.model
        self.line("turn_context", turn_id="t1", cwd=self.cwd, model=self.model)

    def item(self, kind: str, **more: Any) -> None:
        self.line("response_item", type=kind, **more)

    def said(self, words: str, role: str = "user") -> None:
        kind = "output_text" if role == "assistant" else "input_text"
        self.item("message", role=role, content=[{"type": kind, "text": words}],
                  internal_chat_message_metadata_passthrough={"turn_id": "t1"})  # fmt: skip

    def called(self, identity: str, output: str = LISTING, *, custom: bool = False) -> None:
        """A call and, below, what it gave; the usage of the answer that made it belongs in between."""
        if custom:
            self.item("custom_tool_call", call_id=identity, name="exec", input="await tools.exec_command({cmd: 'ls'})")
        else:
            self.item("function_call", call_id=identity, name="exec_command", arguments='{"cmd": "ls"}')

    def gave(self, identity: str, output: str = LISTING, *, custom: bool = False) -> None:
        self.item("custom_tool_call_output" if custom else "function_call_output", call_id=identity, output=output)

    def usage(self, prompt: int, cached: int, out: int, response: str, reasoning: int = 0) -> None:
        """The record that newer versions write for each response, and their count after it."""
        used = self._add(prompt, cached, out, reasoning)
        self.line("token_usage_record", thread_id=self.session, turn_id="t1", response_id=response, usage=used)
        self._count(used)

    def count(self, prompt: int, cached: int, out: int, reasoning: int = 0) -> None:
        """The count that is all that older versions write."""
        self._count(self._add(prompt, cached, out, reasoning))

    def again(self) -> None:
        """The last count once more, as it comes with new rate limits."""
        self.minute += 0.01
        self.lines.append({**self.lines[-1], "timestamp": at(self.minute)})

    def _add(self, prompt: int, cached: int, out: int, reasoning: int) -> dict[str, int]:
        self.minute += 0.5
        used = {"input_tokens": prompt, "cached_input_tokens": cached, "cache_write_input_tokens": 0,
                "output_tokens": out, "reasoning_output_tokens": reasoning, "total_tokens": prompt + out}  # fmt: skip
        self.total = {name: self.total.get(name, 0) + number for name, number in used.items()}
        return used

    def _count(self, used: dict[str, int]) -> None:
        info = {"total_token_usage": dict(self.total), "last_token_usage": used, "model_context_window": 258400}
        self.line("event_msg", type="token_count", info=info, rate_limits=None)

    def turns(self, number: int, *, prompt: int = 30_000, grows: int = 3_000) -> Codex:
        """A loop as Claude's."""
        self.begin()
        self.said("list the sources")
        for n in range(number):
            self.called(f"call_{n}")
            self.usage(prompt + grows * n, 0 if n == 0 else prompt + grows * (n - 1), 100, f"resp_{n}")
            self.gave(f"call_{n}")
        return self

    def write(self, path: Path) -> Path:
        return written(path, self.lines)


def written(path: Path, lines: Iterable[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def audited(*places: Path, profile: Path | None = None, since: float = 0.0) -> Account:
    """What `lynkr audit` reads in `places`; with the profile in a file, None for nothing that would have served it."""

    def plan(reader: Reader) -> Plan | None:
        if profile is None:
            return None
        made = reading(profile.parent, profile.read_text())
        return for_past(Options((), made=made, standing=True), reader.TOOL)

    files = find(places, Path("/nonexistent"), {})
    return audit(files, table(), plan, since, lambda _: None)


def values(account: Account) -> dict[str, Any]:
    """The account as `--json` gives it."""
    return audit_values(account.was, account.would, account.results, table(), MARGIN, Span())


def spent(*paths: Path) -> float:
    """What the answers in the transcripts cost, each once, in USD; unknown models cost nothing here."""
    models = json.loads(PRICES.read_text())["models"]
    last: dict[str, tuple[str, dict[str, Any]]] = {}
    for path in paths:
        for raw in path.read_text().splitlines():
            entry = json.loads(raw)
            message = entry.get("message") or {}
            if entry.get("type") == "assistant" and message.get("usage"):
                last[f"{message['id']} {entry.get('requestId')}"] = (message["model"], message["usage"])
    return fsum(_anthropic(models[model], usage) for model, usage in last.values() if model in models)


def _anthropic(rates: dict[str, Any], usage: dict[str, Any]) -> float:
    hour = usage.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0)
    short = usage["cache_creation_input_tokens"] - hour
    each = [
        usage["input_tokens"] * rates["input"],
        usage["cache_read_input_tokens"] * rates["cache_read"],
        short * rates["cache_write"],
        hour * rates["cache_write_1h"],
        usage["output_tokens"] * rates["output"],
    ]
    return fsum(each) / 1e6


def spent_by_codex(*paths: Path) -> float:
    """The same of rollouts with a record for each response: cached tokens are part of the input ones."""
    models, model, amounts = json.loads(PRICES.read_text())["models"], "", []
    for path in paths:
        for raw in path.read_text().splitlines():
            entry = json.loads(raw)
            model = entry["payload"]["model"] if entry["type"] == "turn_context" else model
            if entry["type"] == "token_usage_record" and model in models:
                used, rates = entry["payload"]["usage"], models[model]
                for tier in rates.get("tiers", ()):
                    if used["input_tokens"] > tier["above"]:
                        rates = {**rates, **tier}
                new = used["input_tokens"] - used["cached_input_tokens"]
                cached = used["cached_input_tokens"] * rates["cache_read"]
                amounts.append((new * rates["input"] + cached + used["output_tokens"] * rates["output"]) / 1e6)
    return fsum(amounts)
