"""What a transcript tells of a session: its conversations, and the requests that they were made of.

Readers of the tools' files give these values; nothing in them is lynkr's own. A transcript is a tool's private format:
what is not understood in it is skipped and counted, and never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from lynkr.lane import Format
from lynkr.routing.settings import Who
from lynkr.usage import Usage


@dataclass(frozen=True, slots=True)
class Turn:
    """One request: when it was answered (Unix time), by which model, with what usage, and how many of its
    conversation's items it sent."""

    at: float
    model: str
    usage: Usage
    length: int


@dataclass(slots=True)
class Thread:
    """One conversation: the items that were sent, growing, and the requests that sent them.

    `items` are messages or input items in the wire format of the tool. A conversation that was compacted or taken back
    goes on as another thread of the same session.
    """

    session: str
    project: str
    who: Who
    items: list[dict[str, Any]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    # The text that stands before the conversation, as far as the transcript has it.
    instructions: str = ""
    # So many of the items stand in another file as well, which has counted them.
    known: int = 0


@dataclass(slots=True)
class Read:
    """What one file gave; `skipped` lines could not be read, `copied` requests stand in another file as well."""

    path: Path
    threads: list[Thread] = field(default_factory=list)
    lines: int = 0
    skipped: int = 0
    copied: int = 0


class Reader(Protocol):
    """A tool's transcripts."""

    TOOL: str
    FORMAT: Format
    PROVIDER: str

    def files(self, home: Path, environ: Callable[[str], str | None]) -> Iterator[Path]:
        """Where the tool keeps them."""

    def mine(self, entry: dict[str, Any]) -> bool:
        """Whether an entry is one that only the tool writes."""

    def read(self, path: Path, entries: Iterable[dict[str, Any]], seen: set[str]) -> Read:
        """The conversations of one file; `seen` holds the requests of earlier ones, so that none counts twice."""


# No transcript is of another century, and no request has more tokens.
_TIMES = (946_684_800.0, 4_102_444_800.0)
_MOST = 20_000_000


def moment(text: object) -> float | None:
    """RFC 3339 as Unix time; None where it is none, or of another century."""
    try:
        at = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0.0
    except (ValueError, OverflowError):
        return None
    return at if _TIMES[0] <= at < _TIMES[1] else None


def plausible(usage: Usage) -> bool:
    """Whether these can be the figures of one request."""
    return usage.prompt <= _MOST and usage.output <= _MOST


def record(value: object) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def words(value: object) -> str:
    """`value` where it is a text, else ""."""
    return value if isinstance(value, str) else ""
