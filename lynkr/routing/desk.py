"""Decides where a request goes, and says why: one session's conversations, their tiers and lanes.

A tier is chosen at a conversation's start, and again when its user speaks while nothing of it is cached any more. In
between it stays where it is, because leaving a warm lane costs. It goes up when its user asks for more than it was
given, or the work proves harder than it looked, but only once what the conversation has saved so far pays for writing
it all anew. It never comes down while it is warm. So, as far as the cache can be foreseen, no session costs more than
it would have on the lane for hard work; whoever insists (`/tier`, a rule's lane) may spend more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lynkr.changes import Switch
from lynkr.conversation import Conversation
from lynkr.lane import Format, Lane
from lynkr.routing import TIERS
from lynkr.routing.asking import HOUSEKEEPING, Asking
from lynkr.routing.economy import CALLS, OUTPUT, Rates, actual, cost, dearer, entry, per_call, way_back
from lynkr.routing.router import DEFAULT_TIER, Route, Router
from lynkr.routing.seats import Seat, Seats, Wanted
from lynkr.routing.tiers import TierChoice, Work, matches, tier_of, work
from lynkr.usage import HOUR_S, WARM_S, Usage

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
    """A request as it is to be placed: what speaks, who asks, for which model, how large it is in tokens, and when.

    `verdict` says that it wants to know whether a call is safe, `hour` that its cache entries live for an hour;
    `prefix` are the tokens before the conversation itself (tools, system prompt), which `prefix_id` tells from others;
    `elements` is how long the client's list is.
    """

    spoken: Format
    asking: Asking
    conversation: Conversation
    tokens: int
    now: float
    verdict: bool = False
    hour: bool = False
    prefix: int = 0
    prefix_id: int = 0
    elements: int = 0


@dataclass(slots=True)
class Desk:
    """One session's decisions. `verdicts` are the lanes whose model can say whether a call is safe, `rests` says
    whether a lane is not to be asked now."""

    router: Router
    prices: Prices
    verdicts: frozenset[str] = frozenset()
    seats: Seats = field(default_factory=Seats)
    rests: Callable[[Lane], bool] = lambda _: False

    def plan(self, ask: Ask) -> Plan:
        """Where `ask` goes. The first route may yet be passed over for one whose lane answers."""
        who, key, talk = ask.asking.who, ask.asking.key, ask.conversation
        found = work(who, talk.model, ask.asking.prompt, talk.turns, self.router.routing)
        ruled = who == "compaction" and any(
            rule.who == who and matches(rule, found) for rule in self.router.routing.rules
        )
        if who in HOUSEKEEPING or ruled:
            return self._chore(ask, found)
        seat = self.seats.find(key)
        if ask.asking.begins and seat.lane:
            seat = self.seats.renew(key)  # the same words once more, but nothing was answered yet
        warm, left, switch = seat.known(ask.now), seat.lane, None
        if left:
            switch = self._seated(seat, ask, found)
        else:
            self._new(seat, ask, found)
        seat.prompt, seat.seen = ask.asking.prompt, len(talk.turns)
        routes = self._routes(seat.tier, seat.why, ask, only=seat.pinned_lane)
        if left and routes[0].lane.name != left and switch is None:
            # It was carried off by a failure, or does not fit any more: it goes home where that pays.
            switch, routes = self._homewards(seat, ask, routes)
        if left and seat.pinned_lane is None and all(route.lane.name != left for route in routes):
            # Where it came from is the last to step in: there it was well.
            routes += tuple(Route(lane, seat.tier, seat.why) for lane in self._able_of(ask) if lane.name == left)
        return Plan(routes, who, key, seat.score, switch, seat, warm, warm > 0 and left == routes[0].lane.name)

    def cheapest(self, ask: Ask, why: str, seat: Seat | None = None) -> tuple[Route, ...]:
        """All lanes that can serve `ask`, the cheapest first, with what is cached of its `seat` where it sits; of equal
        ones the lower tier's."""
        order = {lane.name: n for n, lane in enumerate(each for of in map(self._of, TIERS) for each in of)}

        def price(lane: Lane) -> tuple[float, int]:
            rates = self.prices(lane, ask.tokens)
            known = seat.known(ask.now) if seat and seat.lane == lane.name else 0
            usd = cost(rates, known, ask.tokens, OUTPUT) if rates else float("inf")
            return usd, order.get(lane.name, len(order))

        return tuple(Route(lane, self._tier(lane), why) for lane in sorted(self._able_of(ask), key=price))

    def served(self, plan: Plan, route: Route, ask: Ask, usage: Usage) -> Switch | None:
        """Notes that a lane has answered; gives the switch that this was, if it was another than planned."""
        seat, lane = plan.seat, route.lane
        if seat is None:
            return plan.switch
        switch, planned, left = plan.switch, plan.routes[0].lane.name, seat.lane
        if lane.name != planned:
            switch = None
            if lane.name != left:
                why = f"lane '{planned}' did not answer"
                tier = plan.routes[0].tier
                switch = self._switch("fallback", seat, lane, route.tier, why, ask, left or planned, tier)
        self._account(seat, lane, ask, usage)
        seat.lane, seat.tokens, seat.at = lane.name, usage.prompt + usage.output, ask.now
        seat.warm_s = HOUR_S if ask.hour else seat.warm_s
        seat.answered(ask.elements, lane.name)
        self.seats.note(lane.name, ask.prefix_id, ask.now)
        return switch

    def _account(self, seat: Seat, lane: Lane, ask: Ask, usage: Usage) -> None:
        """Adds what this call has cost less than at home. What an answer says of the cache counts; where it says
        nothing, both sides are reckoned alike."""
        home = next((each for each in self.router.lanes if each.name == seat.home), None)
        prompt = usage.prompt
        here, there = self.prices(lane, prompt), self.prices(home, prompt) if home else None
        if home is None or here is None or there is None or home.name == lane.name == (seat.lane or home.name):
            return
        known = seat.known(ask.now) if seat.lane else max(self._shared(home, ask), usage.cache_read)
        # Coming cold to a lane, all of it is new there.
        spent = actual(here, known if lane.name == seat.lane else 0, usage)
        seat.saved_usd += cost(there, known, prompt, usage.output) - spent

    def _shared(self, lane: Lane, ask: Ask) -> int:
        """What of a new conversation a lane's cache may hold already: tools and system prompt of the others."""
        last = self.seats.used.get((lane.name, ask.prefix_id))
        return ask.prefix if last is not None and ask.now - last < (HOUR_S if ask.hour else WARM_S) else 0

    def _chore(self, ask: Ask, found: Work) -> Plan:
        """Housekeeping: the cheapest that can do it, whatever it costs others."""
        # A title quotes the prompt that it is for, its `/tier` and all.
        said = tier_of(found, self.router.routing)
        if said.score is None:
            routes = self._routes(said.tier, said.why, ask, only=said.lane)
        else:
            routes = self.cheapest(ask, f"housekeeping ({ask.asking.who}): the cheapest lane that can do it")
        return Plan(routes, ask.asking.who, ask.asking.key, known=0)

    def _new(self, seat: Seat, ask: Ask, found: Work) -> None:
        """The beginning of a conversation, or of one that is not known here."""
        said = tier_of(found, self.router.routing, ask.asking.marked)
        home = self._home(ask)
        seat.home = home.name
        self._take(seat, said)
        self._hold(seat, ask, home)
        if said.by_hand or ask.asking.begins or TIERS.index(seat.tier) >= TIERS.index(DEFAULT_TIER):
            return
        # It was answered before, maybe a moment ago: taken elsewhere, all of it would be new.
        seat.why, seat.tier = f"goes on from before; {seat.why}", DEFAULT_TIER

    def _take(self, seat: Seat, said: TierChoice) -> None:
        seat.tier, seat.why, seat.score, seat.pinned_lane = said.tier, said.why, said.score, said.lane
        seat.by_hand, seat.wanted, seat.calls = said.by_hand, None, 0
        seat.progress.clear()

    def _hold(self, seat: Seat, ask: Ask, home: Lane) -> None:
        """Keeps a conversation at home that would not be cheaper elsewhere, or could not come back from there."""
        first = self._routes(seat.tier, seat.why, ask, only=seat.pinned_lane)[0].lane
        if seat.by_hand or first.name == home.name or TIERS.index(seat.tier) >= TIERS.index(DEFAULT_TIER):
            return
        cheap, strong = self.prices(first, ask.tokens), self.prices(home, ask.tokens)
        if cheap is None or strong is None:
            return
        if dearer(cheap, strong, ask.tokens, self._shared(home, ask)):
            seat.why = f"{seat.why}; but lane '{first.name}' is not cheaper once its cache is at work"
        elif way_back(cheap, strong, ask.tokens) > _WAY_BACK:
            seat.why = f"{seat.why}; but from lane '{first.name}' the way back would not pay"
        else:
            return
        seat.tier = DEFAULT_TIER

    def _seated(self, seat: Seat, ask: Ask, found: Work) -> Switch | None:
        """A conversation goes on: whether it keeps its tier."""
        asking, turns = ask.asking, ask.conversation.turns
        if asking.who == "compaction":
            return None  # read from the cache that it is in
        new = turns[seat.seen :]
        if asking.fresh and (asking.prompt != seat.prompt or any(turn.role == "user" for turn in new)):
            return self._spoken(seat, ask, found)
        seat.calls += 1
        seat.progress.take(new)
        if seat.wanted is None and not seat.by_hand:
            trouble = seat.progress.trouble()
            if trouble is None and seat.calls >= _LARGER.get(seat.tier, 10**9):
                trouble = f"{seat.calls} calls so far, for work that looked {seat.tier}"
            if trouble is not None and (above := self._above(seat, ask)):
                seat.wanted = Wanted(above, trouble, "trouble")
                return self._upwards(seat, ask, tell=True)
        return self._upwards(seat, ask)

    def _spoken(self, seat: Seat, ask: Ask, found: Work) -> Switch | None:
        """The user has said something new."""
        said = tier_of(found, self.router.routing, ask.asking.marked)
        cold = not seat.known(ask.now)
        seat.calls, seat.wanted = 0, None
        seat.progress.clear()
        lower = TIERS.index(said.tier) < TIERS.index(seat.tier)
        freed = seat.by_hand and not said.by_hand
        if said.by_hand or (cold and not (lower and len(ask.asking.prompt) <= _NOD)):
            left, before = seat.lane, seat.tier
            why = said.why if said.by_hand else f"nothing of it is cached any more; {said.why}"
            self._take(seat, said._replace(why=why))
            if not said.by_hand:
                self._hold(seat, ask, self._home(ask))
            to = self._routes(seat.tier, why, ask, only=seat.pinned_lane)[0].lane
            kind = "user" if said.by_hand else "cold"
            return None if to.name == left else self._switch(kind, seat, to, seat.tier, why, ask, left, before)
        if freed:
            seat.by_hand, seat.pinned_lane, seat.score = False, None, said.score
        if TIERS.index(said.tier) > TIERS.index(seat.tier):
            seat.wanted = Wanted(said.tier, said.why, "prompt")
            return self._upwards(seat, ask, tell=True)
        return None

    def _upwards(self, seat: Seat, ask: Ask, *, tell: bool = False) -> Switch | None:
        """Goes to the tier that is wanted, once that is paid for; `tell` gives the arithmetic also where it is not."""
        if seat.wanted is None:
            return None
        tier, why, kind = seat.wanted
        to = self._routes(tier, why, ask)[0].lane
        if to.name == seat.lane:
            seat.tier, seat.why, seat.wanted = tier, why, None
            return None
        if self.rests(to):
            return None  # here it is served
        switch = self._switch(kind, seat, to, tier, why, ask, seat.lane, seat.tier, seat.saved_usd)
        if switch.cost_usd is not None and switch.cost_usd > max(seat.saved_usd, 0.0):
            return replace(switch, made=False) if tell else None
        seat.tier, seat.why, seat.wanted, seat.calls = tier, why, None, 0
        seat.progress.clear()
        return switch

    def _homewards(self, seat: Seat, ask: Ask, routes: tuple[Route, ...]) -> tuple[Switch | None, tuple[Route, ...]]:
        """Back to the tier's first lane where what is left to do pays for it, or nothing is cached any more."""
        first, calls = routes[0].lane, CALLS[seat.tier]
        kept = next((route for route in routes if route.lane.name == seat.lane), None)
        held, there = seat.known(ask.now), self.prices(first, ask.tokens)
        if self.rests(first):
            return None, routes if kept is None else (kept, *(route for route in routes if route is not kept))
        if kept is None:
            why = f"lane '{seat.lane}' cannot take it any more"
            return self._switch("context", seat, first, seat.tier, why, ask, seat.lane, seat.tier), routes
        here = self.prices(kept.lane, ask.tokens)
        worth = calls * per_call(here, there, held) if here and there else None
        why = f"lane '{first.name}' is the tier's first"
        switch = self._switch("return", seat, first, seat.tier, why, ask, seat.lane, seat.tier, worth, calls)
        if not held or switch.cost_usd is None or worth is None or worth > switch.cost_usd:
            return switch, routes
        return None, (kept, *(route for route in routes if route is not kept))

    def _switch(
        self, kind: str, seat: Seat, to: Lane, tier: str, why: str, ask: Ask, left: str, before: str,
        worth: float | None = None, calls: int | None = None,
    ) -> Switch:  # fmt: skip
        held, rates = seat.known(ask.now), self.prices(to, ask.tokens)
        usd = entry(rates, held) if rates else None
        return Switch(kind, left, to.name, before, tier, why, held, usd, worth, calls)

    def _routes(self, tier: str, why: str, ask: Ask, only: str | None = None) -> tuple[Route, ...]:
        """The lanes of a tier that can take `ask`; `only` is one that a rule names, and then nobody steps in for it."""
        if only is not None:
            named = [lane for lane in self.router.serving(ask.spoken) if lane.name == only]
            if named:
                return tuple(Route(lane, tier, why) for lane in named)
        lanes = self._able(self.router.of_tier(tier, ask.spoken), ask) or self._able_of(ask)
        return tuple(Route(lane, tier, why) for lane in lanes)

    def _able_of(self, ask: Ask) -> Sequence[Lane]:
        """The lanes of all tiers that can take `ask`; all of them where none seems to."""
        tiered = {lane.name for tier in TIERS for lane in self._of(tier)}
        lanes = [lane for lane in self.router.serving(ask.spoken) if lane.name in tiered or not tiered]
        return self._able(lanes, ask) or lanes or self.router.serving(ask.spoken)

    def _able(self, lanes: Sequence[Lane], ask: Ask) -> Sequence[Lane]:
        """Those of `lanes` whose model can answer what is asked, and into which it fits."""
        judging = [lane for lane in lanes if lane.name in self.verdicts] if ask.verdict else lanes
        return [lane for lane in judging if lane.context is None or ask.tokens < lane.context]

    def _home(self, ask: Ask) -> Lane:
        """Where it would go if nothing were routed."""
        return (self._able(self.router.of_tier(DEFAULT_TIER, ask.spoken), ask) or self._able_of(ask))[0]

    def _above(self, seat: Seat, ask: Ask) -> str | None:
        """The next tier above a seat's that has another lane."""
        higher = TIERS[TIERS.index(seat.tier) + 1 :]
        return next((tier for tier in higher if self._routes(tier, "", ask)[0].lane.name != seat.lane), None)

    def _of(self, tier: str) -> tuple[Lane, ...]:
        return self.router.tiers.get(tier, ())

    def _tier(self, lane: Lane) -> str:
        """The lowest tier that a lane serves."""
        return next((tier for tier in TIERS if any(each.name == lane.name for each in self._of(tier))), DEFAULT_TIER)
