"""Opening a lane: the one place that talks to providers, through httpx's transport.

The transport is used without httpx's client around it: a client adds headers of its own, keeps cookies and decodes
bodies, and none of that may happen here. Connections are kept and reused. The user's HTTP(S)_PROXY, ALL_PROXY and
NO_PROXY count, never for loopback; trust comes from the system's store, SSL_CERT_FILE and SSL_CERT_DIR (OpenSSL reads
them itself), and NODE_EXTRA_CA_CERTS, because that is what the tools behind us would have trusted.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import certifi
import httpcore
import httpx

from lynkr.errors import ConfigError, UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.auth import Headers
from lynkr.upstream.catalog import Address
from lynkr.upstream.providers import OWN_HOSTS

# For a connection only. How long to wait for an answer is the client's to decide, as it is without us: when it has had
# enough it hangs up, and that ends the request here too. A lane's `timeout_s` is a limit that the user has asked for.
CONNECT_TIMEOUT_S = 20.0
# Coding tools pause 25 s between requests on average; common servers keep an idle connection for 60 s and more.
KEEPALIVE_S = 45.0
# More than this is sent at once: to copy a large body would cost more than the system call that it saves.
_CORKED = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose head has arrived. `chunks` yields its body as it comes; close it whatever happens."""

    status: int
    reason: bytes
    headers: Headers
    response: httpx.Response
    lane: Lane
    # The body, where somebody has begun to read it.
    read: AsyncIterator[bytes] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they come, undecoded. Raises UpstreamError where they stop before the end."""
        if self.read is not None:
            async for chunk in self.read:
                yield chunk
            return
        assert isinstance(self.response.stream, httpx.AsyncByteStream)
        try:
            async for chunk in self.response.stream:
                yield chunk
        except httpx.TransportError as error:
            raise _cut(error, self.lane) from error

    async def aclose(self) -> None:
        """Gives the connection back, or closes it where the body was not read to its end."""
        await self.response.aclose()


class _ExactURL(httpx.URL):
    """A URL whose path and query go out as they came: httpx would quote some characters and leave others.

    httpcore's extension `target` does not serve: it would also become the target of a proxy's CONNECT.
    """

    def __init__(self, host: httpx.URL, target: str) -> None:
        super().__init__(host)
        self._target = target.encode("ascii", "surrogateescape")

    @property
    def raw_path(self) -> bytes:
        return self._target


class _Corked(httpcore.AsyncNetworkStream):
    """A connection that sends what was written when an answer is wanted: head and body of a request in one go.

    httpcore writes them apart, which costs a system call and a turn of the event loop before the provider can begin.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._held = b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        self._held = self._held + buffer if self._held else buffer
        if len(self._held) > _CORKED:
            await self._flush(timeout)

    async def _flush(self, seconds: float | None) -> None:
        held, self._held = self._held, b""
        if held:
            await self._stream.write(held, seconds)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        await self._flush(timeout)
        return await self._stream.read(max_bytes, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        await self._flush(timeout)
        return _Corked(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.AnyIOBackend):
    """httpcore's own way to the network, corked."""

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return _Corked(await super().connect_tcp(*args, **kwargs))


class Upstreams:
    """The connections of one session, by the proxy that they go through."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._proxies = getproxies()
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}
        self._ways: dict[tuple[str, str, int | None], tuple[httpx.URL, httpx.AsyncHTTPTransport]] = {}
        self._tls: ssl.SSLContext | None = None

    async def open(self, lane: Lane, where: Address, method: str, headers: Headers, body: bytes | None) -> Answer:
        """Sends a request down `lane` and waits for the head of its answer. Raises UpstreamError."""
        limit = lane.timeout_s
        timeout = {"connect": min(CONNECT_TIMEOUT_S, limit or CONNECT_TIMEOUT_S), "read": limit, "write": limit}
        host, transport = self._way(where)
        url = _ExactURL(host, where.target)
        request = httpx.Request(
            method, url, headers=headers, stream=httpx.ByteStream(body or b""), extensions={"timeout": timeout}
        )
        request.url = url  # the constructor makes a plain URL of it
        try:
            response = await transport.handle_async_request(request)
        except httpx.TransportError as error:
            raise explain(error, lane, where, self._proxy(where)) from error
        reason = response.extensions.get("reason_phrase", b"")
        return Answer(response.status_code, reason, response.headers.raw, response, lane)

    def _way(self, where: Address) -> tuple[httpx.URL, httpx.AsyncHTTPTransport]:
        # Kept, because finding it costs as much as reading a small body, and there are only ever a few.
        key = (where.scheme, where.host, where.port)
        if key not in self._ways:
            url = httpx.URL(scheme=where.scheme, host=where.host, port=where.port)
            self._ways[key] = (url, self._transport(where))
        return self._ways[key]

    def _transport(self, where: Address) -> httpx.AsyncHTTPTransport:
        proxy = self._proxy(where)
        if proxy not in self._transports:
            try:
                transport = self._transports[proxy] = httpx.AsyncHTTPTransport(
                    verify=self._trust(),
                    proxy=proxy,
                    limits=httpx.Limits(
                        max_connections=None, max_keepalive_connections=64, keepalive_expiry=KEEPALIVE_S
                    ),
                )
            except (ImportError, ValueError, httpx.InvalidURL) as error:
                raise UpstreamError(f"lynkr: the proxy in your environment cannot be used: {error}") from error
            # httpx has no parameter for it; tests/upstream/test_client.py sees it if a release does not heed this.
            transport._pool._network_backend = _Network()
        return self._transports[proxy]

    def _proxy(self, where: Address) -> str | None:
        if is_loopback(where.host) or proxy_bypass(where.host):
            return None
        proxy = self._proxies.get(where.scheme) or self._proxies.get("all")
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"

    def _trust(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trust(self._environ)
        return self._tls

    def warm(self, bases: list[str]) -> None:
        """Does ahead what the first request over TLS would wait for: reading some 150 root certificates."""
        if any(base.startswith("https:") for base in bases):
            self._trust()

    async def aclose(self) -> None:
        """Closes every connection."""
        for transport in self._transports.values():
            await transport.aclose()


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Whom we believe to be who they say they are."""
    context = ssl.create_default_context()
    if not (environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR")):
        context.load_verify_locations(certifi.where())
    extra = environ.get("NODE_EXTRA_CA_CERTS")
    # Node goes on without a file that is not there; so do we.
    if extra and Path(extra).is_file():
        try:
            context.load_verify_locations(extra)
        except ssl.SSLError as error:
            raise ConfigError(f"NODE_EXTRA_CA_CERTS={extra} holds no certificate that can be read: {error}") from error
    return context


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def explain(error: httpx.TransportError, lane: Lane, where: Address, proxy: str | None = None) -> UpstreamError:
    """What went wrong before the answer began, in a sentence that names the lane and the way out."""
    name, host = f"lane '{lane.name}'", where.authority
    if proxy is not None and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        # Without what may stand before the @: a name and a password.
        there = proxy.rpartition("@")[2].rpartition("//")[2]
        return _failed(f"{name}: no way to {host} through the proxy {there} of your environment ({error})", retry=True)
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "if a proxy of your company stands between, point SSL_CERT_FILE or NODE_EXTRA_CA_CERTS at its CA"
            return _failed(f"{name}: {host} shows a certificate that is not trusted ({cause.verify_message}); {hint}")
        if isinstance(cause, ssl.SSLError):
            way = "check the port and https:// in its base_url"
            return _failed(f"{name}: no TLS with {host} ({cause.reason or cause}); {way}")
        if isinstance(cause, socket.gaierror):
            unknown = cause.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
            # A provider's own name is no typing mistake: then it is the network that is away, maybe for a moment.
            if unknown and where.host not in OWN_HOSTS:
                return _failed(f"{name}: there is no host {where.host!r}; check the base_url of the lane")
            return _failed(f"{name}: {where.host} cannot be looked up; is this machine online?", retry=True)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        way = "start the server there" if is_loopback(where.host) else "check the base_url of the lane"
        return _failed(f"{name}: nothing listens at {host} (connection refused); {way}")
    if isinstance(error, httpx.ConnectTimeout):
        return _failed(f"{name}: {host} did not accept a connection in time; is this machine online?", 504, retry=True)
    if isinstance(error, httpx.TimeoutException):
        way = "raise timeout_s in the profile if it needs longer"
        return _failed(f"{name}: {host} did not answer in time; {way}", 504, retry=True)
    if any(getattr(c, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH) for c in causes):
        return _failed(f"{name}: there is no way to {host}; is this machine online?", retry=True)
    if isinstance(error, httpx.LocalProtocolError):
        # What is wrong with it is not repeated: it may be a header that holds a key.
        return _failed(f"{name}: the request cannot be sent on as HTTP; check the lane's headers", 400)
    if isinstance(error, httpx.ConnectError):
        return _failed(f"{name}: {host} cannot be reached ({error}); check the lane's base_url", retry=True)
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
        return _failed(f"{name}: {host} answered with something that is not HTTP ({error}); check the lane's base_url")
    sentence = f"lynkr: {name}: {host} closed the connection before it answered; try again"
    return UpstreamError(sentence, kind="upstream_no_answer", retry=True)


def _failed(sentence: str, status: int = 502, *, retry: bool = False) -> UpstreamError:
    return UpstreamError(f"lynkr: {sentence}", status=status, retry=retry)


def _cut(error: httpx.TransportError, lane: Lane) -> UpstreamError:
    if isinstance(error, httpx.TimeoutException):
        what = f"sent nothing for {lane.timeout_s:g} s; raise timeout_s in the profile if it needs longer"
    else:
        what = "stopped in the middle of its answer; try again"
    return UpstreamError(f"lynkr: lane '{lane.name}' {what}", kind="upstream_cut", retry=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that led to it, groups opened."""
    seen: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack:
        current = stack.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        stack += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            stack += current.exceptions
