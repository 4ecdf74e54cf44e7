"""What can wait for a moment: a client that has its answer may ask again at once, and is not to wait for accounts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import anyio.lowlevel

# Longer than a program takes to ask again because of what it was answered.
_PAUSE_S = 0.002
# Too short for anybody to notice. It may be long until nobody is being served.
_LATE_S = 0.02
# Under a load there is no moment in which nobody asks, and what is left must not pile up.
_MOST = 64


class Afterwards:
    """Does what it is given a little later, in that order, while it is run: where it can when nobody is `served`.
    `fault` is told what goes wrong."""

    def __init__(self, served: Callable[[], int], fault: Callable[[Exception], None]) -> None:
        self._served, self._fault = served, fault
        self._left = deque[Callable[[], None]]()
        self._came = anyio.Event()

    def __call__(self, work: Callable[[], None]) -> None:
        """Does `work` in a moment."""
        self._left.append(work)
        if len(self._left) > _MOST:
            self._one()
        self._came.set()

    def now(self) -> None:
        """Does at once what is left to do."""
        while self._left:
            self._one()

    async def run(self) -> None:
        """Goes on beside the requests, until it is cancelled."""
        while True:
            await self._came.wait()
            self._came, late = anyio.Event(), anyio.current_time() + _LATE_S
            await anyio.sleep(_PAUSE_S)
            while self._left:
                if self._served() and anyio.current_time() < late:
                    await anyio.sleep(_PAUSE_S)
                    continue
                self._one()
                await anyio.lowlevel.checkpoint()  # whoever asks comes before the next

    def _one(self) -> None:
        try:
            self._left.popleft()()
        except Exception as error:  # noqa: BLE001 - nobody waits for it who could be told
            self._fault(error)
