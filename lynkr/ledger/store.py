"""The ledger's file: SQLite in WAL mode, written by many sessions at once and readable at any time.

Every write is one short transaction that asks for the write lock first (`BEGIN IMMEDIATE`), so that a hundred sessions
queue for it instead of failing half-way.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Self

from lynkr.changes import Change, Saving, Switch
from lynkr.errors import LynkrError
from lynkr.ledger.migrations import STEPS
from lynkr.ledger.row import Row, Session, Try
from lynkr.usage import Usage

LOCK_WAIT_S = 5.0

_ROW = (
    "id, session, at, method, path, format, tier, why, lane, provider, model, asked_model, status, outcome, error, "
    "tried, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, "
    "reasoning_tokens, extras, estimated, cost_usd, baseline_usd, removed_tokens, first_byte_ms, ms, changes, "
    "savings, compression_usd, faults, who, conversation, score, switch, answered"
)

_SESSION = ", ".join(f"sessions.{name}" for name in Session.__dataclass_fields__)
_REQUEST = ", ".join(f"requests.{name}" for name in _ROW.split(", "))
_SESSION_WIDTH = len(Session.__dataclass_fields__)

# Sessions whose every request began before a day, and that began before it themselves.
_OVER = "started < ? AND NOT EXISTS (SELECT 1 FROM requests WHERE session = sessions.id AND at >= ?)"


class Held(NamedTuple):
    """What a ledger holds; `first` and `last` are when its requests began (RFC 3339), `bytes` its size on disk."""

    sessions: int
    requests: int
    first: str | None
    last: str | None
    bytes: int


class LedgerError(LynkrError):
    """The ledger cannot be read or written."""

    kind = "ledger"


class Ledger:
    """An open ledger. Not to be shared between threads."""

    def __init__(self, path: Path, *, wait_s: float = LOCK_WAIT_S) -> None:
        """Opens the ledger at `path`, making it where there is none. Raises LedgerError."""
        self.path = path
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=wait_s, isolation_level=None)
        try:
            with self._explained():
                _wal(self._db, wait_s)
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._migrate()
        except LedgerError:
            self._db.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _migrate(self) -> None:
        if self._version() == len(STEPS):
            return
        with self._writing():
            version = self._version()
            if version > len(STEPS):
                raise sqlite3.DatabaseError("a newer lynkr wrote it; upgrade this one")
            for step in STEPS[version:]:
                step(self._db)
            self._db.execute(f"PRAGMA user_version = {len(STEPS)}")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def save(self, session: Session, rows: Iterable[Row] = ()) -> None:
        """Writes a session's own line (anew, if it is there) and adds `rows` that are not there yet."""
        with self._explained(), self._writing():
            self._db.execute(
                "INSERT INTO sessions (id, tool, profile, project, started, seconds, exit_status) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET seconds = coalesce(excluded.seconds, "
                "seconds), exit_status = coalesce(excluded.exit_status, exit_status)",
                _storable((session.id, session.tool, session.profile, session.project, session.started, session.seconds,
                           session.exit_status)),
            )  # fmt: skip
            self._db.executemany(
                f"INSERT OR IGNORE INTO requests ({_ROW}) VALUES ({', '.join('?' * len(_ROW.split(',')))})",  # noqa: S608 - constants
                [_values(session.id, row) for row in rows],
            )

    def sessions(self, limit: int) -> list[Session]:
        """The latest sessions, latest first."""
        with self._explained():
            return [
                Session(*found)
                for found in self._db.execute(
                    f"SELECT {_SESSION} FROM sessions "  # noqa: S608 - constants
                    "ORDER BY started DESC, id DESC LIMIT ?",
                    (limit,),
                )
            ]

    def find(self, part: str) -> list[Session]:
        """The sessions whose id begins or ends with `part`."""
        with self._explained():
            return [
                Session(*found)
                for found in self._db.execute(
                    f"SELECT {_SESSION} FROM sessions "  # noqa: S608 - constants
                    "WHERE substr(id, 1, ?) = ? OR substr(id, -?) = ? ORDER BY id LIMIT 2",
                    (len(part), part, len(part), part),
                )
            ]

    def rows(self, session: str) -> list[Row]:
        """The requests of a session, in order."""
        with self._explained():
            found = self._db.execute(f"SELECT {_ROW} FROM requests WHERE session = ? ORDER BY id", (session,))  # noqa: S608
            return [_row(values) for values in found]

    def served(self, session: str) -> bool:
        """Whether a session has any request."""
        with self._explained():
            return (
                self._db.execute("SELECT 1 FROM requests WHERE session = ? LIMIT 1", (session,)).fetchone() is not None
            )

    def between(self, since: str | None = None, until: str | None = None) -> Iterator[tuple[Session, Row]]:
        """The requests that began from `since` on and before `until` (RFC 3339, UTC), in order, with their sessions."""
        sessions = dict[str, Session]()
        with self._explained():
            found = self._db.execute(
                f"SELECT {_SESSION}, {_REQUEST} FROM sessions JOIN requests ON sessions.id = session "  # noqa: S608
                "WHERE at >= ? AND at < ? ORDER BY at, requests.id",
                (since or "", until or "~"),
            )
            for values in found:
                session = Session(*values[:_SESSION_WIDTH])
                yield sessions.setdefault(session.id, session), _row(values[_SESSION_WIDTH:])

    def request(self, part: str) -> list[tuple[Session, Row]]:
        """The requests whose id begins or ends with `part`, with their sessions; two of them at most."""
        with self._explained():
            found = self._db.execute(
                f"SELECT {_SESSION}, {_REQUEST} FROM sessions JOIN requests ON sessions.id = session "  # noqa: S608
                "WHERE substr(requests.id, 1, ?) = ? OR substr(requests.id, -?) = ? ORDER BY requests.id LIMIT 2",
                (len(part), part, len(part), part),
            )
            return [(Session(*values[:_SESSION_WIDTH]), _row(values[_SESSION_WIDTH:])) for values in found]

    def held(self) -> Held:
        """How much there is, and from when to when."""
        with self._explained():
            sessions = self._db.execute("SELECT count(*) FROM sessions").fetchone()[0]
            requests, first, last = self._db.execute("SELECT count(*), min(at), max(at) FROM requests").fetchone()
            return Held(sessions, requests, first, last, self._bytes())

    def before(self, until: str) -> tuple[int, int]:
        """(sessions, requests) that `prune` would remove."""
        with self._explained():
            requests = self._db.execute("SELECT count(*) FROM requests WHERE at < ?", (until,)).fetchone()[0]
            sessions = self._db.execute(f"SELECT count(*) FROM sessions WHERE {_OVER}", (until, until)).fetchone()[0]  # noqa: S608
            return sessions, requests

    def prune(self, until: str) -> int:
        """Removes the requests that began before `until` (RFC 3339, UTC) and the sessions that have none left; the
        bytes that this freed. Room that another session's lock keeps from being freed is used again later."""
        size = self._bytes()
        with self._explained():
            with self._writing():
                self._db.execute(f"DELETE FROM sessions WHERE {_OVER}", (until, until))  # noqa: S608
                self._db.execute("DELETE FROM requests WHERE at < ?", (until,))
            with suppress(sqlite3.OperationalError):
                self._db.execute("VACUUM")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(size - self._bytes(), 0)

    def _bytes(self) -> int:
        files = (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm")))
        return sum(file.stat().st_size for file in files if file.exists())

    def spent(self, profile: str, since: str, but: str) -> float:
        """USD that sessions with `profile` have cost since `since` (RFC 3339, UTC), without session `but`."""
        with self._explained():
            found = self._db.execute(
                "SELECT total(cost_usd) FROM requests JOIN sessions ON sessions.id = session "
                "WHERE at >= ? AND profile = ? AND session != ?",
                (since, profile, but),
            ).fetchone()
            return float(found[0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise LedgerError(f"the ledger {self.path} cannot be used: {error}") from error
            raise LedgerError(
                f"the ledger {self.path} is damaged ({error}); move it away and the next session starts a new one"
            ) from error
        except OSError as error:
            raise LedgerError(f"the ledger {self.path} cannot be used: {error.strerror or error}") from error


def _wal(db: sqlite3.Connection, wait_s: float) -> None:
    """Switches to WAL. Two that do so at once can fail with "locked" at once, whatever the timeout says."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _values(session: str, row: Row) -> tuple[object, ...]:
    usage = row.usage
    tried = json.dumps([[attempt.lane, attempt.status, attempt.why] for attempt in row.tried])
    return _storable((
        row.id, session, row.at, row.method, row.path, row.format, row.tier, row.why, row.lane, row.provider, row.model,
        row.asked_model, row.status, row.outcome, row.error, tried, usage.input, usage.cache_read, usage.cache_write,
        usage.cache_write_1h, usage.output, usage.reasoning, usage.extras, row.estimated, row.cost_usd,
        row.baseline_usd, row.removed_tokens, row.first_byte_ms, row.ms,
        json.dumps([[change.what, change.did, change.why, change.count] for change in row.changes]),
        json.dumps([[saving.kind, saving.tokens, saving.usd] for saving in row.savings]), row.compression_usd,
        row.faults, row.who, row.conversation, row.score, json.dumps(asdict(row.switch)) if row.switch else None,
        row.answered,
    ))  # fmt: skip


def _storable(values: tuple[object, ...]) -> tuple[object, ...]:
    """The values with every text as UTF-8 can hold it: names of files and models may have lone surrogates."""
    return tuple(v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values)


def _row(values: tuple[Any, ...]) -> Row:
    found = dict(zip(_ROW.split(", "), values, strict=True))
    usage = Usage(
        input=found.pop("input_tokens"),
        cache_read=found.pop("cache_read_tokens"),
        cache_write=found.pop("cache_write_tokens"),
        cache_write_1h=found.pop("cache_write_1h_tokens"),
        output=found.pop("output_tokens"),
        reasoning=found.pop("reasoning_tokens"),
        extras=bool(found.pop("extras")),
    )
    tried = tuple(Try(*attempt) for attempt in json.loads(found.pop("tried")))
    switch = json.loads(found.pop("switch") or "null")
    changes = tuple(Change(*change) for change in json.loads(found.pop("changes")))
    savings = tuple(Saving(*saving) for saving in json.loads(found.pop("savings")))
    del found["session"]
    found["estimated"] = bool(found["estimated"])
    return Row(
        **found, usage=usage, tried=tried, changes=changes, savings=savings, switch=Switch(**switch) if switch else None
    )
