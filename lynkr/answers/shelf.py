"""Answers on disk: diskcache with JSON instead of pickle, readable by their owner alone, shared by all sessions.

A cache never stops anything: what cannot be read or written is not there, and one that is damaged is set aside, with
a word to the user, and begun anew.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import diskcache

from lynkr.paths import private_folder

# How long another session that holds the file is waited for.
_WAIT_S = 0.25
_SCHEMA = 1
_DATABASE = "cache.db"
_PICKLED = 4  # diskcache.core.MODE_PICKLE


class _Disk(diskcache.JSONDisk):  # type: ignore[misc]
    """JSON, and never anything else: a row that claims to be pickled is not looked into."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode == _PICKLED:
            raise ValueError("not JSON")
        return super().fetch(mode, filename, value, read)


class Size(NamedTuple):
    """How much a shelf holds."""

    answers: int
    bytes: int


@dataclass(slots=True)
class Shelf:
    """A folder of answers. `most` is its size in bytes, `kept_s` how long an answer is good; `say` tells the user."""

    folder: Path
    kept_s: float
    most: int
    say: Callable[[str], None] = lambda _: None
    _cache: Any = field(default=None)
    _given_up: bool = False
    _told: bool = False
    _aside: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer to a question; None where there is none, or none that can be read."""
        found = self._do(lambda cache: cache.get(key))
        return found if isinstance(found, dict) and found.get("schema") == _SCHEMA else None

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keeps an answer."""
        self._do(lambda cache: cache.set(key, {**answer, "schema": _SCHEMA}, expire=self.kept_s))

    def size(self) -> Size:
        """How much there is."""
        if not (self.folder / _DATABASE).exists():
            return Size(0, 0)
        found = self._do(lambda cache: Size(len(cache), int(cache.volume())))
        return found or Size(0, 0)

    def clear(self) -> Size:
        """Removes everything, also what was set aside, and says what there was."""
        was = self.size()
        if was.answers:
            self._do(lambda cache: cache.clear(retry=True))
        for aside in self.folder.parent.glob(f"{self.folder.name}.damaged-*"):
            shutil.rmtree(aside, ignore_errors=True)
        return was

    def close(self) -> None:
        """Closes the files."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def _do(self, ask: Callable[[Any], Any]) -> Any:
        if self._given_up:
            return None
        aside = self._aside
        try:
            with self._lock:
                aside, cache = self._aside, self._open()
            return ask(cache)
        except Exception as error:  # noqa: BLE001 - sqlite's, zlib's, json's and the disk's: most mean that it is not there
            if type(error).__name__ == "DatabaseError":
                with self._lock:
                    self._set_aside(error, aside)
            elif isinstance(error, OSError) or type(error).__name__ == "OperationalError":
                self._tell(error)
            return None  # busy, full, read-only, or one entry that makes no sense: then it is asked for anew

    def _open(self) -> Any:
        if self._cache is None:
            private_folder(self.folder).chmod(0o700)
            # Its log and its shared memory get the mode of the database.
            (self.folder / _DATABASE).touch(mode=0o600)
            for file in self.folder.glob(f"{_DATABASE}*"):
                file.chmod(0o600)
            self._cache = diskcache.Cache(
                str(self.folder), disk=_Disk, timeout=_WAIT_S, size_limit=self.most, cull_limit=10,
                eviction_policy="least-recently-used", disk_min_file_size=self.most + 1,
            )  # fmt: skip
        return self._cache

    def _tell(self, error: Exception) -> None:
        """Says once that nothing can be kept; that another session holds the file for a moment is no news."""
        if "locked" not in str(error) and not self._told:
            self._told = True
            self.say(f"the cache of answers in {self.folder} cannot be used ({error}); the session goes on")

    def _set_aside(self, error: Exception, known: int) -> None:
        """Moves a damaged cache away, once a session; a second time it is given up. `known` is how many were moved when
        this one was met."""
        if self._given_up or known != self._aside:
            return  # another thread has seen to it
        self._aside += 1
        self._given_up = self._aside > 1
        aside = self.folder.with_name(f"{self.folder.name}.damaged-{int(time.time())}")
        try:
            self.close()
            self.folder.rename(aside)
        except Exception:  # noqa: BLE001 - whatever keeps it there keeps us from using it
            self._given_up = True
        what = "cannot be used" if self._given_up else f"was damaged and is set aside as {aside.name}"
        self.say(f"the cache of answers in {self.folder} {what} ({type(error).__name__}); the session goes on")
