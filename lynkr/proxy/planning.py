"""From a request as it came to where it may go: read as far as that takes, and put before the desk and the purse."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lynkr import formats
from lynkr.conversation import Conversation, Media, Result
from lynkr.document import Document, MalformedDocument
from lynkr.errors import ClientError
from lynkr.formats import CODECS
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Before, Meter
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.documents import Documents
from lynkr.proxy.marker import without_marker
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.strangers import thoughts_of_others
from lynkr.routing.asking import asking
from lynkr.routing.budget import Purse
from lynkr.routing.desk import Ask, Desk, Plan
from lynkr.routing.economy import FREE, OUTPUT, Rates, cost
from lynkr.routing.router import Route, Router
from lynkr.routing.seats import Seats
from lynkr.routing.settings import Budget
from lynkr.upstream.capabilities import gives_verdicts
from lynkr.upstream.catalog import is_loopback
from lynkr.usage import CHARS_PER_TOKEN, Usage

# A breakpoint whose entry lives for an hour.
_HOUR = re.compile(rb'"ttl"\s*:\s*"1h"')
_PICTURE = 1600


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a request may go; `ask` is None where it was not looked into. `over` is the budget that is spent."""

    plan: Plan
    inbound: Inbound
    ask: Ask | None = None
    over: str | None = None


@dataclass(slots=True)
class Planning:
    """One session's. `now` gives seconds since the epoch."""

    router: Router
    meter: Meter
    now: Callable[[], float]
    purse: Purse = field(default_factory=lambda: Purse(Budget()))
    seats: Seats = field(default_factory=Seats)
    _unmarked: Documents = field(default_factory=Documents)
    _own: Documents = field(default_factory=Documents)
    # Whether a lane is not to be asked now.
    rests: Callable[[Lane], bool] = lambda _: False
    _verdicts: frozenset[str] = field(init=False)
    # By what is spoken and whether it goes as it is.
    _usual: dict[tuple[Format | None, bool], tuple[Plan, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._verdicts = frozenset(lane.name for lane in self.router.lanes if gives_verdicts(lane))

    def place(self, inbound: Inbound, spoken: Format | None) -> Placed:
        """Where `inbound` may go. Raises ClientError where no lane understands it, or the money is gone."""
        match = inbound.match
        as_it_is = match is None or not match.metered
        usual, chooses = self._usually(spoken, as_it_is=as_it_is)
        if spoken is None or as_it_is:
            return Placed(usual, inbound)
        exceeded = self.purse.exceeded()
        if exceeded and self.purse.budget.on_exceed == "stop":
            raise ClientError(_stopped(*exceeded), status=400, kind="budget")
        downgraded = exceeded is not None and self.purse.budget.on_exceed == "downgrade"
        over = f"the budget of a {exceeded[0]} is spent" if exceeded else None
        looked = self._look(inbound, spoken) if chooses or self.purse.budget.limits else None
        if looked is None:
            return Placed(usual, inbound, over=over)
        ask, inbound = looked
        desk = self._desk(ask)
        plan = desk.plan(ask) if chooses else usual
        if chooses and inbound.document is not None and b"/tier" in inbound.document.body:
            # Also where it counts no more: what was sent once without it is sent so again.
            inbound = without_marker(inbound, inbound.document, CODECS[spoken].TALK, self._unmarked.read)
        if downgraded and not (plan.seat and plan.seat.pinned_lane):
            plan = replace(plan, routes=desk.cheapest(ask, f"{over}: the cheapest lane", plan.seat), switch=None)
        plan = replace(plan, routes=_alike(plan.routes))
        first = plan.routes[0].lane
        if self.purse.budget.limits:
            self.purse.reserve(inbound.id, self.estimate(first, ask.conversation.model, ask.tokens, plan.known or 0))
        return Placed(plan, inbound, ask if chooses else None, over)

    def _usually(self, spoken: Format | None, *, as_it_is: bool) -> tuple[Plan, bool]:
        """Where a request goes that is not looked into, and whether it has to be. Raises ClientError."""
        if (known := self._usual.get((spoken, as_it_is))) is not None:
            return known
        lanes = self.router.serving(spoken, as_it_is=as_it_is)
        routes = tuple(Route(lane, self.router.tier, self.router.why) for lane in lanes)
        # What is not answered by a model goes where it always would; nothing steps in for it.
        routes = routes[:1] if spoken is None or as_it_is else _alike(routes)
        return self._usual.setdefault((spoken, as_it_is), (Plan(routes), self.router.chooses(spoken)))

    def only(self, spoken: Format) -> Plan | None:
        """Where all goes that speaks `spoken`, whatever it says; None where there is a choice. Raises ClientError."""
        usual, chooses = self._usually(spoken, as_it_is=False)
        return None if chooses or len(usual.routes) > 1 else usual

    def served(self, placed: Placed, route: Route, usage: Usage) -> Plan:
        """Notes who has served; gives the plan with the switch that it became."""
        plan, ask = placed.plan, placed.ask
        if ask is None:
            return plan
        switch = self._desk(ask).served(plan, route, ask, usage)
        return replace(plan, switch=switch)

    def before(self, placed: Placed, lane: Lane) -> Before | None:
        """What the cache of the lane asked for would have held, where the request was taken elsewhere."""
        plan = placed.plan
        if plan.known is None or placed.ask is None:
            return None
        if plan.seat is None:
            return Before(0, grows=False)
        at_home = lane.name == plan.seat.home and plan.seat.lane in ("", lane.name)
        return None if at_home else Before(plan.known)

    def estimate(self, lane: Lane, model: str | None, tokens: int, known: int) -> float:
        """About what a request will cost, in USD, while nobody knows."""
        rates = self._rates(lane, model, tokens)
        return cost(rates, known, tokens, OUTPUT) if rates else 0.0

    def _look(self, inbound: Inbound, spoken: Format) -> tuple[Ask, Inbound] | None:
        """The request as it is to be placed; None where it cannot be read: then it goes on as it came."""
        assert inbound.match is not None
        try:
            document = inbound.read()
        except (Unreadable, MalformedDocument):
            return None
        if not isinstance(document.value, dict):
            return None
        codec, now = CODECS[spoken], self.now()
        try:
            conversation = codec.read_request(document.value, document.trail)
        except ClientError:
            return None  # the lane will say what is wrong with it
        if inbound.match.model:
            conversation = replace(conversation, model=inbound.match.model)
        found = asking(conversation, inbound.named)
        talk = document.members.get(codec.TALK)
        held = talk.value if talk and isinstance(talk.value, list) else ()
        # What stands before the conversation in a provider's cache, without the line that Claude Code bills by.
        tools = document.members.get("tools")
        before = (document.text[tools.start : tools.end] if tools else "", *(part.text for part in conversation.system))
        ask = Ask(
            spoken,
            found,
            conversation,
            tokens=_tokens(document, conversation),
            now=now,
            verdict="safeguards" in conversation.rest,
            hour=b'"1h"' in document.body and _HOUR.search(document.body) is not None,
            prefix=sum(map(len, before)) // CHARS_PER_TOKEN,
            prefix_id=hash(before),
            elements=len(held),
        )
        return ask, replace(inbound, document=document)

    def for_lane(self, placed: Placed, lane: Lane) -> Inbound:
        """The request without what other lanes' models have thought: sealed, it means nothing to this one."""
        plan, inbound = placed.plan, placed.inbound
        if plan.seat is None or inbound.document is None or inbound.match is None:
            return inbound
        if edits := thoughts_of_others(inbound.document, inbound.match.format, plan.seat.made, lane.name):
            return inbound.instead(self._own.read(*inbound.document.spliced(edits)))
        return inbound

    def _desk(self, ask: Ask) -> Desk:
        def prices(lane: Lane, tokens: int) -> Rates | None:
            return self._rates(lane, ask.conversation.model, tokens, hour=ask.hour)

        return Desk(self.router, prices, self._verdicts, self.seats, self.rests)

    def _rates(self, lane: Lane, model: str | None, tokens: int, *, hour: bool = False) -> Rates | None:
        """A lane's rates in USD per token; a server on this machine, and one that nobody pays for, costs nothing."""
        price = self.meter.rates(lane, model, tokens)
        if price is None:
            return FREE if lane.auth is Auth.NONE or _here(lane) else None
        new = price.input if price.cache_write is None else price.cache_write
        if hour and price.cache_write_1h is not None:
            new = price.cache_write_1h
        read = price.input if price.cache_read is None else price.cache_read
        return Rates(new / 1e6, read / 1e6, price.output / 1e6)


def asked_model(inbound: Inbound) -> str | None:
    """The model that a request asks for; None where that cannot be read."""
    if inbound.match is not None and inbound.match.model:
        return inbound.match.model
    try:
        named = inbound.read().members.get("model")
    except (Unreadable, MalformedDocument):
        return None
    return named.value if named and isinstance(named.value, str) else None


def house_of(
    request: Request, named: Mapping[str, str], speaks: Sequence[Format], lanes: Sequence[Lane]
) -> Format | None:
    """Whose house a request belongs to that speaks no format: the tool's own, or what it shows."""
    if len(speaks) == 1:
        return speaks[0]
    spoken = formats.resembling(request.path, named)
    if len(lanes) == 1:
        only = lanes[0]
        # The tool's own credential is for one house alone; what shows itself to be another's is not for it.
        return spoken if only.auth is Auth.CLIENT and spoken and only.format_for(spoken) is None else None
    # OpenAI's two formats share a house; a lane may speak only one of them.
    served = {name for lane in lanes for name in lane.formats}
    return Format.OPENAI_CHAT if spoken is Format.OPENAI_RESPONSES and spoken not in served else spoken


def _here(lane: Lane) -> bool:
    host = (lane.base_url or "").partition("://")[2].partition("/")[0].rpartition(":")[0]
    return is_loopback(host.strip("[]")) if host else False


def _alike(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """The routes without those that want the tool's own credential for another house than the first such: it belongs
    to one."""
    house = next(((r.lane.provider, r.lane.base_url) for r in routes if r.lane.auth is Auth.CLIENT), None)
    return tuple(
        route
        for route in routes
        if route.lane.auth is not Auth.CLIENT or (route.lane.provider, route.lane.base_url) == house
    )


def _tokens(document: Document, conversation: Conversation) -> int:
    """About how many tokens a request has: text by its length, and each picture as what a large one counts for."""
    media = [
        part.data
        for turn in conversation.turns
        for said in turn.parts
        for part in (said.parts if isinstance(said, Result) else (said,))
        if isinstance(part, Media) and part.data
    ]
    return (len(document.text) - sum(map(len, media))) // CHARS_PER_TOKEN + _PICTURE * len(media)


def _stopped(period: str, limit: float, gone: float) -> str:
    spent = f"${gone:.2f} of ${limit:.2f}"
    more = "--budget USD" if period == "session" else f"{period}_usd"
    return (
        f"lynkr: the budget of this {period} is spent ({spent}), and the profile says to stop then. To go on: start "
        f"again with a higher {more}, or change [budget] in the profile (lynkr profile edit); lynkr report says what "
        f"it was spent on"
    )
