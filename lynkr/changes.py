"""What a request or an answer lost or had changed on its way, in words that a user can read.

Every byte that is changed is a decision that can be shown: whoever drops or re-shapes something notes it here, and the
list goes into the ledger's row and the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self


@dataclass(frozen=True, slots=True)
class Change:
    """`what` was `dropped`, or said in another form (`changed`), `count` times, because of `why`."""

    what: str
    did: Literal["dropped", "changed"]
    why: str
    count: int = 1


class Removed(NamedTuple):
    """Text that a compressor of this kind took out of a request.

    `share` is its length against what was sent, `place` where it stood in it, from 0 to 1 in the order in which a
    provider caches: tools, system prompt, conversation.
    """

    kind: str
    share: float
    place: float


@dataclass(frozen=True, slots=True)
class Saving:
    """What a kind of compression took out of one request: tokens and USD, None where no price is known."""

    kind: str
    tokens: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class Switch:
    """A conversation that changed lanes, or was to and did not (`made`), with the arithmetic.

    `kind` is `cold` (its cache had run out), `prompt` or `trouble` (the work is harder than it looked), `user` (by the
    user's word), `return` (home after a failure) or `fallback`. `tokens` were in the cache of the lane that was left;
    writing them anew at the other costs `cost_usd`. On the other side of the scales stands `worth_usd`: for a step up,
    what the conversation has saved so far; for a return, what the `calls` to come will save. None where no price is
    known.
    """

    kind: str
    from_lane: str
    to_lane: str
    from_tier: str
    to_tier: str
    why: str
    tokens: int = 0
    cost_usd: float | None = None
    worth_usd: float | None = None
    calls: int | None = None
    made: bool = True


@dataclass(slots=True)
class Changes:
    """A list of changes in the making; the same change is noted once and counted."""

    _noted: dict[tuple[str, Literal["dropped", "changed"], str], int] = field(default_factory=dict)

    def drop(self, what: str, why: str) -> None:
        """Notes that `what` did not arrive."""
        self._note(what, "dropped", why)

    def change(self, what: str, how: str) -> None:
        """Notes that `what` arrived in another form: `how`."""
        self._note(what, "changed", how)

    def _note(self, what: str, did: Literal["dropped", "changed"], why: str) -> None:
        key = (what, did, why)
        self._noted[key] = self._noted.get(key, 0) + 1

    def __iadd__(self, other: Changes) -> Self:
        for key, count in other._noted.items():
            self._noted[key] = self._noted.get(key, 0) + count
        return self

    def listed(self) -> tuple[Change, ...]:
        """What was noted, in order."""
        return tuple(Change(what, did, why, count) for (what, did, why), count in self._noted.items())
