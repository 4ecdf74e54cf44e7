"""`lynkr ledger`: the file with a row for every request; what it holds, its rows for other programs, and less of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lynkr.cli.speak import say, show
from lynkr.cli.when import when
from lynkr.errors import LynkrError, UsageError
from lynkr.ledger.row import Row, Session
from lynkr.paths import paths, write_private
from lynkr.report.words import plural

if TYPE_CHECKING:
    from lynkr.ledger.store import Ledger

_EMPTY = "the ledger is empty: no session yet"
_BATCH = 1000


@click.group(short_help="The file with a row for every request: what it holds; export, prune.")
def command() -> None:
    """See, export and prune the ledger. It holds figures and names, never a word of a prompt, an answer or a key."""


@command.command("path", short_help="Where it is.")
def path_() -> None:
    """Print the file's path."""
    show([str(paths(os.environ).ledger)])


@command.command("show", short_help="How much it holds, and since when.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show_(as_json: bool) -> None:
    """Say how much the ledger holds, and since when."""
    path = paths(os.environ).ledger
    if not path.exists():
        show(
            [json.dumps({"path": str(path), "sessions": 0, "requests": 0, "bytes": 0}, indent=1) if as_json else _EMPTY]
        )
        return
    with _ledger() as ledger:
        held = ledger.held()
    if as_json:
        show([json.dumps({"path": str(path), **held._asdict()}, indent=1)])
        return
    span = f", {held.first[:10]} to {held.last[:10]}" if held.first and held.last else ""
    counts = f"{plural(held.requests, 'request')} of {plural(held.sessions, 'session')}"
    show([f"{counts}{span}", f"{held.bytes / 1e6:.1f} MB in {path}"])


@command.command("export", short_help="All rows, for other programs.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), default=Path("-"))
@click.option("--since", metavar="WHEN", help="Only requests since: 7d, 2026-11-01.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, instead of a JSON object a line.")
def export(file: Path, since: str | None, as_csv: bool) -> None:
    """Write every request with its session to FILE, or to stdout: a JSON object a line, with all fields of a report."""
    from lynkr.report import sheet

    begin = when("--since", since).at if since else None
    with _ledger() as ledger:
        pairs = ledger.between(begin)
        _write(file, sheet.of_requests(pairs) if as_csv else _lines(pairs))


def _lines(pairs: Iterable[tuple[Session, Row]]) -> Iterator[str]:
    from lynkr.report.values import request_values

    for session, row in pairs:
        yield json.dumps({"session": asdict(session), **request_values(row)})


def _write(file: Path, lines: Iterable[str]) -> None:
    if str(file) == "-":
        batch = list[str]()
        for line in lines:
            batch.append(line)
            if len(batch) == _BATCH:
                show(batch)
                batch.clear()
        if batch:
            show(batch)
        return
    count = 0
    try:
        write_private(file, "")
        with file.open("a", encoding="utf-8", newline="") as out:
            for count, line in enumerate(lines, 1):  # noqa: B007 - how many there were is told
                out.write(line + "\n")
    except OSError as error:
        raise LynkrError(f"{file} cannot be written: {error.strerror}") from error
    say(f"{plural(count, 'line')} written to {file}")


@command.command("prune", short_help="Remove what is old.")
@click.option("--older-than", required=True, metavar="WHEN", help="90d, 26w, or a date.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(older_than: str, yes: bool) -> None:
    """Remove the requests from before WHEN, and the sessions that have none left. This cannot be undone; `lynkr ledger
    export` first keeps them elsewhere."""
    until = when("--older-than", older_than)
    month = datetime.now().astimezone().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with _ledger() as ledger:
        sessions, requests = ledger.before(until.at)
        if not requests and not sessions:
            show([f"nothing is older than {older_than}"])
            return
        what = f"{plural(requests, 'request')} and {plural(sessions, 'session')}"
        if datetime.fromisoformat(until.at) > month.astimezone(UTC):
            say("budgets of a day and a month count what the ledger holds; this removes some of this month")
        if not yes:
            _confirm(f"Remove {what} from before {until.at[:16].replace('T', ' ')} UTC?")
        freed = ledger.prune(until.at)
    show([f"removed {what}; {freed / 1e6:.1f} MB freed"])


def _confirm(question: str) -> None:
    if not os.isatty(0):
        raise UsageError("nobody is there to be asked; say --yes")
    click.confirm(question, abort=True, err=True)


def _ledger() -> Ledger:
    from lynkr.ledger.store import Ledger

    path = paths(os.environ).ledger
    if not path.exists():
        raise LynkrError(_EMPTY)
    return Ledger(path)
