"""Where each conversation sits: its tier and lane, how much of it that lane's cache holds, and what it saved so far."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from lynkr.routing.trouble import Progress
from lynkr.usage import WARM_S


class Wanted(NamedTuple):
    """A tier that a conversation should have, why, and what showed it: a prompt, or trouble."""

    tier: str
    why: str
    kind: str


# A session's conversations that are remembered; a subagent's ends unannounced.
MOST = 512


@dataclass(slots=True)
class Seat:
    """One conversation. `tokens` are in the cache of `lane`, used last at `at` (seconds), for `warm_s`; `home` is the
    lane that it would be on without routing. `saved_usd` is what it has cost less than there. `calls` and `progress`
    count since its user last spoke; `seen` are the turns that were looked at, `prompt` its user's last words. `by_hand`
    says that the user chose its tier. `wanted` is where it should be, while going there does not pay yet. `made` says
    from which element of the client's list on which lane has answered.
    """

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
    prompt: str = ""
    by_hand: bool = False
    warm_s: float = WARM_S
    made: list[tuple[int, str]] = field(default_factory=list)
    wanted: Wanted | None = None
    pinned_lane: str | None = None
    progress: Progress = field(default_factory=Progress)

    def known(self, now: float) -> int:
        """The tokens that its lane's cache still holds."""
        return self.tokens if now - self.at < self.warm_s else 0

    def answered(self, element: int, lane: str) -> None:
        """Notes whose answer will stand at that place of the client's list."""
        while self.made and self.made[-1][0] >= element:
            self.made.pop()  # the client went back and asks anew
        if not self.made or self.made[-1][1] != lane:
            self.made.append((element, lane))


@dataclass(slots=True)
class Seats:
    """The seats of a session."""

    _held: OrderedDict[str, Seat] = field(default_factory=OrderedDict)
    # When each lane last answered one that began alike, by what it began with.
    used: OrderedDict[tuple[str, int], float] = field(default_factory=OrderedDict)

    def find(self, key: str) -> Seat:
        """The seat of a conversation, a new one where it has none."""
        seat = self._held.setdefault(key, Seat(key))
        self._held.move_to_end(key)
        while len(self._held) > MOST:
            self._held.popitem(last=False)
        return seat

    def note(self, lane: str, prefix: int, now: float) -> None:
        """Notes that a lane has answered what began so."""
        self.used[lane, prefix] = now
        self.used.move_to_end((lane, prefix))
        while len(self.used) > MOST:
            self.used.popitem(last=False)

    def renew(self, key: str) -> Seat:
        """A new seat in place of one that has served its time."""
        self._held[key] = Seat(key)
        return self._held[key]
