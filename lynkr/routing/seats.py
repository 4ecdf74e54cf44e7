"""Where each conversation sits: its tier and lane, how much of it that lane's cache holds, and what it saved so far."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from lynkr.routing.economy import WARM_S
from lynkr.routing.trouble import Progress


class Wanted(NamedTuple):
    """A tier that a conversation should have, why, and what showed it: a prompt, or trouble."""

    tier: str
    why: str
    kind: str


# A session's conversations that are remembered; a subagent's ends unannounced.
MOST = 512


@dataclass(slots=True)
class Seat:
    """One conversation. `tokens` are in the cache of `lane`, used last at `at` (seconds); `home` is the lane that it
    would be on without routing. `saved_usd` is what it has cost less than there, by the rates of both. `calls` and
    `progress` count since its user last spoke; `seen` are the turns that were looked at. `wanted` is where it
    should be, while going there does not pay yet."""

    key: str
    tier: str = ""
    lane: str = ""
    why: str = ""
    score: float | None = None
    home: str = ""
    tokens: int = 0
    at: float = 0.0
    saved_usd: float = 0.0
    calls: int = 0
    seen: int = 0
    wanted: Wanted | None = None
    pinned_lane: str | None = None
    progress: Progress = field(default_factory=Progress)

    def known(self, now: float) -> int:
        """The tokens that its lane's cache still holds."""
        return self.tokens if now - self.at < WARM_S else 0


@dataclass(slots=True)
class Seats:
    """The seats of a session."""

    _held: OrderedDict[str, Seat] = field(default_factory=OrderedDict)

    def find(self, key: str) -> Seat:
        """The seat of a conversation, a new one where it has none."""
        seat = self._held.setdefault(key, Seat(key))
        self._held.move_to_end(key)
        while len(self._held) > MOST:
            self._held.popitem(last=False)
        return seat
