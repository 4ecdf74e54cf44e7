"""Claude Code's transcripts: `~/.claude/projects/PROJECT/SESSION.jsonl`, subagents among the rest or in their own.

Each line is an entry with a parent; an answer has a line for each of its blocks, all with the same ids, and its usage
is whole in the last. What was resumed or forked repeats its lines in the next file, so an answer counts once, by its
message and request ids. Measured with 2.1.329.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lynkr.audit.past import Read, Thread, Turn, moment, plausible, record, words
from lynkr.formats.anthropic.figures import usage_of
from lynkr.lane import Format

TOOL = "claude"
FORMAT = Format.ANTHROPIC
PROVIDER = "anthropic"
_KINDS = ("user", "assistant", "system", "attachment", "summary", "file-history-snapshot", "queue-operation")


def files(home: Path, environ: Callable[[str], str | None]) -> Iterator[Path]:
    """See Reader."""
    folder = Path(environ("CLAUDE_CONFIG_DIR") or home / ".claude") / "projects"
    yield from sorted(folder.rglob("*.jsonl"))


def mine(entry: dict[str, Any]) -> bool:
    """See Reader."""
    return entry.get("type") in _KINDS and "payload" not in entry


@dataclass(slots=True)
class _Tree:
    """A file's entries as nodes, and the threads that lead to its answers. The lines of one answer are one node."""

    read: Read
    seen: set[str]
    figures: dict[str, dict[str, Any]]
    # Of an answer its first line's id stands for all.
    nodes: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    # Where each thread has come to: its last answer → the thread. And the results that came for that answer.
    leaves: dict[str, Thread] = field(default_factory=dict)
    results: dict[str, list[str]] = field(default_factory=dict)
    instructions: str = ""

    def add(self, entry: dict[str, Any]) -> None:
        """An entry that is no answer."""
        identity = words(entry.get("uuid"))
        if not identity:
            return
        above = words(entry.get("parentUuid")) or words(entry.get("logicalParentUuid"))
        parent = self.nodes.get(above, above)
        self.parents[identity] = parent
        attachment = record(entry.get("attachment"))
        if attachment.get("type") == "prompt_snapshot":
            prompt = attachment.get("systemPrompt")
            self.instructions = "\n".join(filter(None, map(words, prompt))) if isinstance(prompt, list) else ""
        if entry.get("subtype") == "compact_boundary" or entry.get("isCompactSummary"):
            self.parents[identity] = ""  # what stood before is not sent any more
        if entry.get("type") == "user" and (content := record(entry.get("message")).get("content")):
            self.messages[identity] = {"role": "user", "content": content}
            if parent in self.leaves:
                self.results.setdefault(parent, []).append(identity)
        elif text := _rendered(entry.get("rendered")):
            self.messages[identity] = {"role": "user", "content": text}

    def answer(self, entry: dict[str, Any], message: dict[str, Any]) -> None:
        """A line of an answer."""
        key, identity, blocks = _key(entry, message), words(entry.get("uuid")), message.get("content")
        blocks = blocks if isinstance(blocks, list) else []
        if (node := self.answers.get(key)) is not None:
            self.nodes[identity] = node
            self.messages[node]["content"] += blocks
            return
        above = words(entry.get("parentUuid"))
        parent = self.nodes.get(above, above)
        thread = self._thread(entry, parent)
        self._turn(key, entry, message, thread)
        said = {"role": "assistant", "content": list(blocks)}
        thread.items.append(said)
        self.answers[key] = self.nodes[identity] = identity
        self.parents[identity], self.messages[identity], self.leaves[identity] = parent, said, thread

    def _turn(self, key: str, entry: dict[str, Any], message: dict[str, Any], thread: Thread) -> None:
        at, model, figures = moment(entry.get("timestamp")), words(message.get("model")), self.figures[key]
        if not figures or at is None or not model or model.startswith("<"):
            return
        if key in self.seen:
            self.read.copied += 1
            thread.known = len(thread.items)
            return
        usage = usage_of(figures)
        if plausible(usage):
            self.seen.add(key)
            thread.turns.append(Turn(at, model, usage, len(thread.items)))

    def _thread(self, entry: dict[str, Any], parent: str) -> Thread:
        """The thread that goes on with an answer to `parent`, with what stands between them."""
        between, at = list[str](), parent
        while at and at not in self.leaves and len(between) <= len(self.parents):
            between.append(at)
            at = self.parents.get(at, "")
        thread = self.leaves.pop(at, None)
        if thread is None:
            side = bool(entry.get("isSidechain")) or bool(entry.get("agentId"))
            session = words(entry.get("sessionId")) or self.read.path.stem
            thread = Thread(session, words(entry.get("cwd")), "subagent" if side else "main",
                            instructions=self.instructions)  # fmt: skip
            self.read.threads.append(thread)
        # Results of calls that were made at once may stand beside each other, each under its call.
        beside = [each for each in self.results.pop(at, []) if each not in between]
        thread.items += (self.messages[each] for each in (*beside, *reversed(between)) if each in self.messages)
        return thread


def read(path: Path, entries: Iterable[dict[str, Any]], seen: set[str]) -> Read:
    """See Reader."""
    held = list(entries)
    tree = _Tree(Read(path), seen, _figures(held))
    for entry in held:
        message = record(entry.get("message"))
        if entry.get("type") == "assistant" and message:
            tree.answer(entry, message)
        else:
            tree.add(entry)
    return tree.read


def _figures(entries: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each answer's usage as its last line tells it: those of the first lines are placeholders."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        message = record(entry.get("message"))
        if entry.get("type") == "assistant" and message:
            known, figures = found.setdefault(_key(entry, message), {}), record(message.get("usage"))
            if _output(figures) >= _output(known):
                found[_key(entry, message)] = figures
    return found


def _rendered(pieces: object) -> str:
    """What an attachment was told to the model as."""
    return (
        "\n".join(filter(None, (words(record(each).get("content")) for each in pieces)))
        if isinstance(pieces, list)
        else ""
    )


def _output(figures: dict[str, Any]) -> int:
    count = figures.get("output_tokens")
    return count if isinstance(count, int) else 0


def _key(entry: dict[str, Any], message: dict[str, Any]) -> str:
    request = words(entry.get("requestId")) or words(entry.get("requestRef"))
    identity = words(message.get("id"))
    return f"{identity}:{request}" if identity else words(entry.get("uuid"))
