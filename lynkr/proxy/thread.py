"""The proxy in a thread of its own, importing what it needs there, while the child is starting.

A child that ends before the imports do is not waited for longer than one module takes.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable

from lynkr.proxy.setting import Door, Setting

# In rising order of what stands on what, so that each import is a short one.
_HEAVY = ("ssl", "asyncio", "anyio", "anyio._backends._asyncio", "lynkr.formats", "lynkr.proxy.house")


class ProxyThread:
    """Starts at once; `stop` ends it. `problem` is the first fault of its own, if there was one.

    `alarmed` says that the user has been told of it. `troubles` are sentences about lanes that only the user can mend.
    """

    def __init__(self, door: Door, setting: Setting) -> None:
        self.problem: Exception | None = None
        self.alarmed = False
        self.troubles: list[str] = []
        self._door = door
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
            self._door.listener.close()
            self._setting.alarm(f"the proxy cannot go on ({error!r}); the tool will not reach its model")

    async def _serve(self) -> None:
        import anyio
        import anyio.from_thread
        import anyio.lowlevel

        from lynkr.proxy.accepting import serve
        from lynkr.proxy.gate import Carrier, Gate
        from lynkr.proxy.house import House

        door, stop = self._door, anyio.Event()
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
        house = House(self._setting, self.troubles)
        gate = Gate(door.secret, door.port, tuple(Carrier(*carrier) for carrier in door.carriers))
        try:
            await house.begin()
            async with anyio.create_task_group() as group:
                group.start_soon(house.run)
                await serve(door.listener, gate, house.exchange, stop, fault, hasten=house.exchange.hasten)
                group.cancel_scope.cancel()
        finally:
            await house.aclose()
