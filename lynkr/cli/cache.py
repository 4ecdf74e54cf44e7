"""`lynkr cache`: what lynkr keeps on disk, and how to be rid of it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from lynkr.cli.speak import say, show
from lynkr.paths import paths
from lynkr.report.words import plural

if TYPE_CHECKING:
    from lynkr.answers.shelf import Shelf


@click.group(short_help="What is kept on disk of results and answers; clear it.")
def command() -> None:
    """See and clear what lynkr keeps: the originals of compressed results, which changes each session made, and answers
    that may be given again."""


@command.command("show", short_help="How much is kept, and where.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show_(as_json: bool) -> None:
    """Say how much is kept, and where."""
    from lynkr.kept import KEPT_S, LARGEST, Kept

    kept, shelf = Kept(paths(os.environ).kept), _shelf()
    held, answers = kept.held(), shelf.size()
    if as_json:
        values = {"folder": str(kept.folder), "originals": held.originals, "sessions": held.sessions}
        shelved = {"folder": str(shelf.folder), "answers": answers.answers, "bytes": answers.bytes}
        show([json.dumps({**values, "bytes": held.bytes, "answers": shelved}, indent=1)])
        return
    lines = []
    if held.originals or held.sessions:
        of = f"{plural(held.originals, 'original')} of {plural(held.sessions, 'session')}"
        lines += [
            f"{of}, {held.bytes / 1e6:.1f} MB in {kept.folder}",
            f"kept for {KEPT_S // 86400} days, {LARGEST // 1024**2} MB at most",
        ]
    if answers.answers:
        lines.append(f"{plural(answers.answers, 'answer')}, {answers.bytes / 1e6:.1f} MB in {shelf.folder}")
    show(lines or ["nothing is kept: no result has been compressed yet"])


@command.command("clear", short_help="Remove it.")
@click.option("--answers", "only_answers", is_flag=True, help="Only the answers that may be given again.")
def clear(only_answers: bool) -> None:
    """Remove everything that is kept. What running sessions have compressed can then not be expanded any more."""
    from lynkr.kept import Kept

    lines = []
    if not only_answers:
        was = Kept(paths(os.environ).kept).clear()
        lines.append(f"removed {plural(was.originals, 'original')} ({was.bytes / 1e6:.1f} MB)")
    answers = _shelf().clear()
    if answers.answers or only_answers:
        lines.append(f"removed {plural(answers.answers, 'answer')}")
    show(lines)


def _shelf() -> Shelf:
    from lynkr.answers.shelf import Shelf

    return Shelf(paths(os.environ).answers, 0.0, 1 << 30, say)
