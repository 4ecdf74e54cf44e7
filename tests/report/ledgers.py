"""A ledger that holds what a test wants, and the command line asked in this process: as it is, in a time zone."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, NamedTuple
from unittest.mock import patch

from lynkr.cli.main import main
from lynkr.ledger.row import Row, Session
from lynkr.ledger.store import Ledger
from lynkr.paths import paths

# As POSIX writes them, so that they mean the same where no list of zones is installed.
UTC = "UTC0"
TOKYO = "JST-9"
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
NEPAL = "<+0545>-5:45"
KIRITIMATI = "<+14>-14"
HAWAII = "HST10"

Held = tuple[Session, Iterable[Row]]


class Told(NamedTuple):
    """What a command said."""

    status: Any
    out: str
    err: str


def fill(*sessions: Held) -> None:
    """Puts sessions into this test's own ledger."""
    with Ledger(paths(os.environ).ledger) as ledger:
        for session, rows in sessions:
            ledger.save(session, rows)


@contextmanager
def zone(name: str) -> Iterator[None]:
    """The local time of that zone."""
    before = os.environ.get("TZ")
    _set(name)
    try:
        yield
    finally:
        _set(before)


def _set(name: str | None) -> None:
    if name is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = name
    time.tzset()


def ask(*words: str) -> Told:
    """`lynkr WORDS`, without a process of its own."""
    out, err, status = io.StringIO(), io.StringIO(), None
    with patch.object(sys, "argv", ["lynkr", *words]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            status = ended.code
    return Told(status, out.getvalue(), err.getvalue())
