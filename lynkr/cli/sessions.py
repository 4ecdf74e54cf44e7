"""`lynkr sessions`: recent sessions, a line each."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from lynkr.cli.speak import paint, show
from lynkr.paths import paths


@click.command(short_help="Recent sessions, a line each.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(count: int, as_json: bool) -> None:
    """Recent sessions, the latest first. `lynkr report SESSION` takes the id shown here."""
    from dataclasses import asdict

    from lynkr.ledger.store import Ledger
    from lynkr.report.tally import Tally
    from lynkr.report.terminal import session_list

    path = paths(os.environ).ledger
    pairs = list[tuple[dict[str, Any], dict[str, Any]]]()
    if path.exists():
        with Ledger(path) as ledger:
            pairs += (
                (asdict(session), Tally.of(ledger.rows(session.id)).totals()) for session in ledger.sessions(count)
            )
    if as_json:
        show([json.dumps([{**session, "totals": totals} for session, totals in pairs], indent=1)])
    elif pairs:
        show(session_list(pairs, paint))
    else:
        show(["No session yet. Start one: lynkr run claude, or lynkr demo"])
