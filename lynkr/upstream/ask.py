"""One question to a provider, asked by lynkr itself and not for a tool: is this key good, which models are there.

Small, whole and bounded in time; what a tool says travels through `client`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import httpx

from lynkr.errors import UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.catalog import Address
from lynkr.upstream.client import proxy_for, trust
from lynkr.upstream.failure import explain
from lynkr.upstream.proxied import failure

_MOST = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body's object; empty where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def ask(
    lane: Lane,
    where: Address,
    method: str,
    headers: list[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    environ: Mapping[str, str],
    timeout_s: float = 20.0,
) -> Told:
    """Asks, and waits for the whole answer. Raises UpstreamError where there is none."""
    proxy, secure = proxy_for(where, getproxies()), where.scheme == "https"
    try:
        with (
            httpx.Client(
                verify=trust(environ) if secure else False, proxy=proxy, trust_env=False, timeout=timeout_s
            ) as client,
            client.stream(method, where.url, headers=headers, content=body) as answer,
        ):
            parts, size = list[bytes](), 0
            for chunk in answer.iter_bytes():
                parts.append(chunk)
                size += len(chunk)
                if size > _MOST:
                    break
            named = {name.lower(): value for name, value in answer.headers.items()}
            return Told(answer.status_code, named, b"".join(parts))
    except httpx.TransportError as error:
        raise explain(failure(error), lane, where, proxy) from error
    except httpx.DecodingError as error:
        raise UpstreamError(
            f"lynkr: lane '{lane.name}': {where.authority} sent what cannot be read ({error})"
        ) from error
