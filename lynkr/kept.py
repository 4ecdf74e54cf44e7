"""The originals of what was compressed, and which changes a session made: files that only their owner can read.

An original is called by its content (`lynkr.transforms.tool_results.content_id`), so the same text is kept once,
whoever sends it and however often. What was not sent again within two weeks goes, and what is oldest where it gets too
much.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lynkr.paths import private_folder, replace_private, write_private

KEPT_S = 14 * 24 * 3600
LARGEST = 256 * 1024 * 1024
_ID = re.compile(r"[0-9a-f]{1,64}")


class Made(NamedTuple):
    """A change that a session made: in which request, to the result of which call, by what, and what became of it."""

    request: str
    id: str
    label: str
    cuts: tuple[tuple[str, int], ...]
    after: str


class Held(NamedTuple):
    """What a folder holds."""

    originals: int
    sessions: int
    bytes: int


class Kept(NamedTuple):
    """A folder of originals, and of sessions' lists of changes beside them."""

    folder: Path

    def put(self, identity: str, text: str) -> None:
        """Keeps an original. Raises OSError."""
        path = self._original(identity)
        try:
            os.utime(path)
        except FileNotFoundError:
            replace_private(path, text, errors="surrogatepass")

    def usable(self) -> bool:
        """Whether originals can be kept here."""
        try:
            probe = private_folder(self.folder / "originals") / f".{os.urandom(4).hex()}"
            write_private(probe, "")
            probe.unlink()
        except OSError:
            return False
        return True

    def note(self, session: str, made: Made) -> None:
        """Adds a change to a session's list. Raises OSError."""
        path = private_folder(self.folder / "sessions") / f"{session}.jsonl"
        line = json.dumps([made.request, made.id, made.label, made.cuts, made.after]) + "\n"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.write(line)

    def ids(self, beginning: str) -> list[str]:
        """The originals whose names begin so."""
        if not _ID.fullmatch(beginning) or not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob(f"originals/{beginning[:2]}*/{beginning}*.txt"))

    def get(self, identity: str) -> str | None:
        """The original that is called so, or whose name begins so; None where there is none, or more than one."""
        found = self.ids(identity)
        if len(found) != 1:
            return None
        try:
            return self._original(found[0]).read_bytes().decode("utf-8", "surrogatepass")
        except FileNotFoundError:  # pruned meanwhile
            return None

    def made(self, session: str) -> list[Made]:
        """The changes of a session, in their order."""
        try:
            text = (self.folder / "sessions" / f"{session}.jsonl").read_text("utf-8")
        except FileNotFoundError:
            return []
        return [Made(r, i, label, tuple((k, n) for k, n in cuts), after) for r, i, label, cuts, after in _lines(text)]

    def held(self) -> Held:
        """How much there is."""
        originals, sessions = list(self._files("originals/*/*")), list(self._files("sessions/*"))
        return Held(len(originals), len(sessions), sum(stat.st_size for _, stat in (*originals, *sessions)))

    def clear(self) -> Held:
        """Removes everything, and says what there was."""
        was = self.held()
        for path, _ in (*self._files("originals/*/*"), *self._files("sessions/*")):
            path.unlink(missing_ok=True)
        return was

    def prune(self, now: float) -> None:
        """Removes what is too old, and the oldest of what is too much. `now` is in seconds since the epoch."""
        files = sorted((*self._files("originals/*/*"), *self._files("sessions/*")), key=lambda file: -file[1].st_mtime)
        size = 0
        for path, stat in files:
            size += stat.st_size
            if now - stat.st_mtime > KEPT_S or size > LARGEST:
                with suppress(OSError):  # what another user has put there stays
                    path.unlink()

    def _original(self, identity: str) -> Path:
        return self.folder / "originals" / identity[:2] / f"{identity}.txt"

    def _files(self, pattern: str) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob(pattern):
            try:
                yield path, path.stat()
            except OSError:  # another session has removed it meanwhile, or it is another user's
                continue


def _lines(text: str) -> Iterator[list[Any]]:
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the last line of a session that was killed
            continue
