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

    kept, wanted = Kept(paths(os.environ).kept), identity.strip("[]").lower()[:64]
    text = kept.get(wanted)
    if text is None and len(found := kept.ids(wanted)) > 1:
        raise LynkrError(f"{wanted!r} fits {len(found)} originals; give more of it: {', '.join(found[:4])}")
    if text is None:
        raise LynkrError(
            f"there is no original {wanted!r}; ids stand in `lynkr expand ID` in compressed results, and originals "
            f"are kept for two weeks"
        )
    give(text)
