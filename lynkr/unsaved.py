"""Reports that the ledger did not take: kept beside it, and taken in when it can be written again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lynkr.errors import LynkrError
from lynkr.paths import Paths, replace_private
from lynkr.report.values import unreport

if TYPE_CHECKING:
    from lynkr.ledger.store import Ledger

_KEPT = "unsaved-*.json"


def keep(where: Paths, identity: str, text: str) -> Path:
    """Puts a report that the ledger did not take beside it, or, where that cannot be, among temporary files."""
    try:
        path = where.unsaved / _KEPT.replace("*", identity)
        replace_private(path, text)
    except OSError:
        path = Path(tempfile.gettempdir()) / f"lynkr-{_KEPT.replace('*', identity)}"
        replace_private(path, text)
    return path


def adopt(where: Paths, say: Callable[[str], None]) -> None:
    """Takes reports that were kept beside the ledger into it, now that it can be written again."""
    kept = sorted(where.unsaved.glob(_KEPT))
    if not kept:
        return
    from lynkr.ledger.store import Ledger

    try:
        with Ledger(where.ledger) as ledger:
            for path in kept:
                _adopt_one(ledger, path, say)
    except LynkrError as error:
        say(f"{error}; {len(kept)} reports wait beside it")


def _adopt_one(ledger: Ledger, path: Path, say: Callable[[str], None]) -> None:
    try:
        ledger.save(*unreport(json.loads(path.read_text("utf-8"))))
        path.unlink()
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"{path} cannot be taken into the ledger ({error!r}); remove it, or mend it")
    else:
        say(f"the ledger can be written again: {path.name} is in it now")
