"""A profile at work: its lanes, keys, budget and what serves its requests, put together once and closed once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from lynkr.health import Healths
from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import table
from lynkr.proxy.bypassing import Bypasses
from lynkr.proxy.clock import Clock
from lynkr.proxy.counting import Counts
from lynkr.proxy.exchange import Exchange
from lynkr.proxy.here import Here
from lynkr.proxy.lanes import Lanes
from lynkr.proxy.planning import Planning
from lynkr.proxy.shaping import Shaping
from lynkr.proxy.warming import Warming
from lynkr.routing.budget import Purse
from lynkr.routing.seats import Seats
from lynkr.upstream.client import Upstreams

if TYPE_CHECKING:
    from lynkr.lane import Lane
    from lynkr.ledger.row import Row
    from lynkr.proxy.answering import Answering
    from lynkr.proxy.setting import Setting

# So often what other sessions spend of the same budget is looked up.
_LOOK_S = 15.0


class House:
    """What serves the requests of one profile. `begin` comes before the first, `run` goes on beside them, `aclose` ends
    it."""

    def __init__(
        self, setting: Setting, troubles: list[str], counts: Counts | None = None, earlier: House | None = None
    ) -> None:
        """`earlier` is the house of this profile until now: what was spent stays spent, and conversations sit where
        they sat."""
        self.setting = setting
        self.upstreams = Upstreams(setting.environ)
        self.purse: Purse = earlier.purse if earlier else Purse(setting.budget)
        self.seats: Seats = earlier.seats if earlier else Seats()
        self.counts = counts or Counts(known=names_of([setting]))
        clock = Clock(ms=lambda: time.perf_counter() * 1000, now=setting.now, new_id=setting.new_id)
        meter = Meter(table())
        private = frozenset(lane.name for lane in setting.router.lanes if lane.base_url is None and setting.origins)
        self.lanes = Lanes(setting.router.routing, Healths(setting.healths, time.time), time.time, private=private)
        self._warming = Warming(setting.caching.keep_warm, self.upstreams, meter, self._record, setting.new_id,
                                setting.now, lambda: self.purse.exceeded() is not None)  # fmt: skip
        self.exchange = Exchange(
            setting.router,
            setting.speaks,
            setting.origins,
            setting.keys,
            self.upstreams,
            meter,
            clock,
            self._record,
            Planning(setting.router, meter, time.time, self.purse, self.seats, rests=self._rests),
            self.lanes,
            answering=self._answering(),
            bypasses=Bypasses(setting.bypassing),
            warming=self._warming,
            troubles=troubles,
            shaping=Shaping(setting.compress, setting.keep),
            here=Here(self.counts, resting=self.resting),
        )

    def resting(self) -> Mapping[tuple[str, str], bool]:
        """Of each (profile, lane) whether it rests after failures."""
        return {(self.setting.profile, lane.name): self._rests(lane) for lane in self.setting.router.lanes}

    @property
    def _shares(self) -> bool:
        """Whether others spend of the same budget."""
        return bool(set(self.setting.budget.limits) - {"session"})

    async def begin(self) -> None:
        """Looks up what others have spent: the first request may already be one too many."""
        if self._shares:
            self.purse.before = await anyio.to_thread.run_sync(self.setting.spent)

    async def run(self) -> None:
        """What goes on beside the requests, until it is cancelled."""
        setting = self.setting
        async with anyio.create_task_group() as group:
            if self._shares:
                group.start_soon(_watch, self.purse, setting.spent)
            if setting.caching.keep_warm:
                group.start_soon(self._warming.run)
            await anyio.sleep_forever()

    async def aclose(self) -> None:
        """Closes the connections to the lanes."""
        with anyio.CancelScope(shield=True):
            await self.upstreams.aclose()

    def _rests(self, lane: Lane) -> bool:
        return self.lanes.rest(lane) is not None

    def _record(self, row: Row) -> None:
        self.counts.add(self.setting.profile, row)
        self.setting.record(row)

    def _answering(self) -> Answering | None:
        """What answers questions again; None where the profile wants none of that."""
        setting = self.setting
        if setting.caching.answers == "off" or setting.shelf is None:
            return None
        from lynkr.answers.shelf import Shelf
        from lynkr.proxy.answering import Answering

        most = int(setting.caching.max_mb * 1e6)
        shelf = Shelf(setting.shelf, setting.caching.ttl_s, most, setting.alarm)
        whose = f"{setting.profile} {setting.compress!r}"
        return Answering(setting.caching.answers, shelf, whose, time.time, setting.caching.ttl_s, setting.origins)


def names_of(settings: Iterable[Setting]) -> Callable[[str, str], str]:
    """What a model at a provider is called in what is counted; "" where it has no name of its own there."""
    own = {lane.model for setting in settings for lane in setting.router.lanes}
    return lambda model, provider: model if model in own else table().listed(model, provider)


async def _watch(purse: Purse, spent: Callable[[], Mapping[str, float]]) -> None:
    """Keeps up with what other sessions spend meanwhile, and with the calendar."""
    day = _today()
    while True:
        await anyio.sleep(_LOOK_S)
        # A ledger that cannot be read for a moment has not forgotten what was spent.
        purse.before = await anyio.to_thread.run_sync(spent) or purse.before
        if (now := _today()) != day:
            purse.turn(*(["day", "month"] if now.month != day.month else ["day"]))
            day = now


def _today() -> date:
    return datetime.now().astimezone().date()
