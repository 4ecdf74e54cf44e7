"""`lynkr report`: what a session or a period cost, and where its tokens went."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from lynkr.cli.complete import session_names
from lynkr.cli.speak import paint, say, show
from lynkr.cli.when import when
from lynkr.errors import LynkrError, UsageError
from lynkr.ledger.row import Row, Session
from lynkr.paths import paths, write_private

if TYPE_CHECKING:
    from lynkr.ledger.store import Ledger
    from lynkr.report.changes import Pair
    from lynkr.report.period import Span

_VIEWS = ("session", "day", "lane", "model", "tool", "project")
_NONE = "there is no session yet; start one with lynkr run claude, or see lynkr demo"
_PATIENCE_S = 2.0
_RECENT = 20


class Asked(NamedTuple):
    """How a report is to be given."""

    by: str | None
    as_json: bool
    as_csv: bool
    html: Path | None
    figures_only: bool


@click.command(short_help="What a session or a period cost, and where its tokens went.")
@click.argument("session", required=False, shell_complete=session_names)
@click.option("--since", metavar="WHEN", help="All requests since: 7d, 12h, 2w, today, 2026-11-01.")
@click.option("--until", metavar="WHEN", help="All requests before: 1d, 2026-12-01.")
@click.option("--by", type=click.Choice(_VIEWS), help="Summed up by one of these.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, in the shape that scripts may rely on.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV: a line a request, or a line a group with --by.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="As one page of HTML, to FILE.")  # fmt: skip
@click.option("--figures-only", is_flag=True, help="With --html: without the text of what was compressed.")
@click.option("--changes", is_flag=True, help="What compression changed, before and after, instead.")
@click.option("--full", is_flag=True, help="With --changes: every line.")
def command(
    session: str | None,
    since: str | None,
    until: str | None,
    by: str | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    figures_only: bool,
    changes: bool,
    full: bool,
) -> None:
    """What SESSION cost: `last` (the default), or an id, its beginning or its end,
    from `lynkr sessions`. With the id of a request: that request in full. With
    --since, --until or --by: all sessions together.

    \b
      lynkr report                       the last session
      lynkr report --since 7d            a week, by day, lane, model and so on
      lynkr report --since 30d --by day  day by day
      lynkr report last --html page.html the last session as a page
    """
    forms = [name for name, on in (("--json", as_json), ("--csv", as_csv), ("--html", html)) if on]
    period = since if until is None else until
    _check(session, period, by, full=full, changes=changes, figures_only=figures_only and not html, forms=forms)
    asked = Asked(by, as_json, as_csv, html, figures_only)
    path = paths(os.environ).ledger
    if changes:
        _show_changes(*find(path, session or "last"), full=full, as_json=as_json)
    elif since is not None or until is not None or (by and not session):
        _period(path, _span(since, until), asked)
    else:
        _session(path, session or "last", asked)


def _check(
    session: str | None, period: str | None, by: str | None, *, forms: list[str], full: bool, changes: bool,
    figures_only: bool,
) -> None:  # fmt: skip
    if full and not changes:
        raise UsageError("--full goes with --changes")
    if figures_only:
        raise UsageError("--figures-only goes with --html")
    if session and period is not None:
        raise UsageError(f"say a session ({session}) or a period (--since, --until), not both")
    if len(forms) > 1:
        raise UsageError(f"{' and '.join(forms)} are two forms; give one")
    if changes and (period is not None or by or (forms and forms != ["--json"])):
        raise UsageError("--changes shows one session, as text or with --json; see also --html FILE")


def _span(since: str | None, until: str | None) -> Span:
    from lynkr.report.period import Span

    begin = when("--since", since) if since is not None else None
    end = when("--until", until) if until is not None else None
    if begin and end and begin.at >= end.at:
        raise UsageError(f"--since {since} is not before --until {until}")
    words = [*([begin.since] if begin else []), *([end.until] if end else [])]
    return Span(begin and begin.at, end and end.at, ", ".join(words) or "all sessions")


def _period(path: Path, span: Span, asked: Asked) -> None:
    from lynkr.ledger.store import Ledger

    if not path.exists():
        raise LynkrError(_NONE)
    with Ledger(path) as ledger:
        _grouped(span, _patiently(ledger.between(span.since, span.until)), asked)


def _patiently(pairs: Iterable[tuple[Session, Row]]) -> Iterator[tuple[Session, Row]]:
    """The same, with a word where it takes its time."""
    began, told = time.monotonic(), False
    for number, pair in enumerate(pairs):
        if not told and number % 1000 == 0 and time.monotonic() - began > _PATIENCE_S:
            told = True
            say(f"reading the ledger: {number:,} requests so far")
        yield pair


def _grouped(span: Span, pairs: Iterable[tuple[Session, Row]], asked: Asked) -> None:
    from lynkr.ledger.prices import table
    from lynkr.report import sheet
    from lynkr.report.overview import period_report
    from lynkr.report.period import VIEWS, period
    from lynkr.report.period_page import period_page

    if asked.as_csv and not asked.by:
        show(sheet.of_requests(pairs))
        return
    values = period(span, pairs, (asked.by,) if asked.by else tuple(VIEWS))
    if asked.as_csv and asked.by:
        show(sheet.of_groups(asked.by, values["by"][asked.by]))
    elif asked.html:
        _write(asked.html, period_page(values, table().date))
    else:
        show([json.dumps(values, indent=1)] if asked.as_json else period_report(values, table().date, paint))


def _session(path: Path, wanted: str, asked: Asked) -> None:
    from lynkr.ledger.prices import table
    from lynkr.report import sheet
    from lynkr.report.period import Span
    from lynkr.report.session_page import session_page
    from lynkr.report.terminal import session_report
    from lynkr.report.values import report

    if _is_request(path, wanted):
        _request(path, wanted, asked)
        return
    session, rows = find(path, wanted)
    pairs = [(session, row) for row in rows]
    if asked.by:
        _grouped(Span(said=f"session {session.id}"), pairs, asked)
    elif asked.as_csv:
        show(sheet.of_requests(pairs))
    elif asked.html:
        changes = None if asked.figures_only else _changes(session)
        _write(asked.html, session_page(report(session, rows), table().date, changes))
    else:
        values = report(session, rows)
        show([json.dumps(values, indent=1)] if asked.as_json else session_report(values, table().date, paint))


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        show([text.rstrip("\n")])
        return
    try:
        write_private(path, text)
    except OSError as error:
        raise LynkrError(f"--html {path} cannot be written: {error.strerror}") from error
    say(f"written to {path}")


def _is_request(path: Path, wanted: str) -> bool:
    """Whether that names a request and no session."""
    from lynkr.ledger.store import Ledger

    if wanted.lower() == "last" or not path.exists():
        return False
    with Ledger(path) as ledger:
        return not ledger.find(wanted.upper()) and bool(ledger.request(wanted.upper()))


def _request(path: Path, wanted: str, asked: Asked) -> None:
    from lynkr.ledger.store import Ledger
    from lynkr.report.request import request_report, source_of

    if asked.by or asked.as_csv or asked.html:
        raise UsageError(f"{wanted!r} is a request, which is shown as text or with --json")
    with Ledger(path) as ledger:
        found = ledger.request(wanted.upper())
        if len(found) > 1:
            raise UsageError(f"{wanted!r} fits several requests; give more of its id")
        of = source_of(found[0][1].answered)
        source = ledger.request(of) if of else []
    both = [_values(pair) for pair in (*found, *source)]
    one, other = both[0], both[1] if len(both) > 1 else None
    show([json.dumps({**one, "answer_of": other}, indent=1)] if asked.as_json else request_report(one, other, paint))


def _values(pair: tuple[Session, Row]) -> dict[str, object]:
    from dataclasses import asdict

    from lynkr.report.values import request_values

    return {"session": asdict(pair[0]), "request": request_values(pair[1])}


def _changes(session: Session) -> list[Pair]:
    from lynkr.kept import Kept
    from lynkr.report.changes import Pair

    kept = Kept(paths(os.environ).kept)
    return [
        Pair(made.request, made.id, made.label, made.cuts, kept.get(made.id), made.after)
        for made in kept.made(session.id)
    ]


def _show_changes(session: Session, rows: list[Row], *, full: bool, as_json: bool) -> None:
    from lynkr.report.changes import as_values, change_list, noted

    pairs = _changes(session)
    if as_json:
        show([json.dumps(as_values(pairs), indent=1)])
        return
    gone = not pairs and any(row.removed_tokens for row in rows)
    show([*noted(rows), *change_list(pairs, gone=gone, full=full, paint=paint)])


def _last(ledger: Ledger) -> list[Session]:
    """The last session; a proxy that stood and served nothing is none that anybody asks for."""
    latest = ledger.sessions(_RECENT)
    served = (each for each in latest if each.tool != "serve" or ledger.served(each.id))
    return list(islice(served, 1)) or latest[:1]


def find(path: Path, wanted: str) -> tuple[Session, list[Row]]:
    """The session that is called `wanted`, and its requests. Raises UsageError where that is none, or not one."""
    from lynkr.ledger.store import Ledger

    if not path.exists():
        raise LynkrError(_NONE)
    with Ledger(path) as ledger:
        found = _last(ledger) if wanted.lower() == "last" else ledger.find(wanted.upper())
        if not found:
            if wanted.lower() == "last":
                raise LynkrError(_NONE)
            raise UsageError(f"there is no session {wanted!r}; lynkr sessions lists them")
        if len(found) > 1:
            raise UsageError(f"{wanted!r} fits several sessions; give more of its id (lynkr sessions)")
        return found[0], ledger.rows(found[0].id)
