"""Codex' rollouts: `~/.codex/sessions/YYYY/MM/DD/rollout-….jsonl`.

Items of the Responses API as they were sent and received, with events between them. Newer ones have a record of usage
for each response; older ones count tokens after each, and repeat a count that has not changed. Measured with 0.169.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lynkr.audit.past import Read, Thread, Turn, moment, plausible, record, words
from lynkr.formats.watch import count
from lynkr.lane import Format
from lynkr.usage import Usage

TOOL = "codex"
FORMAT = Format.OPENAI_RESPONSES
PROVIDER = "openai"
_KINDS = ("session_meta", "response_item", "event_msg", "turn_context", "compacted", "token_usage_record")
# What a model says; all else among the items is said to it.
_SAID = frozenset(("function_call", "custom_tool_call", "local_shell_call", "web_search_call", "reasoning",
                   "tool_search_call", "image_generation_call"))  # fmt: skip
_ITEMS = _SAID | {"message", "function_call_output", "custom_tool_call_output", "local_shell_call_output"}
_PRIVATE = ("internal_chat_message_metadata_passthrough",)


def files(home: Path, environ: Callable[[str], str | None]) -> Iterator[Path]:
    """See Reader."""
    folder = Path(environ("CODEX_HOME") or home / ".codex")
    for name in ("sessions", "archived_sessions"):
        yield from sorted((folder / name).rglob("*.jsonl"))


def mine(entry: dict[str, Any]) -> bool:
    """See Reader."""
    return entry.get("type") in _KINDS and "payload" in entry


@dataclass(slots=True)
class _Rollout:
    """A rollout as far as it has been read."""

    read: Read
    seen: set[str]
    thread: Thread
    model: str = ""
    # How many items stood there when the model began to answer.
    begun: int | None = None
    counted: dict[str, Any] | None = None
    recorded: bool = False

    def item(self, payload: dict[str, Any]) -> None:
        kind = words(payload.get("type"))
        if kind not in _ITEMS:
            return
        if (kind in _SAID or payload.get("role") == "assistant") and self.begun is None:
            self.begun = len(self.thread.items)
        self.thread.items.append({name: value for name, value in payload.items() if name not in _PRIVATE})

    def usage(self, at: float | None, figures: dict[str, Any], key: str) -> None:
        length, self.begun = len(self.thread.items) if self.begun is None else self.begun, None
        if at is None or not self.model:
            return
        if key in self.seen:
            self.read.copied += 1
            self.thread.known = length
            return
        usage = _usage(figures)
        if plausible(usage):
            self.seen.add(key)
            self.thread.turns.append(Turn(at, self.model, usage, length))

    def compacted(self, payload: dict[str, Any]) -> None:
        history = payload.get("replacement_history")
        held = [item for item in history if isinstance(item, dict)] if isinstance(history, list) else []
        if not held and (text := words(payload.get("message"))):
            held = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]
        old = self.thread
        self.thread = Thread(old.session, old.project, old.who, held, instructions=old.instructions)
        self.read.threads.append(self.thread)
        self.begun = None


def read(path: Path, entries: Iterable[dict[str, Any]], seen: set[str]) -> Read:
    """See Reader."""
    first = Thread(path.stem, "", "main")
    rollout = _Rollout(Read(path, [first]), seen, first)
    for entry in entries:
        kind, payload, at = entry.get("type"), record(entry.get("payload")), moment(entry.get("timestamp"))
        if kind == "session_meta":
            _begin(rollout, payload)
        elif kind == "turn_context":
            rollout.model = words(payload.get("model")) or rollout.model
        elif kind == "response_item":
            rollout.item(payload)
        elif kind == "compacted":
            rollout.compacted(payload)
        elif kind == "token_usage_record":
            rollout.recorded = True
            key = f"{words(payload.get('turn_id'))}:{words(payload.get('response_id'))}:{entry.get('timestamp')}"
            rollout.usage(at, record(payload.get("usage")), key)
        elif kind == "event_msg" and payload.get("type") == "token_count" and not rollout.recorded:
            _count(rollout, at, record(payload.get("info")), words(entry.get("timestamp")))
    return rollout.read


def _begin(rollout: _Rollout, payload: dict[str, Any]) -> None:
    thread = rollout.thread
    thread.session = words(payload.get("session_id")) or words(payload.get("id")) or thread.session
    thread.project = words(payload.get("cwd")) or thread.project
    instructions = payload.get("base_instructions") or payload.get("instructions")
    thread.instructions = words(record(instructions).get("text")) or words(instructions) or thread.instructions
    source = payload.get("source")
    if payload.get("thread_source") == "subagent" or "subagent" in record(source):
        thread.who = "subagent"


def _count(rollout: _Rollout, at: float | None, info: dict[str, Any], stamp: str) -> None:
    total, last = record(info.get("total_token_usage")), record(info.get("last_token_usage"))
    if not last or total == rollout.counted:
        return
    rollout.counted = total
    rollout.usage(at, last, f"{rollout.thread.session}:{stamp}")


def _usage(figures: dict[str, Any]) -> Usage:
    """Codex' own names of what the Responses API counts; its input holds what was cached."""
    read, written = count(figures, "cached_input_tokens"), count(figures, "cache_write_input_tokens")
    return Usage(
        input=max(count(figures, "input_tokens") - read - written, 0),
        cache_read=read,
        cache_write=written,
        output=count(figures, "output_tokens"),
        reasoning=count(figures, "reasoning_output_tokens"),
    )
