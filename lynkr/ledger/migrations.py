"""The ledger's shape, as the list of steps that led to it. A step that has shipped is never changed; a new one follows.

Each step runs once, in a transaction with the others that are missing; `PRAGMA user_version` counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Executes(Protocol):
    """What a step needs of a database connection."""

    def execute(self, sql: str, parameters: Sequence[object] = ...) -> object: ...


def sessions_and_requests(db: Executes) -> None:
    """The first shape."""
    db.execute(
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY, tool TEXT NOT NULL, profile TEXT NOT NULL, project TEXT NOT NULL,
            started TEXT NOT NULL, seconds REAL, exit_status INTEGER)"""
    )
    db.execute(
        """CREATE TABLE requests (
            id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions (id), at TEXT NOT NULL,
            method TEXT NOT NULL, path TEXT NOT NULL, format TEXT, tier TEXT, why TEXT,
            lane TEXT, provider TEXT, model TEXT, asked_model TEXT,
            status INTEGER, outcome TEXT NOT NULL, error TEXT, tried TEXT NOT NULL,
            input_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,
            cache_write_1h_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
            extras INTEGER NOT NULL, estimated INTEGER NOT NULL, cost_usd REAL, baseline_usd REAL,
            removed_tokens INTEGER NOT NULL, first_byte_ms REAL, ms REAL NOT NULL)"""
    )
    db.execute("CREATE INDEX requests_by_session ON requests (session, id)")
    db.execute("CREATE INDEX sessions_by_start ON sessions (started)")


def what_was_changed(db: Executes) -> None:
    """What a translation dropped or changed: a JSON list of [what, did, why, count]."""
    db.execute("ALTER TABLE requests ADD COLUMN changes TEXT NOT NULL DEFAULT '[]'")


def what_was_compressed(db: Executes) -> None:
    """What compression took out: a JSON list of [kind, tokens, usd], its worth, and how often a compressor failed."""
    db.execute("ALTER TABLE requests ADD COLUMN savings TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE requests ADD COLUMN compression_usd REAL")
    db.execute("ALTER TABLE requests ADD COLUMN faults INTEGER NOT NULL DEFAULT 0")


def who_asked(db: Executes) -> None:
    """Who asked, in which conversation, how hard it looked, and the switch that it was (JSON, null where none)."""
    db.execute("ALTER TABLE requests ADD COLUMN who TEXT")
    db.execute("ALTER TABLE requests ADD COLUMN conversation TEXT")
    db.execute("ALTER TABLE requests ADD COLUMN score REAL")
    db.execute("ALTER TABLE requests ADD COLUMN switch TEXT")
    db.execute("CREATE INDEX requests_by_time ON requests (at)")


def what_was_answered_here(db: Executes) -> None:
    """What answered a request that went to no model: `exact:ID`, `semantic:ID`, `bypass:WHAT`."""
    db.execute("ALTER TABLE requests ADD COLUMN answered TEXT")


STEPS: tuple[Callable[[Executes], None], ...] = (
    sessions_and_requests,
    what_was_changed,
    what_was_compressed,
    who_asked,
    what_was_answered_here,
)
