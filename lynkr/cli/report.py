"""`lynkr report`: what a session cost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from lynkr.cli.complete import session_names
from lynkr.cli.speak import paint, show
from lynkr.errors import LynkrError, UsageError
from lynkr.ledger.row import Row, Session
from lynkr.paths import paths


@click.command(short_help="What a session cost, and where its tokens went.")
@click.argument("session", default="last", shell_complete=session_names)
@click.option("--json", "as_json", is_flag=True, help="As JSON, in the shape that scripts may rely on.")
def command(session: str, as_json: bool) -> None:
    """What SESSION cost: `last` (the default), or an id, its beginning or its end, from `lynkr sessions`."""
    from lynkr.ledger.prices import table
    from lynkr.report.terminal import session_report
    from lynkr.report.values import report

    values = report(*_find(paths(os.environ).ledger, session))
    show([json.dumps(values, indent=1)] if as_json else session_report(values, table().date, paint))


def _find(path: Path, wanted: str) -> tuple[Session, list[Row]]:
    from lynkr.ledger.store import Ledger

    if not path.exists():
        raise LynkrError("there is no session yet; start one with lynkr run claude, or see lynkr demo")
    with Ledger(path) as ledger:
        found = ledger.sessions(1) if wanted.lower() == "last" else ledger.find(wanted.upper())
        if not found:
            if wanted.lower() == "last":
                raise LynkrError("there is no session yet; start one with lynkr run claude, or see lynkr demo")
            raise UsageError(f"there is no session {wanted!r}; lynkr sessions lists them")
        if len(found) > 1:
            raise UsageError(f"{wanted!r} fits several sessions; give more of its id (lynkr sessions)")
        return found[0], ledger.rows(found[0].id)
