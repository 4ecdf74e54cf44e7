"""The way out through the user's own proxy, by httpx's transport, which knows tunnels, their logins and their TLS.

The transport is used without httpx's client around it: a client adds headers of its own, keeps cookies and decodes
bodies, and none of that may happen here. Imported by those who have a proxy in their environment.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import httpx

from lynkr.errors import UpstreamError
from lynkr.framing.http1 import Headers, ResponseHead, indexed
from lynkr.upstream.catalog import Address
from lynkr.upstream.failure import Failure, Stage
from lynkr.upstream.wire import KEEPALIVE_S, Take

# In the order in which they are looked for: the first is what it is.
_STAGES: tuple[tuple[type[httpx.TransportError], Stage], ...] = (
    (httpx.ProxyError, "proxy"),
    (httpx.ConnectTimeout, "connect_time"),
    (httpx.ConnectError, "connect"),
    (httpx.TimeoutException, "time"),
    (httpx.LocalProtocolError, "send"),
)


class _ExactURL(httpx.URL):
    """A URL whose path and query go out as they came: httpx would quote some characters and leave others.

    httpcore's extension `target` does not serve: it would also become the target of a proxy's CONNECT.
    """

    def __init__(self, where: Address) -> None:
        super().__init__(scheme=where.scheme, host=where.host, port=where.port)
        self._target = where.target.encode("ascii", "surrogateescape")

    @property
    def raw_path(self) -> bytes:
        return self._target


class Tunnel:
    """All that goes through one proxy. Raises UpstreamError where that cannot be one."""

    def __init__(self, proxy: str, tls: ssl.SSLContext) -> None:
        try:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=KEEPALIVE_S)
            self._transport = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=limits)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise UpstreamError(f"lynkr: the proxy in your environment cannot be used: {error}") from error

    async def ask(
        self, where: Address, method: str, headers: Headers, body: bytes, limit: float | None, connect_s: float
    ) -> tuple[ResponseHead, Tunnelled]:
        """Sends a request and waits for the head of its answer. Raises Failure."""
        timeout = {"connect": connect_s, "read": limit, "write": limit}
        url, stream = _ExactURL(where), httpx.ByteStream(body)
        request = httpx.Request(method, url, headers=headers, stream=stream, extensions={"timeout": timeout})
        request.url = url  # the constructor makes a plain URL of it
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError as error:
            raise failure(error) from error
        reason = response.extensions.get("reason_phrase", b"")
        came = response.headers.raw
        return ResponseHead(response.status_code, reason, came, indexed(came), 1), Tunnelled(response)

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._transport.aclose()


class Tunnelled:
    """An answer that comes through a proxy."""

    def __init__(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._response = response
        self._chunks: AsyncIterator[bytes] = aiter(response.stream)

    async def next(self) -> bytes:
        """See Wire.next."""
        try:
            return await anext(self._chunks, b"")
        except httpx.TransportError as error:
            raise failure(error) from error

    async def pour(self, take: Take, drained: Callable[[], Awaitable[None]]) -> None:
        """See Wire.pour."""
        while data := await self.next():
            if take(data):
                await drained()

    async def aclose(self) -> None:
        """See Answer.aclose."""
        with anyio.CancelScope(shield=True):
            await self._response.aclose()


def failure(error: httpx.TransportError) -> Failure:
    """What an error of httpx's means here; the error is its cause."""
    stage = next((stage for kind, stage in _STAGES if isinstance(error, kind)), None)
    if stage is None:
        odd = isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error)
        stage = "malformed" if odd else "closed"
    found = Failure(stage, str(error))
    found.__cause__ = error
    return found
