"""Why a lane could not be reached or broke off, as sentences that name the lane and the way out."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Literal

from lynkr.errors import UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.catalog import Address, is_loopback
from lynkr.upstream.providers import OWN_HOSTS

# How far it got: `connect` and `connect_time` before there was a connection, `proxy` on the way to one, `send` where
# what was to be sent is no HTTP, `time` where an answer or its next bytes took too long, `malformed` where what came
# was none, `closed` where nothing more came.
Stage = Literal["connect", "connect_time", "proxy", "send", "time", "malformed", "closed"]


class Failure(Exception):
    """An exchange that came to nothing. Its causes are chained."""

    def __init__(self, stage: Stage, what: str = "") -> None:
        super().__init__(what)
        self.stage = stage


def explain(error: Failure, lane: Lane, where: Address, proxy: str | None = None) -> UpstreamError:
    """What went wrong before the answer began."""
    name, host, stage = f"lane '{lane.name}'", where.authority, error.stage
    if proxy is not None and stage in ("connect", "connect_time", "proxy"):
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
    if stage == "connect_time":
        return _failed(f"{name}: {host} did not accept a connection in time; is this machine online?", 504, retry=True)
    if stage == "time":
        way = "raise timeout_s in the profile if it needs longer"
        return _failed(f"{name}: {host} did not answer in time; {way}", 504, retry=True)
    if any(getattr(c, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH) for c in causes):
        return _failed(f"{name}: there is no way to {host}; is this machine online?", retry=True)
    if stage == "send":
        # What is wrong with it is not repeated: it may be a header that holds a key.
        return _failed(f"{name}: the request cannot be sent on as HTTP; check the lane's headers", 400)
    if stage in ("connect", "proxy"):
        return _failed(f"{name}: {host} cannot be reached ({error}); check the lane's base_url", retry=True)
    if stage == "malformed":
        return _failed(f"{name}: {host} answered with something that is not HTTP ({error}); check the lane's base_url")
    sentence = f"lynkr: {name}: {host} closed the connection before it answered; try again"
    return UpstreamError(sentence, kind="upstream_no_answer", retry=True)


def cut(error: Failure, lane: Lane) -> UpstreamError:
    """What went wrong in the middle of an answer."""
    if error.stage == "time":
        what = f"sent nothing for {lane.timeout_s:g} s; raise timeout_s in the profile if it needs longer"
    elif error.stage == "malformed":
        what = f"sent what is not HTTP ({error}); try again, and check the lane's base_url if it stays so"
    else:
        what = "stopped in the middle of its answer; try again"
    return UpstreamError(f"lynkr: lane '{lane.name}' {what}", kind="upstream_cut", retry=True)


def _failed(sentence: str, status: int = 502, *, retry: bool = False) -> UpstreamError:
    return UpstreamError(f"lynkr: {sentence}", status=status, retry=retry)


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
