"""How much fits into a model that only its own server knows the size of: Ollama's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lynkr.lane import Format, Lane
from lynkr.proxy.interpret import ERROR_LIMIT, whole_body
from lynkr.secrets import Key
from lynkr.upstream import ollama
from lynkr.upstream.auth import credential
from lynkr.upstream.catalog import address, base_url, way
from lynkr.upstream.client import Upstreams
from lynkr.upstream.clouds import Login


@dataclass(slots=True)
class Sizes:
    """What the servers of one session said, by lane."""

    upstreams: Upstreams
    keys: Mapping[str, Key | Login | None]
    _said: dict[str, int] = field(default_factory=dict)

    async def __call__(self, lane: Lane) -> Lane:
        """The lane with the size of its context, where that has to be said and only its server knows it."""
        if Format.OLLAMA not in lane.formats or lane.context is not None or lane.model is None:
            return lane
        if known := self._said.get(lane.name):
            return lane._replace(context=known)
        base = base_url(lane, Format.OLLAMA, {}, {})

        async def fetch(path: str, body: bytes | None) -> bytes:
            where = address(lane, Format.OLLAMA, base, path)
            held = self.keys.get(lane.name)
            method = "GET" if body is None else "POST"
            own = await credential(held, way(lane, Format.OLLAMA), Format.OLLAMA, method, where, body or b"")
            headers = [(b"Host", where.authority.encode()), (b"Content-Length", str(len(body or b"")).encode()), *own]
            answer = await self.upstreams.open(lane, where, method, headers, body)
            try:
                return await whole_body(answer, ERROR_LIMIT) if answer.status == 200 else b""
            finally:
                await answer.aclose()

        if size := await ollama.context(lane.model, fetch):
            # Once a session: what was said of the size must not change between turns.
            size = self._said.setdefault(lane.name, size)
        return lane._replace(context=size)
