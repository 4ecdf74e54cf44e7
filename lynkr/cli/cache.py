"""`lynkr cache`: what lynkr keeps on disk, and how to be rid of it."""

from __future__ import annotations

import json
import os

import click

from lynkr.cli.speak import show
from lynkr.paths import paths
from lynkr.report.words import plural


@click.group(short_help="What is kept on disk of compressed results; clear it.")
def command() -> None:
    """See and clear what lynkr keeps: the originals of compressed results, and which changes each session made."""


@command.command("show", short_help="How much is kept, and where.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show_(as_json: bool) -> None:
    """Say how much is kept, and where."""
    from lynkr.kept import KEPT_S, LARGEST, Kept

    kept = Kept(paths(os.environ).kept)
    held = kept.held()
    if as_json:
        values = {"folder": str(kept.folder), "originals": held.originals, "sessions": held.sessions}
        show([json.dumps({**values, "bytes": held.bytes}, indent=1)])
        return
    if not held.originals and not held.sessions:
        show(["nothing is kept: no result has been compressed yet"])
        return
    of = f"{plural(held.originals, 'original')} of {plural(held.sessions, 'session')}"
    show(
        [
            f"{of}, {held.bytes / 1e6:.1f} MB in {kept.folder}",
            f"kept for {KEPT_S // 86400} days, {LARGEST // 1024**2} MB at most",
        ]
    )


@command.command("clear", short_help="Remove it.")
def clear() -> None:
    """Remove everything that is kept. What running sessions have compressed can then not be expanded any more."""
    from lynkr.kept import Kept

    was = Kept(paths(os.environ).kept).clear()
    show([f"removed {plural(was.originals, 'original')} ({was.bytes / 1e6:.1f} MB)"])
