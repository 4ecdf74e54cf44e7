"""Which headers travel on.

Everything the client sent, in its order and spelling, except: what belongs to the connection (RFC 9110, section 7.6.1),
the session's secret, and, on a lane with its own key, every credential of the client's. `accept-encoding` is narrowed
to `identity` where the answer is metered: a compressor in the way holds events back, and the figures must be readable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import anyio.to_thread

from lynkr.formats import CREDENTIAL_HEADERS
from lynkr.framing.http1 import Headers, tokens
from lynkr.lane import Auth, Format, Lane
from lynkr.secrets import Key
from lynkr.upstream.catalog import Address, Way
from lynkr.upstream.clouds import Login

# `host` and `content-length` are written anew for the next hop; the others end here.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
_WRITTEN_ANEW = frozenset((b"host", b"content-length", b"expect"))
# Gateways have names of their own for what lets one in.
_LIKE_CREDENTIALS = re.compile(rb"(?:^|-)(?:auth|authorization|token|api-?key|subscription-key|secret|cookie)(?:-|$)")
_CREDENTIALS = frozenset(name.encode() for name in CREDENTIAL_HEADERS)


def is_credential(name: str) -> bool:
    """Whether a header of that lower-case name may say who somebody is."""
    return _lets_in(name.encode())


@lru_cache(maxsize=512)
def _lets_in(name: bytes) -> bool:
    return name in _CREDENTIALS or _LIKE_CREDENTIALS.search(name) is not None


def connection_headers(named: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """The lower-case names of the headers that belong to this connection only; `named` are all, by lower-case name."""
    return _ending_here(named.get(b"connection"), named.get(b"proxy-connection"))


@lru_cache(maxsize=64)
def _ending_here(*said: bytes | None) -> frozenset[bytes]:
    return _HOP_BY_HOP.union(*map(tokens, said))


def outgoing(
    headers: Headers,
    named: Mapping[bytes, bytes],
    lane: Lane,
    credential: Headers,
    *,
    host: str,
    length: int | None,
    metered: bool,
) -> Headers:
    """The headers of the request to the lane; `named` are the client's by lower-case name, `length` is the body's, None
    where there is no body."""
    drop = connection_headers(named) | _WRITTEN_ANEW
    if lane.headers:
        drop |= {name.lower().encode() for name in lane.headers}
    if lane.auth is not Auth.CLIENT:
        drop |= set(filter(_lets_in, named))
    sent: Headers = [(b"Host", host.encode())]
    for field in headers:
        key = field[0].lower()
        if key not in drop:
            sent.append((field[0], b"identity") if metered and key == b"accept-encoding" else field)
    sent += [(name.encode(), value.encode()) for name, value in lane.headers.items()]
    sent += credential
    if length is not None:
        sent.append((b"Content-Length", b"%d" % length))
    return sent


async def credential(
    held: Key | Login | None, there: Way, spoken: Format | None, method: str, where: Address, body: bytes
) -> Headers:
    """The headers that carry a lane's own credential; none where it has none. Raises UpstreamError."""
    if held is None:
        return []
    if isinstance(held, Key):
        return key_headers(held, there, spoken)
    # It may have to ask its cloud for a new token, and signs a large body for a millisecond.
    return await anyio.to_thread.run_sync(held.headers, method, where.url, body, there, abandon_on_cancel=True)


def key_headers(key: Key, there: Way, spoken: Format | None) -> Headers:
    """A key in the headers that this endpoint wants it in."""
    names = there.carries or (_CARRIED.get(spoken or there.formats[0], "authorization"),)
    return [(name.title().encode(), (_SCHEMES.get(name, "") + key.reveal()).encode()) for name in names]


_CARRIED = {Format.ANTHROPIC: "x-api-key", Format.GEMINI: "x-goog-api-key"}
_SCHEMES = {"authorization": "Bearer "}
