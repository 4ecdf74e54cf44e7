"""What leaves before anybody has thought about it.

Where the tool's own login goes to the one lane that speaks its format, and nothing is chosen, changed, limited or
answered here, there is nothing to decide: a request that is all there is sent on in the same moment, by a connection
that is there, and its case does all the rest when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lynkr import formats
from lynkr.errors import ClientError
from lynkr.formats import Match
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.bypassing import Bypasses
from lynkr.proxy.lanes import Lanes
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import goes_as_it_came
from lynkr.proxy.planning import Planning
from lynkr.proxy.shaping import Shaping
from lynkr.routing.desk import Plan
from lynkr.translate.unseal import marked
from lynkr.upstream.auth import outgoing
from lynkr.upstream.catalog import Address, address, base_url
from lynkr.upstream.client import Upstreams
from lynkr.upstream.wire import Wire

# A tool asks for a few; targets that differ with each request are not kept for long.
_KNOWN = 64


class Ahead(NamedTuple):
    """A request that is on its way: what it speaks, where it goes and why, and by which connection."""

    match: Match
    plan: Plan
    where: Address
    wire: Wire
    body: bytes


@dataclass(slots=True)
class Sender:
    """Sends requests of one session ahead."""

    planning: Planning
    shaping: Shaping
    bypasses: Bypasses
    lanes: Lanes
    upstreams: Upstreams
    origins: Mapping[str, str]
    _addresses: dict[tuple[Format, str, str], Address] = field(default_factory=dict)
    _plans: dict[Format, Plan | None] = field(default_factory=dict)

    def __call__(self, request: Request, body: bytes) -> Ahead | None:
        """Sends a request with its whole body; None where it has to be looked at first."""
        match = formats.match(request.method, request.path)
        if match is None or not match.metered or b"upgrade" in request.named:
            return None
        plan = self._plan(match.format)
        if plan is None or self.planning.purse.budget.limits:
            return None
        lane = plan.routes[0].lane
        if not goes_as_it_came(request.named, lane) or marked(body):
            return None
        where, named = self._where(lane, match.format, request), request.named
        headers = outgoing(request.headers, named, lane, [], host=where.authority, length=len(body), metered=True)
        wire = self.upstreams.post(lane, where, request.method, headers, body)
        return Ahead(match, plan, where, wire, body) if wire is not None else None

    def _where(self, lane: Lane, spoken: Format, request: Request) -> Address:
        base, target = base_url(lane, spoken, self.origins, request.texts), request.target
        if (known := self._addresses.get((spoken, base, target))) is not None:
            return known
        if len(self._addresses) >= _KNOWN:
            self._addresses.clear()
        return self._addresses.setdefault((spoken, base, target), address(lane, spoken, base, target))

    def _plan(self, spoken: Format) -> Plan | None:
        """Where all goes that speaks `spoken`, as it came and at once; None where there is more to it."""
        if spoken not in self._plans:
            self._plans[spoken] = self._found(spoken)
        return self._plans[spoken]

    def _found(self, spoken: Format) -> Plan | None:
        try:
            plan = self.planning.only(spoken)
        except ClientError:
            return None
        if plan is None:
            return None
        lane = plan.routes[0].lane
        own = lane.auth is Auth.CLIENT and lane.model is None and lane.format_for(spoken) is spoken
        changed = self.shaping.shapes(lane) or self.bypasses.answers(lane)
        # Asked once, for everything, and for as long as it takes.
        plain = own and not (changed or lane.concurrency or lane.timeout_s or self.lanes.routing.retries)
        return plan if plain else None
