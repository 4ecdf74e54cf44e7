"""Opening a lane: the one place through which a tool's requests reach providers.

The user's HTTP(S)_PROXY, ALL_PROXY and NO_PROXY count, never for loopback; trust comes from the system's store,
SSL_CERT_FILE and SSL_CERT_DIR (OpenSSL reads them itself), and NODE_EXTRA_CA_CERTS, because that is what the tools
behind us would have trusted.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.request import getproxies, proxy_bypass

from lynkr.errors import ConfigError
from lynkr.framing.http1 import Form, Headers, ResponseHead, request_form
from lynkr.lane import Lane
from lynkr.upstream.catalog import Address, Origin, is_loopback
from lynkr.upstream.failure import Failure, cut, explain
from lynkr.upstream.wire import CORKED, Take, Wire, Wires

if TYPE_CHECKING:
    from lynkr.upstream.proxied import Tunnel

# For a connection only. How long to wait for an answer is the client's to decide, as it is without us: when it has had
# enough it hangs up, and that ends the request here too. A lane's `timeout_s` is a limit that the user has asked for.
CONNECT_TIMEOUT_S = 20.0


class Source(Protocol):
    """Where an answer's body comes from; see Wire."""

    async def next(self) -> bytes: ...

    async def pour(self, take: Take, drained: Callable[[], Awaitable[None]]) -> None: ...

    async def aclose(self) -> None: ...


@dataclass(slots=True)
class Answer:
    """An answer whose head has arrived. Its body comes undecoded; close it whatever happens."""

    head: ResponseHead
    lane: Lane
    source: Source
    # What somebody has read who looked at the beginning.
    ahead: deque[bytes] = field(default_factory=deque)

    @property
    def status(self) -> int:
        """The answer's status."""
        return self.head.status

    @property
    def headers(self) -> Headers:
        """The answer's headers, as they came."""
        return self.head.headers

    @property
    def named(self) -> Mapping[bytes, bytes]:
        """The answer's headers by lower-case name."""
        return self.head.named

    async def next(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises UpstreamError where they stop before that."""
        if self.ahead:
            return self.ahead.popleft()
        try:
            return await self.source.next()
        except Failure as failure:
            raise cut(failure, self.lane) from failure

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come. Raises UpstreamError as `next` does."""
        while chunk := await self.next():
            yield chunk

    async def pour(self, take: Take, drained: Callable[[], Awaitable[None]]) -> None:
        """Gives all bytes to `take` as they come; where that says that it is enough, `drained` says when to go on.
        Raises UpstreamError as `next` does, and what `take` raises."""
        while self.ahead:
            if take(self.ahead.popleft()):
                await drained()
        try:
            await self.source.pour(take, drained)
        except Failure as failure:
            raise cut(failure, self.lane) from failure

    async def aclose(self) -> None:
        """Gives the connection back, or closes it where the body was not read to its end; also for who is cancelled."""
        await self.source.aclose()


class Departed(NamedTuple):
    """A request on its way. `way` is the connection that it left by, or what sends it by a proxy."""

    lane: Lane
    where: Address
    way: Wire | Callable[[], Awaitable[tuple[ResponseHead, Source]]]


class Upstreams:
    """The connections of one session, direct and by the proxy that they go through."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._proxies = getproxies()
        self._wires = Wires(self._trust)
        self._tunnels: dict[str, Tunnel] = {}
        # Kept, because to find it may take looking a name up, and there are only ever a few.
        self._ways: dict[Origin, str | None] = {}
        self._tls: ssl.SSLContext | None = None

    def post(self, lane: Lane, where: Address, method: str, head: bytes, body: bytes) -> Wire | None:
        """Sends a request whose head is written at once; None where that takes a new connection, or a proxy."""
        if len(body) > CORKED or self._proxy(where) is not None or (wire := self._wires.at_rest(where.origin)) is None:
            return None
        wire.post(method.encode(), head, body, lane.timeout_s)
        return wire

    async def send(self, lane: Lane, where: Address, method: str, headers: Headers, body: bytes | None) -> Departed:
        """Sends a request down `lane`; through a proxy it leaves when its answer is asked for. Raises UpstreamError."""
        proxy = self._proxy(where)
        try:
            if proxy is not None:
                ask = self._tunnel(proxy).ask
                way = partial(ask, where, method, headers, body or b"", lane.timeout_s, _connect_s(lane))
                return Departed(lane, where, way)
            wire = await self._wires.open(where, _connect_s(lane))
            try:
                await wire.send(method.encode(), _target(where), headers, body or b"", lane.timeout_s)
            except BaseException:
                wire.abort()
                raise
        except Failure as failure:
            raise explain(failure, lane, where, proxy) from failure
        return Departed(lane, where, wire)

    async def answer(self, departed: Departed) -> Answer:
        """Waits for the head of the answer to what has been sent. Raises UpstreamError."""
        lane, way = departed.lane, departed.way
        source: Source
        try:
            if isinstance(way, Wire):
                source = way
                try:
                    head = await way.answer()
                except BaseException:
                    way.abort()
                    raise
            else:
                head, source = await way()
        except Failure as failure:
            raise explain(failure, lane, departed.where, self._proxy(departed.where)) from failure
        return Answer(head, lane, source)

    async def open(self, lane: Lane, where: Address, method: str, headers: Headers, body: bytes | None) -> Answer:
        """Sends a request down `lane` and waits for the head of its answer. Raises UpstreamError."""
        return await self.answer(await self.send(lane, where, method, headers, body))

    def _proxy(self, where: Address) -> str | None:
        if where.origin not in self._ways:
            self._ways[where.origin] = proxy_for(where, self._proxies)
        return self._ways[where.origin]

    def _tunnel(self, proxy: str) -> Tunnel:
        if proxy not in self._tunnels:
            from lynkr.upstream.proxied import Tunnel

            self._tunnels[proxy] = Tunnel(proxy, self._trust())
        return self._tunnels[proxy]

    def _trust(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trust(self._environ)
        return self._tls

    async def aclose(self) -> None:
        """Closes every connection."""
        self._wires.close()
        for tunnel in self._tunnels.values():
            await tunnel.aclose()


def form(where: Address, method: str, headers: Headers, free: Collection[bytes]) -> Form:
    """The head of requests to post; see `request_form`. Raises MalformedHTTP."""
    return request_form(method.encode(), _target(where), headers, free)


def _target(where: Address) -> bytes:
    return where.target.encode("ascii", "surrogateescape")


def _connect_s(lane: Lane) -> float:
    return min(CONNECT_TIMEOUT_S, lane.timeout_s or CONNECT_TIMEOUT_S)


def proxy_for(where: Address, proxies: Mapping[str, str]) -> str | None:
    """The proxy by which an address is reached, of the user's `proxies` by scheme; None where there is none."""
    if is_loopback(where.host) or proxy_bypass(where.host):
        return None
    proxy = proxies.get(where.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Whom we believe to be who they say they are."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not (environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR")):
        import certifi

        context.load_verify_locations(certifi.where())
    extra = environ.get("NODE_EXTRA_CA_CERTS")
    # Node goes on without a file that is not there; so do we.
    if extra and Path(extra).is_file():
        try:
            context.load_verify_locations(extra)
        except ssl.SSLError as error:
            raise ConfigError(f"NODE_EXTRA_CA_CERTS={extra} holds no certificate that can be read: {error}") from error
    return context
