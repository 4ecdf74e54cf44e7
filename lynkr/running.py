"""Sessions that run: each has a folder of its own, called by its process and its id, as long as it does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from lynkr.paths import Paths, private_folder


class Running(NamedTuple):
    """A session that runs."""

    pid: int
    id: str
    folder: Path


def new_folder(where: Paths, identity: str) -> Path:
    """A folder for this session alone. A place that cannot be written to is no reason not to start."""
    try:
        _sweep(where.sessions)
        return private_folder(where.sessions / f"{os.getpid()}-{identity}")
    except OSError:
        import tempfile

        return Path(tempfile.mkdtemp(prefix="lynkr-"))


def running(where: Paths) -> list[Running]:
    """The sessions that run, the oldest first."""
    return [each for each in _all(where.sessions) if alive(each.pid)]


def _sweep(sessions: Path) -> None:
    """Removes what sessions that were killed have left."""
    for each in _all(sessions):
        if not alive(each.pid):
            shutil.rmtree(each.folder, ignore_errors=True)


def _all(sessions: Path) -> list[Running]:
    if not sessions.is_dir():
        return []
    named = ((folder, *folder.name.partition("-")[::2]) for folder in sessions.iterdir())
    return sorted(
        (Running(int(pid), ended, folder) for folder, pid, ended in named if pid.isdigit()), key=lambda r: r.id
    )


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    if os.name == "nt":  # there, signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
