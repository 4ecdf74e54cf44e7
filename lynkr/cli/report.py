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
@click.option("--changes", is_flag=True, help="What compression changed, before and after, instead.")
@click.option("--full", is_flag=True, help="With --changes: every line.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, in the shape that scripts may rely on.")
def command(session: str, changes: bool, full: bool, as_json: bool) -> None:
    """What SESSION cost: `last` (the default), or an id, its beginning or its end, from `lynkr sessions`."""
    from lynkr.ledger.prices import table
    from lynkr.report.terminal import session_report
    from lynkr.report.values import report

    if full and not changes:
        raise UsageError("--full goes with --changes")
    found = find(paths(os.environ).ledger, session)
    if changes:
        _show_changes(*found, full=full, as_json=as_json)
        return
    values = report(*found)
    show([json.dumps(values, indent=1)] if as_json else session_report(values, table().date, paint))


def _show_changes(session: Session, rows: list[Row], *, full: bool, as_json: bool) -> None:
    from lynkr.kept import Kept
    from lynkr.report.changes import Pair, as_values, change_list, noted

    kept = Kept(paths(os.environ).kept)
    pairs = [
        Pair(made.request, made.id, made.label, made.cuts, kept.get(made.id), made.after)
        for made in kept.made(session.id)
    ]
    gone = not pairs and any(row.removed_tokens for row in rows)
    lines = (
        [json.dumps(as_values(pairs), indent=1)] if as_json else change_list(pairs, gone=gone, full=full, paint=paint)
    )
    show(lines if as_json else [*noted(rows), *lines])


def find(path: Path, wanted: str) -> tuple[Session, list[Row]]:
    """The session that is called `wanted`, and its requests. Raises UsageError where that is none, or not one."""
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
