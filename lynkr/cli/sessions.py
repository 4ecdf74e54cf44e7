"""`lynkr sessions`: recent sessions, a line each."""

from __future__ import annotations

import json
import os

import click

from lynkr.cli.speak import paint, show
from lynkr.paths import paths


@click.command(short_help="Recent sessions, a line each.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(count: int, as_json: bool) -> None:
    """Recent sessions, the latest first. `lynkr report SESSION` takes the id shown here."""
    from lynkr.ledger.store import Ledger
    from lynkr.report.terminal import session_list
    from lynkr.report.values import report

    path = paths(os.environ).ledger
    pairs = []
    if path.exists():
        with Ledger(path) as ledger:
            for session in ledger.sessions(count):
                values = report(session, ledger.rows(session.id))
                pairs.append((values["session"], values["totals"]))
    if as_json:
        show([json.dumps([{**session, "totals": totals} for session, totals in pairs], indent=1)])
    elif pairs:
        show(session_list(pairs, paint))
    else:
        show(["No session yet. Start one: lynkr run claude, or lynkr demo"])
