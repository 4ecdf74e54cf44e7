"""`lynkr expand`: the original of something that was compressed."""

from __future__ import annotations

import os

import click

from lynkr.cli.speak import give
from lynkr.errors import LynkrError
from lynkr.paths import paths


@click.command(short_help="The original of something that was compressed.")
@click.argument("identity", metavar="ID")
def command(identity: str) -> None:
    """Print the original that a stub names: `[lynkr: left out 297 passed tests; all of it: lynkr expand 1a2b3c4d5e]`.

    Originals of all sessions of the last two weeks are kept (lynkr cache show).
    """
    from lynkr.kept import Kept

    text = Kept(paths(os.environ).kept).get(identity.strip("[]").lower())
    if text is None:
        raise LynkrError(
            f"there is no original {identity!r}; ids stand in `lynkr expand ID` in compressed results, and originals "
            f"are kept for two weeks"
        )
    give(text)
