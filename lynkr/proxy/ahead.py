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
from lynkr.framing.http1 import Form, MalformedHTTP
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.bypassing import Bypasses
from lynkr.proxy.heads import Like
from lynkr.proxy.lanes import Lanes
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import goes_as_it_came
from lynkr.proxy.planning import Planning
from lynkr.proxy.shaping import Shaping
from lynkr.routing.desk import Plan
from lynkr.translate.unseal import marked
from lynkr.upstream.auth import outgoing
from lynkr.upstream.catalog import Address, address, base_url
from lynkr.upstream.client import Upstreams, form
from lynkr.upstream.wire import Wire

# A tool has a few kinds of requests.
_KNOWN = 64


class Course(NamedTuple):
    """What becomes of all requests whose heads are alike: what they speak, where they go and why, and the form of the
    heads that they leave with."""

    match: Match
    plan: Plan
    where: Address
    form: Form

    @property
    def lane(self) -> Lane:
        """Where they go."""
        return self.plan.routes[0].lane


class Ahead(NamedTuple):
    """A request that is on its way, and the connection that it left by."""

    course: Course
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
    _courses: dict[Like, Course | None] = field(default_factory=dict)
    _plans: dict[Format, Plan | None] = field(default_factory=dict)

    def __call__(self, request: Request, body: bytes) -> Ahead | None:
        """Sends a request with its whole body; None where it has to be looked at first."""
        course = self._course(request)
        if course is None or marked(body):
            return None
        head = course.form.filled(request.named, len(body))
        wire = self.upstreams.post(course.lane, course.where, request.method, head, body)
        return Ahead(course, wire, body) if wire is not None else None

    def _course(self, request: Request) -> Course | None:
        """What becomes of requests with heads like this, whatever their bodies say; None where that depends on more."""
        if request.like is None:
            return self._laid(request)
        if request.like not in self._courses:
            if len(self._courses) >= _KNOWN:
                self._courses.clear()
            self._courses[request.like] = self._laid(request)
        return self._courses[request.like]

    def _laid(self, request: Request) -> Course | None:
        match, named = formats.match(request.method, request.path), request.named
        if match is None or not match.metered or b"upgrade" in named:
            return None
        plan = self._plan(match.format)
        if plan is None or not goes_as_it_came(named, lane := plan.routes[0].lane):
            return None
        where = address(lane, match.format, base_url(lane, match.format, self.origins, request.texts), request.target)
        headers = outgoing(request.headers, named, lane, [], host=where.authority, length=None, metered=True)
        free = request.like.free.difference(name.lower().encode() for name in lane.headers) if request.like else ()
        try:
            return Course(match, plan, where, form(where, request.method, headers, free))
        except MalformedHTTP:
            return None  # a header that cannot be sent; on the usual way that is told

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
        looked_at = self.planning.purse.budget.limits or self.shaping.shapes(lane) or self.bypasses.answers(lane)
        # Asked once, for everything, and for as long as it takes.
        plain = own and not (looked_at or lane.concurrency or lane.timeout_s or self.lanes.routing.retries)
        return plan if plain else None
