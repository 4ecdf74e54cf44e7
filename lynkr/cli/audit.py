"""`lynkr audit`: what past sessions of Claude Code and Codex cost, and what lynkr would have saved."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lynkr.cli.complete import profile_names
from lynkr.cli.speak import paint, say, show
from lynkr.cli.when import when
from lynkr.errors import ConfigError, LynkrError
from lynkr.paths import home_folder, paths

if TYPE_CHECKING:
    from lynkr.audit.past import Reader
    from lynkr.plan import Plan

_PATIENCE_S, _EVERY_S = 2.0, 1.0


@click.command(short_help="What past Claude Code and Codex sessions cost.")
@click.argument("places", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("-p", "--profile", metavar="NAME", shell_complete=profile_names,
              help="What would have served them, instead of the profile in use.")  # fmt: skip
@click.option("--since", metavar="WHEN", help="Only requests since: 30d, 2026-11-01.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(places: tuple[Path, ...], profile: str | None, since: str | None, as_json: bool) -> None:
    """Read transcripts and say what they cost at today's prices, where it went, and what lynkr would have saved.

    Without PATH, those of Claude Code (~/.claude/projects) and Codex (~/.codex/sessions). Nothing is sent anywhere and
    nothing is changed. What would have been saved comes from putting the same requests through the profile's routing
    and compression, under the providers' cache rules.
    """
    from lynkr.audit.account import MARGIN, audit
    from lynkr.audit.reading import find
    from lynkr.ledger.prices import table
    from lynkr.report.audit import audit_report, audit_values
    from lynkr.report.period import Span

    begin = when("--since", since) if since is not None else None
    files = find(places, home_folder(paths(os.environ).state), os.environ)
    if not files:
        where = " in " + ", ".join(map(str, places)) if places else " (~/.claude/projects, ~/.codex/sessions)"
        raise LynkrError(f"there is no transcript{where}; give a file or a folder of them: lynkr audit PATH")
    named, plans = _plans(profile)
    since_s = datetime.fromisoformat(begin.at).timestamp() if begin else 0.0
    account = audit(files, table(), plans, since_s, _progress(len(files)))
    span = Span(begin.at if begin else None, None, begin.since if begin else "all transcripts")
    values = audit_values(account.was, account.would, account.results, table(), MARGIN, span)
    read = {"files": account.files, "lines": account.lines, "skipped_lines": account.skipped,
            "copied_requests": account.copied, "unread": account.unread, "profile": named,
            "unserved": sorted(account.unserved)}  # fmt: skip
    if as_json:
        show([json.dumps({**values, "read": read, "prices": table().date}, indent=1)])
    else:
        show(audit_report(values, read, table().date, paint))


def _plans(profile: str | None) -> tuple[str, Callable[[Reader], Plan | None]]:
    """The profile's name, and what it would serve a tool's requests with; None for what it has no lane for."""
    from lynkr import profiles
    from lynkr.plan import Options, for_past

    chosen = profiles.choose(profile, os.environ, Path.cwd(), paths(os.environ))

    def plan_of(reader: Reader) -> Plan | None:
        try:
            return for_past(Options((), made=chosen, standing=True), reader.TOOL)
        except ConfigError as error:
            say(f"for {reader.TOOL}: {error.sentence}")
            return None

    return chosen.name, plan_of


def _progress(whole: int) -> Callable[[int], None]:
    """Says how far it has come, where that takes its time; on one line where there is a terminal."""
    began = told = time.monotonic()
    line = sys.stderr.isatty()

    def step(done: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - began < _PATIENCE_S or now - told < _EVERY_S:
            if line and done == whole and told != began:
                click.echo("\r\x1b[K", err=True, nl=False)
            return
        told = now
        if line:
            click.echo(f"\rlynkr: {done} of {whole} transcripts\x1b[K", err=True, nl=done == whole)
        elif int(now - began) % 10 == 0:
            say(f"{done} of {whole} transcripts")

    return step
