"""Decides where a request goes, and says why: one session's conversations, their tiers and lanes.

A tier is chosen at a conversation's start, and again when its user speaks while nothing of it is cached any more. In
between it stays where it is, because leaving a warm lane costs. It goes up when its user asks for more than it was
given, or the work proves harder than it looked, but only once what it has saved pays for writing it all anew: so no
session costs more than it would have on the lane for hard work. It never comes down while it is warm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lynkr.changes import Switch
from lynkr.conversation import Conversation
from lynkr.lane import Format, Lane
from lynkr.routing.asking import HOUSEKEEPING, Asking
from lynkr.routing.economy import CALLS, OUTPUT, Rates, cost, entry, per_call, way_back
from lynkr.routing.router import DEFAULT_TIER, TIERS, Route, Router
from lynkr.routing.seats import Seat, Seats, Wanted
from lynkr.routing.tiers import Found, Work, tier_of, work

# The rates of a lane for a prompt of so many tokens; None where no price is known.
Prices = Callable[[Lane, int], Rates | None]
# A prompt at most this long, while the work goes on, says nothing of how much is left ("yes", "go on").
_NOD = 60
# Cheap work begins on the cheap lane only if its savings pay for a way back within so many calls.
_WAY_BACK = 25
# Simple work that has taken so many calls was not.
_LARGER = {"simple": 20}


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a request may go, preferred lane first, and why.

    `seat` is its conversation's; None where it has none. `known` are the tokens that the cache of the lane asked for
    would hold of it, None where that is not followed. `warm` says that leaving the first lane costs.
    """

    routes: tuple[Route, ...]
    who: str | None = None
    key: str | None = None
    score: float | None = None
    switch: Switch | None = None
    seat: Seat | None = None
    known: int | None = None
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it is to be placed: what speaks, who asks, for which model, how large it is in tokens, and when."""

    spoken: Format
    asking: Asking
    conversation: Conversation
    tokens: int
    now: float
    verdict: bool = False


@dataclass(slots=True)
class Desk:
    """One session's decisions. `verdicts` are the lanes whose model can say whether a call is safe."""

    router: Router
    prices: Prices
    verdicts: frozenset[str] = frozenset()
    seats: Seats = field(default_factory=Seats)

    def plan(self, ask: Ask) -> Plan:
        """Where `ask` goes. The first route may yet be passed over for one whose lane answers."""
        who, known = ask.asking.who, ask.asking.key
        talk = ask.conversation
        found = work(who, talk.model, ask.asking.prompt, talk.turns, self.router.routing)
        if who in HOUSEKEEPING:
            return self._chore(ask, found)
        seat = self.seats.find(known)
        warm = seat.known(ask.now)
        switch = None
        if seat.lane:
            switch = self._seated(seat, ask, found)
        else:
            self._new(seat, ask, found)
        routes = self._routes(seat.tier, seat.why, ask, first=seat.pinned_lane)
        if seat.lane and routes[0].lane.name != seat.lane and switch is None:
            # It was carried off by a failure, or its tier's order is another: it goes home where that pays.
            switch, routes = self._homewards(seat, ask, routes)
        return Plan(routes, who, known, seat.score, switch, seat, warm, warm > 0 and seat.lane == routes[0].lane.name)

    def cheapest(self, ask: Ask, why: str) -> tuple[Route, ...]:
        """All lanes that can serve `ask`, the cheapest first; of equal ones the lower tier's."""
        lanes = self._able(self.router.serving(ask.spoken), ask)
        order = {lane.name: n for n, lane in enumerate(each for of in map(self._of, TIERS) for each in of)}

        def price(lane: Lane) -> tuple[float, int]:
            rates = self.prices(lane, ask.tokens)
            usd = cost(rates, 0, ask.tokens, OUTPUT) if rates else float("inf")
            return usd, order.get(lane.name, len(order))

        return tuple(Route(lane, self._tier(lane), why) for lane in sorted(lanes, key=price))

    def served(self, plan: Plan, lane: Lane, tier: str, ask: Ask, prompt: int, output: int) -> Switch | None:
        """Notes that `lane` has answered; gives the switch that this was, if it was another than planned."""
        seat = plan.seat
        if seat is None:
            return plan.switch
        switch, planned = plan.switch, plan.routes[0].lane.name
        left = seat.lane or planned
        if lane.name != planned:
            held = seat.known(ask.now)
            rates = self.prices(lane, prompt)
            usd = entry(rates, held) if rates else None
            why = f"lane '{planned}' did not answer"
            switch = Switch("fallback", left, lane.name, plan.routes[0].tier, tier, why, held, usd)
        self._account(seat, lane, ask.now, prompt, output)
        seat.lane, seat.tokens, seat.at = lane.name, prompt + output, ask.now
        seat.home = seat.home or self._home(ask).name
        return switch

    def _account(self, seat: Seat, lane: Lane, now: float, prompt: int, output: int) -> None:
        """Adds what this call has cost less than at home, by the rates of both."""
        home = next((each for each in self.router.lanes if each.name == seat.home), None)
        here, there = self.prices(lane, prompt), self.prices(home, prompt) if home else None
        if home is None or here is None or there is None or home.name == lane.name == seat.lane:
            return
        known = seat.known(now)
        at_home = cost(there, known, prompt, output)
        # Coming cold to a lane, all of it is new there.
        seat.saved_usd += at_home - cost(here, known if lane.name in (seat.lane, "") else 0, prompt, output)

    def _chore(self, ask: Ask, found: Work) -> Plan:
        """Housekeeping: the cheapest that can do it, whatever it costs others."""
        said = tier_of(found, self.router.routing, ask.asking.marked)
        if said.score is None and (said.lane or said.tier):
            routes = self._routes(said.tier or DEFAULT_TIER, said.why, ask, first=said.lane)
        else:
            routes = self.cheapest(ask, f"housekeeping ({ask.asking.who}): the cheapest lane that can do it")
        return Plan(routes, ask.asking.who, ask.asking.key, known=0)

    def _new(self, seat: Seat, ask: Ask, found: Work) -> None:
        """The beginning of a conversation, or of one that is not known here."""
        said = tier_of(found, self.router.routing, ask.asking.marked)
        home = self._home(ask)
        seat.home = home.name
        self._take(seat, said)
        seat.seen = len(ask.conversation.turns)
        first = self._routes(seat.tier, seat.why, ask, first=seat.pinned_lane)[0].lane
        by_hand = said.score is None
        if by_hand or first.name == home.name or TIERS.index(seat.tier) >= TIERS.index(DEFAULT_TIER):
            return
        cheap, strong = self.prices(first, ask.tokens), self.prices(home, ask.tokens)
        if cheap and strong and way_back(cheap, strong, ask.tokens) > _WAY_BACK:
            seat.why = f"{seat.why}; but from lane '{first.name}' the way back would not pay"
            seat.tier = DEFAULT_TIER

    def _take(self, seat: Seat, said: Found) -> None:
        seat.tier, seat.why, seat.score, seat.pinned_lane = said.tier or DEFAULT_TIER, said.why, said.score, said.lane
        seat.wanted, seat.calls = None, 0
        seat.progress.clear()

    def _seated(self, seat: Seat, ask: Ask, found: Work) -> Switch | None:
        """A conversation goes on: whether it keeps its tier."""
        asking, turns = ask.asking, ask.conversation.turns
        cold = not seat.known(ask.now)
        new = turns[seat.seen :] if len(turns) >= seat.seen else ()
        seat.seen = len(turns)
        if asking.who == "compaction":
            return None  # read from the cache that it is in
        if asking.fresh and any(turn.role == "user" for turn in new):
            return self._spoken(seat, ask, found, cold=cold)
        seat.calls += 1
        seat.progress.take(new)
        if seat.wanted is None and seat.pinned_lane is None and seat.score is not None:
            trouble = seat.progress.trouble()
            if trouble is None and seat.calls >= _LARGER.get(seat.tier, 10**9):
                trouble = f"{seat.calls} calls so far, for work that looked {seat.tier}"
            if trouble is not None and (above := self._above(seat, ask)):
                seat.wanted = Wanted(above, trouble, "trouble")
                return self._upwards(seat, ask, tell=True)
        return self._upwards(seat, ask)

    def _spoken(self, seat: Seat, ask: Ask, found: Work, *, cold: bool) -> Switch | None:
        """The user has said something new."""
        asking = ask.asking
        said = tier_of(found, self.router.routing, asking.marked)
        seat.calls = 0
        seat.progress.clear()
        before, by_hand = seat.tier, said.score is None
        lower = said.tier and TIERS.index(said.tier) < TIERS.index(before)
        if by_hand or (cold and not (lower and len(asking.prompt) <= _NOD)):
            left, why = seat.lane, said.why if by_hand else f"cold after a pause; {said.why}"
            self._take(seat, said._replace(why=why))
            return self._moved(seat, ask, "user" if by_hand else "cold", left, before, why)
        if said.tier and TIERS.index(said.tier) > TIERS.index(before):
            seat.wanted = Wanted(said.tier, said.why, "prompt")
            return self._upwards(seat, ask, tell=True)
        return None

    def _moved(self, seat: Seat, ask: Ask, kind: str, left: str, before: str, why: str) -> Switch | None:
        """The switch to the seat's new tier, where that has another lane."""
        to = self._routes(seat.tier, why, ask, first=seat.pinned_lane)[0].lane
        if to.name == left:
            return None
        held, rates = seat.known(ask.now), self.prices(to, ask.tokens)
        usd = entry(rates, held) if rates else None
        return Switch(kind, left, to.name, before, seat.tier, why, held, usd, seat.saved_usd)

    def _upwards(self, seat: Seat, ask: Ask, *, tell: bool = False) -> Switch | None:
        """Goes to the tier that is wanted, once that is paid for; `tell` gives the arithmetic also where it is not."""
        if seat.wanted is None:
            return None
        tier, why, kind = seat.wanted
        to = self._routes(tier, why, ask)[0].lane
        if to.name == seat.lane:
            seat.tier, seat.why, seat.wanted = tier, why, None
            return None
        held, rates = seat.known(ask.now), self.prices(to, ask.tokens)
        usd = entry(rates, held) if rates else None
        switch = Switch(kind, seat.lane, to.name, seat.tier, tier, why, held, usd, seat.saved_usd)
        if usd is not None and usd > max(seat.saved_usd, 0.0):
            return replace(switch, made=False) if tell else None
        seat.tier, seat.why, seat.wanted, seat.calls = tier, why, None, 0
        seat.progress.clear()
        return switch

    def _homewards(self, seat: Seat, ask: Ask, routes: tuple[Route, ...]) -> tuple[Switch | None, tuple[Route, ...]]:
        """Back to the tier's first lane where what is left to do pays for it, or nothing is cached any more."""
        first = routes[0].lane
        held, there = seat.known(ask.now), self.prices(first, ask.tokens)
        lane = next((route.lane for route in routes if route.lane.name == seat.lane), None)
        here = self.prices(lane, ask.tokens) if lane else None
        calls = CALLS[seat.tier]
        usd = entry(there, held) if there else None
        worth = calls * per_call(here, there, held) if here and there else None
        why = f"lane '{first.name}' is the tier's first"
        switch = Switch("return", seat.lane, first.name, seat.tier, seat.tier, why, held, usd, worth, calls)
        if lane is None or not held or (usd is not None and worth is not None and worth > usd):
            return switch, routes
        kept = next(route for route in routes if route.lane.name == seat.lane)
        return None, (kept, *(route for route in routes if route is not kept))

    def _routes(self, tier: str, why: str, ask: Ask, first: str | None = None) -> tuple[Route, ...]:
        """The lanes of a tier that can take `ask`; `first` is one that a rule names."""
        named = [lane for lane in self.router.serving(ask.spoken) if lane.name == first]
        lanes = [*named, *(lane for lane in self.router.of_tier(tier, ask.spoken) if lane.name != first)]
        return tuple(Route(lane, tier, why) for lane in self._able(lanes, ask))

    def _able(self, lanes: Sequence[Lane], ask: Ask) -> Sequence[Lane]:
        """The lanes that can take `ask`; all of them where none seems to."""
        if ask.verdict:
            lanes = [lane for lane in lanes if lane.name in self.verdicts] or [
                lane for lane in self.router.serving(ask.spoken) if lane.name in self.verdicts
            ] or lanes  # fmt: skip
        fitting = [lane for lane in lanes if lane.context is None or ask.tokens < lane.context]
        if not fitting and lanes:
            wider = [lane for lane in self.router.serving(ask.spoken) if (lane.context or ask.tokens + 1) > ask.tokens]
            fitting = [lane for lane in wider if not ask.verdict or lane.name in self.verdicts]
        return fitting or lanes

    def _home(self, ask: Ask) -> Lane:
        """Where it would go if nothing were routed."""
        return self._able(self.router.of_tier(DEFAULT_TIER, ask.spoken), ask)[0]

    def _above(self, seat: Seat, ask: Ask) -> str | None:
        """The next tier above a seat's that has another lane."""
        higher = TIERS[TIERS.index(seat.tier) + 1 :]
        return next((tier for tier in higher if self._routes(tier, "", ask)[0].lane.name != seat.lane), None)

    def _of(self, tier: str) -> tuple[Lane, ...]:
        return self.router.tiers.get(tier, ())

    def _tier(self, lane: Lane) -> str:
        """The lowest tier that a lane serves."""
        return next((tier for tier in TIERS if any(each.name == lane.name for each in self._of(tier))), DEFAULT_TIER)
