"""Answers on disk: diskcache with JSON instead of pickle, readable by their owner alone, shared by all sessions.

A cache never stops anything: what cannot be read or written is not there, and one that is damaged is set aside, with
a word to the user, and begun anew.
"""

from __future__ import annotations

import shutil
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
        """Removes everything, and says what there was."""
        was = self.size()
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return was

    def close(self) -> None:
        """Closes the files."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def _do(self, ask: Callable[[Any], Any]) -> Any:
        if self._given_up:
            return None
        try:
            return ask(self._open())
        except diskcache.Timeout:
            return None  # another session writes; this answer is then asked for once more
        except Exception as error:  # noqa: BLE001 - sqlite's, zlib's, json's and the disk's: all mean the same here
            self._set_aside(error)
            return None

    def _open(self) -> Any:
        if self._cache is None:
            private_folder(self.folder)
            self._cache = diskcache.Cache(
                str(self.folder), disk=diskcache.JSONDisk, timeout=_WAIT_S, size_limit=self.most,
                eviction_policy="least-recently-used", cull_limit=10,
            )  # fmt: skip
            (self.folder / _DATABASE).chmod(0o600)
        return self._cache

    def _set_aside(self, error: Exception) -> None:
        """Moves a damaged cache away, once a session; a second time it is given up."""
        self._given_up = self._cache is None and not (self.folder / _DATABASE).exists()
        aside = self.folder.with_name(f"{self.folder.name}.damaged-{int(time.time())}")
        try:
            self.close()
            self.folder.rename(aside)
        except Exception:  # noqa: BLE001 - whatever keeps it there keeps us from using it
            self._given_up = True
        what = "cannot be used" if self._given_up else f"was damaged and is set aside as {aside.name}"
        self.say(f"the cache of answers in {self.folder} {what} ({type(error).__name__}); the session goes on")
