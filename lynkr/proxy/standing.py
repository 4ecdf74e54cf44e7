"""A proxy that stands: several profiles behind one door, told apart by path, that reloads and drains.

    /TOKEN/v1/…             the first profile
    /TOKEN/p/NAME/v1/…      the profile called NAME

A reload puts new houses in the place of the old ones, which serve what they have begun and are then closed: no request
is dropped. A drain is announced first (readiness says 503), then nobody new is let in, then what is under way is
served.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from lynkr import formats
from lynkr.errors import LynkrError
from lynkr.framing.http1 import Headers
from lynkr.lane import Format, Lane
from lynkr.proxy.accepting import serve
from lynkr.proxy.counting import Counts
from lynkr.proxy.exposition import exposition
from lynkr.proxy.gate import Carrier, Gate
from lynkr.proxy.here import PATHS, Here
from lynkr.proxy.house import House, names_of
from lynkr.proxy.load import RETRY_AFTER_S, Load
from lynkr.proxy.message import Reply, Request
from lynkr.proxy.server import Connection
from lynkr.proxy.setting import Door, Setting
from lynkr.proxy.telling import JSON
from lynkr.upstream.catalog import address, base_url

_PREFIX = "/p/"
# Where the token may stand besides the path: wherever clients put a key.
_CARRIERS = tuple(Carrier(name, None) for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"))
# A deep look asks the lanes' servers; so long its answer is good.
_DEEP_S = 10.0
# So often troubles are looked for, and the same one is told again.
_TELL_S, _AGAIN_S = 2.0, 900.0
_DEEP_WAIT_S = 4.0


@dataclass(slots=True, eq=False)
class _Serving:
    """A house with those who are in it."""

    house: House
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    guests: int = 0
    retired: bool = False


class Standing:
    """What a standing proxy does with requests; `crowd` is who is connected."""

    def __init__(self, load: Load, well: Callable[[], str]) -> None:
        """`well` says what is wrong with what all requests need (the ledger), "" where nothing is."""
        self.counts = Counts()
        self.crowd = set[Connection]()
        self.troubles = list[str]()
        self.draining = False
        self.here = Here(self.counts, ready=self._ready, deep=self._deep, resting=self._resting,
                         connected=lambda: len(self.crowd))  # fmt: skip
        self._load = load
        self._well = well
        self._serving: dict[str, _Serving] = {}
        self._first = ""
        self._looked: tuple[float, Mapping[str, Any]] = (-_DEEP_S, {})
        self._group: TaskGroup | None = None
        self._stop, self._drain = anyio.Event(), anyio.Event()

    @property
    def profiles(self) -> list[str]:
        """The names of the profiles that are served, the first first."""
        return list(self._serving)

    async def run(
        self,
        settings: Sequence[Setting],
        door: Door,
        names: Sequence[str],
        beside: Callable[[], Coroutine[Any, Any, None]],
        fault: Callable[[Exception], None],
    ) -> None:
        """Serves until it has been drained or stopped; `beside` runs meanwhile and calls `drain`, `stop`, `replace`."""
        gate = Gate(door.secret, door.port, _CARRIERS, tuple(names))
        exposition(self.counts, self._resting, 0)  # so that the first look does not import while others wait
        async with anyio.create_task_group() as self._group:
            await self.replace(settings)
            self._group.start_soon(beside)
            await serve(door.listener, gate, self, self._stop, fault, self._drain, self.crowd)
            self._group.cancel_scope.cancel()

    async def replace(self, settings: Sequence[Setting]) -> None:
        """Serves these profiles from now on; what the earlier ones have begun they end."""
        assert self._group is not None
        earlier, houses = self._serving, dict[str, _Serving]()
        for setting in settings:
            known = earlier.get(setting.profile)
            house = House(setting, self.troubles, self.counts, known.house if known else None)
            await house.begin()
            houses[setting.profile] = _Serving(house)
        self._serving = houses
        for serving in houses.values():
            serving.house.purse.budget = serving.house.setting.budget
            self._group.start_soon(self._keep, serving)
        self.counts.known = names_of(settings)
        self._first = settings[0].profile
        self._looked = (-_DEEP_S, {})
        for serving in earlier.values():
            serving.retired = True
            if not serving.guests:
                serving.scope.cancel()

    async def drain(self, notice_s: float) -> None:
        """Says that it is not ready, waits for balancers to see it, and lets nobody new in."""
        self.draining = True
        await anyio.sleep(notice_s)
        self._drain.set()

    def stop(self) -> None:
        """Ends at once; what is under way is cut."""
        self._stop.set()

    async def _keep(self, serving: _Serving) -> None:
        """Runs what goes on beside a house's requests, and closes it in the end."""
        try:
            with serving.scope:
                try:
                    await serving.house.run()
                except Exception as error:  # noqa: BLE001 - its requests are served all the same
                    self.troubles.append(f"a fault of its own ({error!r}); please report it")
                    await anyio.sleep_forever()
        finally:
            await serving.house.aclose()

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Serves one request."""
        serving = self._of(request)
        if serving is None:
            said = f"lynkr: there is no such profile here; it serves {', '.join(self.profiles)}"
            await self._refuse(request, reply, LynkrError(said, status=404, kind="not_found"), [])
            return
        if request.path in PATHS:
            await self.here.answer(request, reply)
            return
        length = request.texts.get("content-length", "")
        if why := "connections" if self._is_crowded() else self._load.refuses(length):
            self.counts.shed[why] += 1
            said = f"lynkr: more is under way than this proxy takes ({why}); try again in {RETRY_AFTER_S} s"
            retry = [(b"Retry-After", str(RETRY_AFTER_S).encode()), (b"Connection", b"close")]
            await self._refuse(request, reply, LynkrError(said, status=503, kind="overloaded", retry=True), retry)
            return
        with self._load.carrying(length), self._guest(serving):
            await serving.house.exchange(request, reply)

    @contextmanager
    def _guest(self, serving: _Serving) -> Iterator[None]:
        serving.guests += 1
        try:
            yield
        finally:
            serving.guests -= 1
            if serving.retired and not serving.guests:
                serving.scope.cancel()

    def _of(self, request: Request) -> _Serving | None:
        """The profile that a request is for; its name is taken out of the target."""
        if not request.target.startswith(_PREFIX):
            return self._serving[self._first]
        name, slash, rest = request.target[len(_PREFIX) :].partition("/")
        if slash:
            request.target, request.like = f"/{rest}", None
        return self._serving.get(name) if slash else None

    def _is_crowded(self) -> bool:
        """Whether more clients are here than descriptors allow. Whoever has not shown the token is none, and is dropped
        soon; to count those who have takes a look at each."""
        most = self._load.clients
        return len(self.crowd) > most and sum(connection.known for connection in self.crowd) > most

    async def _refuse(self, request: Request, reply: Reply, error: LynkrError, more: Headers) -> None:
        match = formats.match(request.method, request.path)
        codec = formats.CODECS[match.format if match else Format.OPENAI_CHAT]
        identity = (b"x-lynkr-request", self._serving[self._first].house.setting.new_id().encode())
        await reply.whole(error.status, codec.error_body(error), [JSON, identity, *more])

    def _ready(self) -> str:
        return "draining" if self.draining else ""

    def _resting(self) -> Mapping[tuple[str, str], bool]:
        return {key: rests for serving in self._serving.values() for key, rests in serving.house.resting().items()}

    async def _deep(self) -> Mapping[str, Any]:
        """What is wrong with the ledger, and with profiles none of whose lanes can be reached; kept for a while."""
        at, found = self._looked
        if time.monotonic() - at < _DEEP_S:
            return found
        reached = dict[str, dict[str, str]]()
        async with anyio.create_task_group() as group:
            for name, serving in self._serving.items():
                for lane in serving.house.setting.router.lanes:
                    group.start_soon(_reach, serving.house, lane, reached.setdefault(name, {}))
        said: dict[str, Any] = {"ledger": wrong} if (wrong := self._well()) else {}
        if cut := {name: lanes for name, lanes in reached.items() if lanes and all(lanes.values())}:
            said["unreachable"] = cut
        self._looked = (time.monotonic(), said)
        return said


async def _reach(house: House, lane: Lane, found: dict[str, str]) -> None:
    """Asks a lane's server for nothing, without a credential: any answer shows that it is there."""
    spoken = lane.formats[0]
    try:
        where = address(lane, spoken, base_url(lane, spoken, house.setting.origins, {}), "/")
        with anyio.fail_after(_DEEP_WAIT_S):
            answer = await house.upstreams.open(lane, where, "HEAD", [(b"Host", where.authority.encode())], None)
            await answer.aclose()
    except TimeoutError:
        found[lane.name] = f"no answer within {_DEEP_WAIT_S:.0f} s"
    except LynkrError as error:
        found[lane.name] = error.sentence
    else:
        found[lane.name] = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a standing proxy goes: `notice_s` between saying so and letting nobody new in, `drain_s` for what is under
    way."""

    notice_s: float
    drain_s: float


@dataclass(frozen=True, slots=True)
class Stand:
    """All that a standing proxy is made of. `reread` reads the profiles anew and may raise LynkrError; `told` hears how
    a reload went (the profiles, or what is wrong), `say` what the operator should know."""

    settings: Sequence[Setting]
    door: Door
    names: Sequence[str]
    load: Load
    patience: Patience
    well: Callable[[], str]
    reread: Callable[[], Sequence[Setting]]
    told: Callable[[Sequence[str], str], None]
    say: Callable[[str], None]


def stand(made: Stand) -> None:
    """Serves until a signal ends it: TERM after a notice, INT at once; a second one cuts what is under way."""
    anyio.run(_stand, made)


async def _stand(made: Stand) -> None:
    standing = Standing(made.load, made.well)

    async def beside() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with anyio.create_task_group() as group:
                group.start_soon(_tell, standing, made)
                async for number in signals:
                    if number == signal.SIGHUP:
                        await _reload(standing, made)
                    elif standing.draining:
                        standing.stop()
                    else:
                        notice_s = made.patience.notice_s if number == signal.SIGTERM else 0.0
                        group.start_soon(_leave, standing, made, notice_s)

    def fault(error: Exception) -> None:
        made.say(f"a fault of its own ({error!r}); please report it")

    await standing.run(made.settings, made.door, made.names, beside, fault)


async def _tell(standing: Standing, made: Stand) -> None:
    """Tells of lanes that only their owner can mend, each trouble once in a while."""
    told = dict[str, float]()
    while True:
        await anyio.sleep(_TELL_S)
        troubles, standing.troubles[:] = list(standing.troubles), []
        told = {trouble: at for trouble, at in told.items() if time.monotonic() - at < _AGAIN_S}
        for trouble in troubles:
            if trouble not in told:
                told[trouble] = time.monotonic()
                made.say(trouble)


async def _reload(standing: Standing, made: Stand) -> None:
    try:
        await standing.replace(await anyio.to_thread.run_sync(made.reread))
    except Exception as error:  # noqa: BLE001 - whatever it is, those who are served now are served on
        why = error.sentence if isinstance(error, LynkrError) else str(error) or repr(error)
        made.say(f"not reloaded, all goes on as before: {why}")
        made.told(standing.profiles, why)
        return
    made.say(f"reloaded: {', '.join(standing.profiles)}")
    made.told(standing.profiles, "")


async def _leave(standing: Standing, made: Stand, notice_s: float) -> None:
    under_way = standing.counts.flying
    made.say(f"ending: {under_way} under way, at most {made.patience.drain_s:.0f} s more" if under_way else "ending")
    await standing.drain(notice_s)
    await anyio.sleep(made.patience.drain_s)
    if standing.counts.flying:
        made.say(f"{standing.counts.flying} requests are cut, they took too long")
    standing.stop()
