"""Standing proxies on this machine: each leaves a note of where it listens and how its last reload went."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lynkr.errors import ConfigError, UsageError
from lynkr.paths import Paths, private_folder, replace_private, write_private
from lynkr.running import alive

TOKEN_VARIABLE = "LYNKR_SERVE_TOKEN"  # noqa: S105 - a variable's name
_LEAST = 16


@dataclass(frozen=True, slots=True)
class Stands:
    """One of them. `reloads` counts them, those that failed too; `problem` is what was wrong with the last one. `born`
    tells the process from a later one with its number."""

    pid: int
    host: str
    port: int
    profiles: tuple[str, ...]
    since: str
    reloads: int = 0
    problem: str = ""
    born: str = ""
    # How long requests under way may have when it is to end.
    drain_s: float = 0.0

    @property
    def reached(self) -> str:
        """The address at which this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        """The same as a URL."""
        host = f"[{self.reached}]" if ":" in self.reached else self.reached
        return f"http://{host}:{self.port}"


def be_stoppable() -> None:
    """Lets a signal end this process also before it serves: as a container's first process it would be ignored.
    Raises UsageError on Windows."""
    if not hasattr(signal, "SIGHUP"):
        raise UsageError("lynkr serve does not run on Windows yet; in WSL it does")

    def ended(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to read anew yet


def be_left_alone() -> None:
    """Lets no signal end this process while it writes its last rows, which takes a few seconds at most."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def leave(where: Paths, note: Stands) -> None:
    """Writes a proxy's note anew."""
    replace_private(where.stands / f"{note.port}.json", json.dumps(asdict(note)))


def gone(where: Paths, note: Stands) -> None:
    """Removes a proxy's note, unless the next one on that port has left its own meanwhile."""
    if any(each.port == note.port and each.pid == note.pid for each in standing(where)):
        (where.stands / f"{note.port}.json").unlink(missing_ok=True)


def standing(where: Paths) -> list[Stands]:
    """Those that run, by port."""
    found = []
    for path in where.stands.glob("*.json"):
        try:
            values = json.loads(path.read_text("utf-8"))
            note = Stands(**{**values, "profiles": tuple(values["profiles"])})
        except (OSError, ValueError, TypeError, KeyError):
            continue  # half of one, or of another version
        if alive(note.pid) and note.born == born(note.pid):
            found.append(note)
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda note: note.port)


def born(pid: int) -> str:
    """When a process began, as the system counts it; "" where it does not say."""
    try:
        # The name may hold spaces and brackets; what follows its last bracket does not.
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def reload(note: Stands) -> None:
    """Asks a proxy to read its profiles and keys anew."""
    os.kill(note.pid, signal.SIGHUP)


def end(note: Stands) -> None:
    """Asks a proxy to end when it has served what is under way."""
    os.kill(note.pid, signal.SIGTERM)


def token(where: Paths, environ: Mapping[str, str], *, new: bool = False) -> str:
    """The token that opens standing proxies: of the environment, or this user's own, made when it is first needed.

    Raises ConfigError where that of the environment cannot be one.
    """
    if given := environ.get(TOKEN_VARIABLE, ""):
        if len(given) < _LEAST or not (given.isascii() and given.isalnum()):
            raise ConfigError(f"{TOKEN_VARIABLE} must have {_LEAST} or more of a-z, A-Z and 0-9, and nothing else")
        return given
    path = where.stands / "token"
    held = _read(path)
    if new or not held:
        held = secrets.token_hex(24)
        private_folder(path.parent)
        write_private(path, held)
    return held


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"the token in {path} cannot be read: {error.strerror}") from error
