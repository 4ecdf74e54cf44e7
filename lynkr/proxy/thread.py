"""The proxy in a thread of its own, importing what it needs there, while the child is starting.

A child that ends before the imports do is not waited for longer than one module takes.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lynkr.answers.settings import Bypassing, Caching
from lynkr.lane import Format
from lynkr.ledger.row import Row
from lynkr.routing.router import Router
from lynkr.routing.settings import Budget
from lynkr.secrets import Key
from lynkr.transforms.settings import OFF, Settings
from lynkr.upstream.clouds import Login

if TYPE_CHECKING:
    from lynkr.proxy.answering import Answering
    from lynkr.routing.budget import Purse
    from lynkr.transforms.shaper import Change

# In rising order of what stands on what, so that each import is a short one.
_HEAVY = ("ssl", "anyio", "anyio._backends._asyncio", "h11", "httpcore", "httpx", "lynkr.proxy.exchange")
# So often what other sessions spend of the same budget is looked up.
_LOOK_S = 15.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What a session's proxy is made of."""

    listener: socket.socket
    port: int
    secret: str
    carriers: tuple[tuple[str, str | None], ...]
    router: Router
    origins: Mapping[str, str]
    keys: Mapping[str, Key | Login | None]
    environ: Mapping[str, str]
    speaks: tuple[Format, ...]
    record: Callable[[Row], None]
    alarm: Callable[[str], None]
    now: Callable[[], str]
    new_id: Callable[[], str]
    compress: Settings = OFF
    keep: Callable[[Change, str], None] | None = None
    budget: Budget = field(default_factory=Budget)
    # What other sessions have spent, by period; called now and then, from another thread.
    spent: Callable[[], Mapping[str, float]] = dict
    healths: Path | None = None
    caching: Caching = field(default_factory=Caching)
    bypassing: Bypassing = field(default_factory=Bypassing)
    # The folder of answers that may be given again, and whose they are.
    shelf: Path | None = None
    profile: str = ""


async def _watch(purse: Purse, spent: Callable[[], Mapping[str, float]]) -> None:
    """Keeps up with what other sessions spend meanwhile."""
    import anyio.to_thread

    while True:
        await anyio.sleep(_LOOK_S)
        purse.before = await anyio.to_thread.run_sync(spent)


class ProxyThread:
    """Starts at once; `stop` ends it. `problem` is the first fault of its own, if there was one.

    `alarmed` says that the user has been told of it. `troubles` are sentences about lanes that only the user can mend.
    """

    def __init__(self, setting: Setting) -> None:
        self.problem: Exception | None = None
        self.alarmed = False
        self.troubles: list[str] = []
        self._setting = setting
        self._stopping = False
        self._lock = threading.Lock()
        self._halt: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends what is going on and waits until every request has its row."""
        with self._lock:
            self._stopping = True
            halt = self._halt
        if halt is not None:
            # In a thread, because it waits for the proxy's, which may be past listening.
            threading.Thread(target=halt, daemon=True).start()
        self._thread.join(10)

    def _run(self) -> None:
        try:
            for name in _HEAVY:
                if self._stopping:
                    return
                importlib.import_module(name)
            import anyio

            anyio.run(self._serve)
        except Exception as error:  # noqa: BLE001 - the child's status stands, and the user is told
            self.problem, self.alarmed = error, True
            # Refused is better than waiting for an answer that will not come.
            self._setting.listener.close()
            self._setting.alarm(f"the proxy cannot go on ({error!r}); the tool will not reach its model")

    def _answering(self) -> Answering | None:
        """What answers questions again; None where the profile wants none of that."""
        setting = self._setting
        if setting.caching.answers == "off" or setting.shelf is None:
            return None
        from lynkr.answers.shelf import Shelf
        from lynkr.proxy.answering import Answering

        most = int(setting.caching.max_mb * 1e6)
        shelf = Shelf(setting.shelf, setting.caching.ttl_s, most, setting.alarm)
        return Answering(setting.caching.answers, shelf, setting.profile, time.time)

    async def _serve(self) -> None:
        import anyio
        import anyio.from_thread
        import anyio.lowlevel
        import anyio.to_thread

        from lynkr.health import Healths
        from lynkr.ledger.meter import Meter
        from lynkr.ledger.prices import table
        from lynkr.proxy.bypassing import Bypasses
        from lynkr.proxy.exchange import Clock, Exchange
        from lynkr.proxy.gate import Carrier, Gate
        from lynkr.proxy.lanes import Lanes
        from lynkr.proxy.planning import Planning
        from lynkr.proxy.server import serve
        from lynkr.proxy.shaping import Shaping
        from lynkr.proxy.warming import Warming
        from lynkr.routing.budget import Purse
        from lynkr.upstream.client import Upstreams

        setting, stop = self._setting, anyio.Event()
        token = anyio.lowlevel.current_token()

        def halt() -> None:
            # It may have ended by itself just now, or with a problem.
            with contextlib.suppress(anyio.RunFinishedError):
                anyio.from_thread.run_sync(stop.set, token=token)

        def fault(error: Exception) -> None:
            self.problem = self.problem or error

        with self._lock:
            if self._stopping:
                return
            self._halt = halt
        upstreams = Upstreams(setting.environ)
        clock = Clock(ms=lambda: time.perf_counter() * 1000, now=setting.now, new_id=setting.new_id)
        meter, purse = Meter(table()), Purse(setting.budget)
        private = frozenset(lane.name for lane in setting.router.lanes if lane.base_url is None and setting.origins)
        lanes = Lanes(setting.router.routing, Healths(setting.healths, time.time), time.time, private=private)
        warming = Warming(setting.caching.keep_warm, upstreams, meter, setting.record, setting.new_id, setting.now,
                          lambda: purse.exceeded() is not None)  # fmt: skip
        exchange = Exchange(
            setting.router,
            setting.speaks,
            setting.origins,
            setting.keys,
            upstreams,
            meter,
            clock,
            setting.record,
            Planning(setting.router, meter, time.time, purse, rests=lambda lane: lanes.rest(lane) is not None),
            lanes,
            answering=self._answering(),
            bypasses=Bypasses(setting.bypassing),
            warming=warming,
            troubles=self.troubles,
            shaping=Shaping(setting.compress, setting.keep),
        )
        carriers = tuple(Carrier(*carrier) for carrier in setting.carriers)
        try:
            async with anyio.create_task_group() as group:
                if set(setting.budget.limits) - {"session"}:
                    purse.before = await anyio.to_thread.run_sync(setting.spent)
                    group.start_soon(_watch, purse, setting.spent)
                if setting.caching.keep_warm:
                    group.start_soon(warming.run)
                await serve(setting.listener, Gate(setting.secret, setting.port, carriers), exchange, stop, fault)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await upstreams.aclose()
