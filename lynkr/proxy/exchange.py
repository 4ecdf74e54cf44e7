"""One session's requests: what they have in common, and how each begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from lynkr.answers.settings import Bypassing
from lynkr.lane import Format
from lynkr.ledger.meter import Meter
from lynkr.ledger.row import Row
from lynkr.proxy.ahead import Sender
from lynkr.proxy.answering import Answering
from lynkr.proxy.bypassing import Bypasses
from lynkr.proxy.case import Case
from lynkr.proxy.clock import Clock
from lynkr.proxy.documents import Documents
from lynkr.proxy.hastened import Hastened
from lynkr.proxy.here import PATHS, Here
from lynkr.proxy.interpret import PING_S
from lynkr.proxy.lanes import Lanes
from lynkr.proxy.message import News, Reply, Request, Rest
from lynkr.proxy.planning import Planning
from lynkr.proxy.seals import Seals
from lynkr.proxy.shaping import Shaping
from lynkr.proxy.sizes import Sizes
from lynkr.proxy.telling import Telling
from lynkr.proxy.warming import Warming
from lynkr.routing.router import Router
from lynkr.secrets import Key
from lynkr.upstream.client import Upstreams
from lynkr.upstream.clouds import Login

C = TypeVar("C", bound=Case)


@dataclass(slots=True)
class Exchange:
    """What one session's requests have in common: the formats that its tool `speaks`, `troubles` to tell at its end."""

    router: Router
    speaks: tuple[Format, ...]
    origins: Mapping[str, str]
    keys: Mapping[str, Key | Login | None]
    upstreams: Upstreams
    meter: Meter
    clock: Clock
    record: Callable[[Row], None]
    planning: Planning
    lanes: Lanes = field(default_factory=Lanes)
    answering: Answering | None = None
    warming: Warming | None = None
    bypasses: Bypasses = field(default_factory=lambda: Bypasses(Bypassing(probes=False, titles=False)))
    ping_s: float = PING_S
    shaping: Shaping = field(default_factory=Shaping)
    troubles: list[str] = field(default_factory=list)
    here: Here = field(default_factory=Here)
    documents: Documents = field(default_factory=Documents)
    seals: Seals = field(default_factory=Seals)
    sizes: Sizes = field(init=False)
    _sender: Sender | None = field(init=False)

    def __post_init__(self) -> None:
        self.sizes = Sizes(self.upstreams, self.keys)
        parts = (self.planning, self.shaping, self.bypasses, self.lanes, self.upstreams, self.origins)
        self._sender = Sender(*parts) if self.answering is None else None

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Serves one request."""
        if request.path in PATHS:
            await self.here.answer(request, reply)
            return
        await self._case(Case, request, reply, self.clock.ms()).serve()

    def hasten(self, request: Request, reply: Reply, body: bytes, news: News) -> Rest | None:
        """Sends a request on in the moment that all of it is here, if there is nothing to decide. Gives what serves the
        rest of it, if `news` says so."""
        began = self.clock.ms()
        try:
            ahead = self._sender(request, body) if self._sender is not None else None
        except Exception as error:  # noqa: BLE001 - it has not left, and is served as any other
            self.fault(error)
            return None
        if ahead is None:
            return None
        case = self._case(Hastened, request, reply, began)
        case.leave(ahead, news)
        return case.serve

    def fault(self, error: Exception) -> None:
        """Notes a fault of ours, to be told at the session's end."""
        if (fault := f"a fault of its own ({error!r}); please report it") not in self.troubles:
            self.troubles.append(fault)

    def _case(self, kind: type[C], request: Request, reply: Reply, began: float) -> C:
        notes = {"id": self.clock.new_id(), "at": self.clock.now(), "method": request.method, "path": request.path}
        self.here.counts.flying += 1
        # Nothing of a request points back to it: a cycle would keep its body until somebody looks for garbage.
        ms = self.clock.ms
        telling = Telling(reply, notes, self.keys, self.troubles, lambda: round(ms() - began, 3))
        return kind(self, request, reply, telling)
