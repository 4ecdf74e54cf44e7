"""The account of past sessions: what they cost, where it went, and what they would have cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lynkr.audit.past import Read, Reader, Thread
from lynkr.audit.reading import File, read
from lynkr.audit.replay import Judged, Replay
from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import Table
from lynkr.ledger.row import Row, Session
from lynkr.plan import Plan
from lynkr.usage import CHARS_PER_TOKEN

# By so much a figure that rests on lengths may be off: what another model's tokens are, and what was taken out of a
# prompt whose system text the transcript has not kept.
MARGIN = 0.15


@dataclass(slots=True)
class Account:
    """What was read so far. `was` and `would` are rows with their sessions: as they were, as they would have been."""

    was: list[tuple[Session, Row]] = field(default_factory=list)
    would: list[tuple[Session, Row]] = field(default_factory=list)
    files: int = 0
    unread: list[str] = field(default_factory=list)
    lines: int = 0
    skipped: int = 0
    copied: int = 0
    # Of each tool's results: how many, their tokens, and how many tokens of prompts they were in all.
    results: dict[str, list[int]] = field(default_factory=dict)
    # Tools that the profile has no lane for.
    unserved: set[str] = field(default_factory=set)

    def add(self, tool: str, thread: Thread, judged: Iterable[Judged], counted: set[int]) -> None:
        """Counts a conversation in; items of the same file that are `counted` already are not again."""
        session = Session(thread.session, tool, "audit", thread.project or "?", "")
        for one in judged:
            self.was.append((session, one.was))
            self.would.append((session, one.would))
        for name, (number, tokens, sent) in _results(thread, counted).items():
            held = self.results.setdefault(name, [0, 0, 0])
            held[0], held[1], held[2] = held[0] + number, held[1] + tokens, held[2] + sent

    def noted(self, found: Read) -> None:
        """Notes what reading a file came to."""
        self.files += 1
        self.lines, self.skipped, self.copied = (
            self.lines + found.lines, self.skipped + found.skipped, self.copied + found.copied
        )  # fmt: skip


def audit(
    files: Iterable[File],
    prices: Table,
    plan_of: Callable[[Reader], Plan | None],
    since: float,
    step: Callable[[int], None],
) -> Account:
    """Reads all `files` and replays what they hold since a moment (Unix time); `step` hears how many files are done.

    `plan_of` gives what would serve a tool with the profile, None for what it cannot serve.
    """
    account, seen, meter = Account(), set[str](), Meter(prices)
    replays: dict[str, Replay] = {}
    for number, file in enumerate(files, 1):
        found: Read | None = None
        try:
            found = read(file, seen)
        except OSError as error:
            account.unread.append(f"{file.path}: {error.strerror}")
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            account.unread.append(f"{file.path}: not understood ({type(error).__name__})")
        else:
            account.noted(found)
        if file.reader is not None and found is not None:
            if file.reader.TOOL not in replays:
                replays[file.reader.TOOL] = Replay(file.reader, meter, plan_of(file.reader))
            replay = replays[file.reader.TOOL]
            counted = set[int]()
            for thread in found.threads:
                thread.turns = [turn for turn in thread.turns if turn.at >= since]
                account.add(file.reader.TOOL, thread, replay.thread(thread), counted)
            if replay.plan is None:
                account.unserved.add(file.reader.TOOL)
        step(number)
    return account


def _results(thread: Thread, counted: set[int]) -> Mapping[str, tuple[int, int, int]]:
    """Of each tool's results in a conversation: how many, about how many tokens, and how many in all prompts."""
    names, found = dict[str, str](), dict[str, tuple[int, int, int]]()
    lengths = sorted(turn.length for turn in thread.turns)
    for at, item in enumerate(thread.items):
        sent = len(lengths) - bisect_right(lengths, at)
        new = sent > 0 and at >= thread.known and id(item) not in counted
        counted.add(id(item))
        for name, size in _result_sizes(item, names):
            number, tokens, whole = found.get(name, (0, 0, 0))
            found[name] = (number + new, tokens + new * (size // CHARS_PER_TOKEN),
                           whole + size // CHARS_PER_TOKEN * sent)  # fmt: skip
    return {name: figures for name, figures in found.items() if figures[2]}


def _result_sizes(item: Mapping[str, Any], names: dict[str, str]) -> Iterable[tuple[str, int]]:
    """The results in an item, as (tool, characters); `names` learns which call is which tool's."""
    content = item.get("content")
    for part in [item, *(content if isinstance(content, list) else [])]:
        if not isinstance(part, dict):
            continue
        kind = str(part.get("type", ""))
        if kind in ("tool_use", "function_call", "custom_tool_call"):
            names[str(part.get("id") if kind == "tool_use" else part.get("call_id"))] = str(part.get("name"))
        elif kind == "tool_result":
            yield names.get(str(part.get("tool_use_id")), "?"), _length(part.get("content"))
        elif kind.endswith("_call_output"):
            yield names.get(str(part.get("call_id")), "?"), _length(part.get("output"))


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    parts = value if isinstance(value, list) else []
    return sum(len(part["text"]) for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
