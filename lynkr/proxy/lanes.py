"""The lanes of one session as they are in use: who rests, who may be asked again, how many at once."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio

from lynkr.errors import UpstreamError
from lynkr.events import Refusal
from lynkr.health import Healths
from lynkr.lane import Auth, Lane
from lynkr.routing.breaker import SPENT_S, WELL
from lynkr.routing.retry import Allowance, pause, seconds
from lynkr.routing.settings import Routing

# Refusals that another lane may well not have; asking the same one again helps with the first alone.
PASSING = frozenset(("rate_limit", "server", "overloaded", "timeout"))
_SPENT = frozenset(("quota", "billing"))
# About the lane's own credential or model: a mistake in the profile, which stays as long as the session does.
_MISSET = frozenset(("authentication", "permission", "not_found"))
_MISSET_S = 300.0


class Unserved(Exception):
    """A lane did not serve, and nothing of an answer has reached the client."""

    def __init__(
        self, status: int | None, kind: str, why: str, *, again: bool, retry_after: str | None = None, name: str = ""
    ) -> None:
        """`again` says that the same lane may be asked once more; `why` is what the client is told, `name` what the
        ledger gets: a provider's sentence may quote the prompt."""
        super().__init__(why)
        self.status, self.kind, self.why, self.again, self.retry_after = status, kind, why, again, retry_after
        self.name = name or kind

    @classmethod
    def by(cls, cause: Refusal | UpstreamError, lane: Lane, *, wider: bool = False) -> Unserved | None:
        """What `cause` means where others can step in; None where it is an answer that every lane would give.

        `wider` says that one of the others has a longer context.
        """
        if isinstance(cause, UpstreamError):
            words = cause.sentence.removeprefix("lynkr: ").removeprefix(f"lane '{lane.name}': ")
            return cls(None, cause.kind, words, again=cause.retry, name=words)
        own = lane.auth is not Auth.CLIENT
        too_long = cause.kind == "context" and wider
        if cause.kind in PASSING or cause.kind in _SPENT or (own and cause.kind in _MISSET) or too_long:
            words = " ".join(cause.message.split())[:200]
            return cls(cause.status, cause.kind, f"{cause.status or 'an error in its stream'}: {words}",
                       again=cause.kind in PASSING, retry_after=cause.retry_after,
                       name=named(cause))  # fmt: skip
        return None

    def detach(self) -> BaseException:
        """What it was raised from. From then on it is a value like others: with its cause and its frames it would hold
        on to the whole request, and they to it."""
        cause = self.__cause__
        assert cause is not None
        self.__cause__ = self.__context__ = self.__traceback__ = None
        return cause


# A code is a name. What else stands there is a sentence, and may quote the prompt.
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def named(refusal: Refusal) -> str:
    """What a refusal is called in the ledger: its code, if that is one, else its kind."""
    return refusal.code if refusal.code and _CODE.fullmatch(refusal.code) else refusal.kind


def wider(lane: Lane, than: Lane) -> bool:
    """Whether more fits into a lane than into another, as far as the profile says."""
    return than.context is not None and (lane.context is None or lane.context > than.context)


class Resting(NamedTuple):
    """A lane that is not asked for `seconds` more, because of `why`."""

    lane: str
    seconds: float
    why: str


@dataclass(slots=True)
class Lanes:
    """The state of a session's lanes. `chance` gives a number from 0 to 1, `now` seconds since the epoch."""

    routing: Routing = field(default_factory=Routing)
    healths: Healths = field(default_factory=lambda: Healths(None, lambda: 0.0))
    now: Callable[[], float] = lambda: 0.0
    chance: Callable[[], float] = random.random
    # Those whose address is this session's own, so that others' of the same name may be elsewhere.
    private: frozenset[str] = frozenset()
    _allowances: dict[str, Allowance] = field(default_factory=dict)
    _slots: dict[str, anyio.Semaphore] = field(default_factory=dict)

    def rest(self, lane: Lane) -> Resting | None:
        """How long `lane` is not to be asked; None where it may be."""
        health, now = self.healths.of(lane), self.now()
        if health.state(now) != "open":
            return None
        return Resting(lane.name, max(health.until, health.trial) - now, health.why)

    def asked(self, lane: Lane) -> None:
        """A request goes to `lane`: where it was resting, this is the one that tries."""
        health = self.healths.of(lane)
        if health.state(self.now()) == "half-open":
            self.healths.put(lane, health.tried(self.now()), shared=lane.name not in self.private)

    def released(self, lane: Lane) -> None:
        """The client of a request to `lane` has gone: if that was the one to try it, another may."""
        health = self.healths.of(lane)
        if health.trial:
            self.healths.put(lane, health.untried(), shared=lane.name not in self.private)

    def answered(self, lane: Lane) -> None:
        """`lane` has answered, be it with an error of the request's."""
        self._allowance(lane).answered()
        if self.healths.of(lane) != WELL:
            self.healths.put(lane, WELL, shared=lane.name not in self.private)

    def failed(self, lane: Lane, failure: Unserved) -> None:
        """`lane` did not serve."""
        if failure.kind == "context":
            return  # it does well with shorter ones
        self._allowance(lane).failed()
        if not self.routing.breaker_failures:
            return
        after = seconds(failure.retry_after)
        after = SPENT_S if failure.kind in _SPENT else _MISSET_S if failure.kind in _MISSET else after
        limit, rest = self.routing.breaker_failures, self.routing.breaker_rest_s
        health = self.healths.of(lane).failed(self.now(), failure.name, limit, rest, after)
        self.healths.put(lane, health, shared=failure.kind not in _MISSET and lane.name not in self.private)

    def pause(self, lane: Lane, attempt: int, failure: Unserved, retries: int) -> float | None:
        """Seconds until `lane` is asked again after attempt `attempt` (from 1); None where it is not."""
        if attempt > retries or not failure.again or not self._allowance(lane).left:
            return None
        return pause(attempt, seconds(failure.retry_after), self.chance())

    def slot(self, lane: Lane) -> AbstractAsyncContextManager[object]:
        """Waits until fewer requests are under way than the lane takes at once."""
        if lane.concurrency is None:
            return nullcontext()
        return self._slots.setdefault(lane.name, anyio.Semaphore(lane.concurrency))

    def _allowance(self, lane: Lane) -> Allowance:
        if (allowance := self._allowances.get(lane.name)) is None:
            allowance = self._allowances[lane.name] = Allowance()
        return allowance
