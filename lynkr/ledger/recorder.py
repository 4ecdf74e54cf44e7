"""Writes a session's rows while it runs, without ever making it wait.

A thread of its own takes the rows from a queue, so that a lock held by another session, a slow disk or a damaged file
costs the session nothing. Rows are kept until the session ends in any case: what the file did not take goes into the
report that is kept beside it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from lynkr.errors import LynkrError
from lynkr.ledger.row import Row, Session

# So many rows at most are one transaction: in between others get the lock.
_BATCH = 500
_PAUSE_S = 0.2
_UNNOTICED_S = 1.5
_STEP_S = 0.1


class Recorder:
    """The rows of one session. `put` from any thread; `close` once, from the one that made it.

    `rows` are all of them, `unsaved` those that the file has not taken.
    """

    def __init__(
        self, path: Path, session: Session, told: Callable[[list[Row]], None] | None = None, *, keeps: bool = True
    ) -> None:
        """`told` hears of rows when they have come, in the recorder's own thread. `keeps` is False for what stands for
        weeks: then `rows` stays empty."""
        self._told = told
        self._keeps = keeps
        # What kept the listener from hearing more, "" where nothing did.
        self.deaf = ""
        self.rows: list[Row] = []
        self.unsaved: list[Row] = []
        self._path = path
        self._session = session
        self._queue: queue.SimpleQueue[Row | Session | None] = queue.SimpleQueue()
        self._problem: LynkrError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """What keeps the file from taking rows, "" where nothing does."""
        return self._problem.sentence if self._problem else ""

    def put(self, row: Row) -> None:
        """Takes a row; never blocks."""
        if self._keeps:
            self.rows.append(row)
        self._queue.put(row)

    def close(
        self,
        session: Session,
        wait_s: float = 8.0,
        waiting: Callable[[], None] = lambda: None,
        enough: Callable[[], bool] = lambda: False,
    ) -> LynkrError | None:
        """Writes the session's end; gives what kept rows or the end from being written, None if nothing did.

        `waiting` is called once where that takes longer than a user would think nothing of; it ends early when
        `enough` says so.
        """
        self._closing.set()
        self._queue.put(session)
        self._queue.put(None)
        told = False
        for step in range(int(wait_s / _STEP_S)):
            self._thread.join(_STEP_S)
            if not self._thread.is_alive():
                return self._problem
            if step * _STEP_S > _UNNOTICED_S and not told:
                told = True
                waiting()
            if enough():
                break
        return LynkrError(f"the ledger {self._path} did not take this session's rows yet")

    def _write(self) -> None:
        # Here and not above: the child is already starting, and this thread has the time.
        from lynkr.ledger.store import Ledger

        session, waiting, ended = self._session, self.unsaved, False
        ledger: Ledger | None = None
        while not ended:
            # The first round writes the session's own line, before any request.
            items = self._next() if ledger or self._problem else []
            ended = None in items
            session = next((item for item in reversed(items) if isinstance(item, Session)), session)
            new = [item for item in items if isinstance(item, Row)]
            waiting += new
            if new:
                self._tell(new)
            try:
                ledger = ledger or Ledger(self._path)
                ledger.save(session, waiting)
            except LynkrError as error:
                self._problem = error
            except Exception as error:  # noqa: BLE001 - whatever it is, the rows are kept and the user is told
                self._problem = LynkrError(f"the ledger {self._path} cannot be written: {error!r}")
            else:
                self._problem = None
                waiting.clear()
        if ledger:
            ledger.close()

    def _tell(self, rows: list[Row]) -> None:
        """Lets whoever listens hear of rows. Whoever cannot bear it hears no more, and no row is lost by it."""
        if self._told is None:
            return
        try:
            self._told(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rows come first
            self._told, self.deaf = None, repr(error)

    def _next(self) -> list[Row | Session | None]:
        items = [self._queue.get()]
        # Rows come in bursts, and a write in the middle of one would compete with the proxy for the interpreter.
        self._closing.wait(_PAUSE_S)
        while len(items) < _BATCH and items[-1] is not None:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items
