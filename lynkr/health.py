"""What requests have shown of each lane, shared by all sessions on this machine: a small file for each that failed.

So a new session does not find an outage out for itself. Whoever writes last is right: all of them saw the same lane. A
file that cannot be read or written costs a session nothing but that knowledge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from lynkr.lane import Lane
from lynkr.paths import replace_private
from lynkr.routing.breaker import LONGEST_S, SPENT_S, WELL, Health

# A file of another session is looked at again after so many seconds.
_FRESH_S = 1.0


@dataclass(slots=True)
class Healths:
    """The health of lanes, by what is behind them: two profiles may call the same lane by different names."""

    folder: Path | None
    now: Callable[[], float]
    _held: dict[str, Health] = field(default_factory=dict)
    _read: dict[str, float] = field(default_factory=dict)
    # Whose file was there.
    _filed: set[str] = field(default_factory=set)
    # What is this session's alone, by lane.
    _own: dict[str, Health] = field(default_factory=dict)

    def of(self, lane: Lane) -> Health:
        """What is known of `lane`."""
        key = identity(lane)
        now = self.now()
        if (own := self._own.get(key)) is not None:
            return own
        if self.folder is not None and now - self._read.get(key, 0.0) > _FRESH_S:
            self._read[key] = now
            if (found := self._load(key)) is not None:
                self._held[key] = found
                self._filed.add(key)
            elif key in self._filed:
                self._filed.discard(key)
                self._held.pop(key, None)  # another session has found it well again
        return self._held.get(key, WELL)

    def put(self, lane: Lane, health: Health, *, shared: bool = True) -> None:
        """Takes what is known now. `shared` is False where it is about this session's credential alone."""
        key = identity(lane)
        self._own.pop(key, None)
        if not shared:
            self._own[key] = health
            return
        was, self._held[key] = self._held.get(key, WELL), health
        if self.folder is None or health == was:
            return
        path = self.folder / f"{key}.json"
        with suppress(OSError):
            if health == WELL:
                path.unlink(missing_ok=True)
                return
            replace_private(path, json.dumps({**asdict(health), "lane": lane.name}))
            self._read[key] = self.now()
            self._filed.add(key)

    def _load(self, key: str) -> Health | None:
        assert self.folder is not None
        try:
            value = json.loads((self.folder / f"{key}.json").read_text("utf-8"))
            numbers = {name: float(value[name]) for name in ("last", "until", "trial")}
            latest = self.now() + 2 * LONGEST_S + SPENT_S
            if not all(0 <= number <= latest for number in numbers.values()):
                return None  # of another clock, or none of ours
            return Health(int(value["failures"]), rests=int(value["rests"]), why=str(value["why"])[:500], **numbers)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None


def identity(lane: Lane) -> str:
    """What is behind a lane, as a name for a file."""
    where = (lane.provider, lane.base_url, lane.region, lane.project)
    return _digest(*where, lane.model, lane.auth, lane.key, lane.key_env)


@lru_cache(maxsize=256)
def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:24]
