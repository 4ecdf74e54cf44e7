"""`lynkr doctor`: what is in order, what is not, and how to mend it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from lynkr.cli.speak import asking, paint, say, show
from lynkr.paths import paths

_MARKS = {"ok": ("✓", "green"), "note": ("·", "dim"), "wrong": ("✗", "red")}


@click.command(short_help="Say what is in order, what is not, and how to mend it.")
@click.option("--live", is_flag=True, help="Also send a word down each lane (costs a fraction of a cent each).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(live: bool, as_json: bool) -> int:
    """Look at the profile in use, its lanes and keys, the tools and what would lead them past lynkr, model servers on
    this machine, the keyring, shims, the ledger and the prices. Exit status 1 where something is wrong.
    """
    from lynkr.diagnosis import Doctor, Finding, worst
    from lynkr.secrets.store import Store

    where = paths(os.environ)
    doctor = Doctor(where, os.environ, Path.cwd(), Store(where, os.environ, say, asking()), say)
    found: list[Finding] = []
    area = ""
    for finding in doctor.findings(live=live):
        found.append(finding)
        if as_json:
            continue
        if finding.area != area:
            area = finding.area
            show([paint(area, "bold")])
        mark, colour = _MARKS[finding.state]
        show([f"  {paint(mark, colour)} {finding.name}: {finding.says}"])
        if finding.mend:
            show([f"      → {finding.mend}"])
    state = worst(found)
    if as_json:
        show([json.dumps({"state": state, "findings": [asdict(finding) for finding in found]}, indent=1)])
    elif state == "wrong":
        wrong = sum(finding.state == "wrong" for finding in found)
        say(f"{wrong} thing{'s are' if wrong > 1 else ' is'} wrong; each says above how to mend it")
    else:
        say("all is in order" if live else "all is in order; --live would try the lanes, too")
    return 1 if state == "wrong" else 0
