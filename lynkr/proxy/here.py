"""What the proxy answers for itself: whether it lives, whether it is ready, and what it has counted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lynkr.proxy.counting import Counts
from lynkr.proxy.exposition import CONTENT_TYPE, exposition
from lynkr.proxy.message import Reply, Request
from lynkr.proxy.telling import JSON

PATHS = frozenset(("/health/live", "/health/ready", "/metrics"))


def _nothing_rests() -> Mapping[tuple[str, str], bool]:
    return {}


async def _well() -> dict[str, Any]:
    return {}


@dataclass(slots=True)
class Here:
    """`ready` is what keeps it from taking work, "" where nothing does. `deep` looks at what it stands on: a record of
    problems, {} where all is well. `resting` says of each (profile, lane) whether it rests, `connected` how many
    clients there are."""

    counts: Counts = field(default_factory=Counts)
    ready: Callable[[], str] = lambda: ""
    deep: Callable[[], Awaitable[Mapping[str, Any]]] = _well
    resting: Callable[[], Mapping[tuple[str, str], bool]] = _nothing_rests
    connected: Callable[[], int] = lambda: 0

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answers one of PATHS."""
        if request.path == "/metrics":
            page = exposition(self.counts, self.resting, self.connected())
            await reply.whole(200, page, [(b"Content-Type", CONTENT_TYPE)])
            return
        status, said = 200, dict[str, Any]()
        if request.path == "/health/ready":
            said = {"reason": why} if (why := self.ready()) else {}
            if not said and "deep=1" in request.target.partition("?")[2].split("&"):
                said = dict(await self.deep())
            status = 503 if said else 200
        body = json.dumps({"status": "ok" if status == 200 else "unavailable", **said}).encode()
        await reply.whole(status, body, [JSON])
