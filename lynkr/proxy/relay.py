"""The answer's way back: every chunk goes to the client as it came, then to whoever listens.

The head waits for the first chunk, so that a lane which says 200 and then hangs up can still be answered for with an
error that has a status. After that the only thing of ours that can follow is an error event, where the stream stands
between two events, or nothing: the connection then ends as the lane's did.
"""

from __future__ import annotations

from collections.abc import Callable

from lynkr.framing.http1 import Headers
from lynkr.proxy.ear import Ear
from lynkr.proxy.server import Reply
from lynkr.upstream.auth import connection_headers
from lynkr.upstream.client import Answer


async def relay(answer: Answer, reply: Reply, ear: Ear | None, added: Headers, first: Callable[[], None]) -> None:
    """Relays `answer`; `added` are headers of ours, `first` is called at the first byte of the body.

    Raises UpstreamError where the lane stops before the end.
    """
    ends_here = connection_headers(answer.named)
    if b"transfer-encoding" in answer.named:
        ends_here |= {b"content-length"}  # it does not count then (RFC 9112, section 6.3)
    headers = [(name, value) for name, value in answer.headers if name.lower() not in ends_here] + added
    if reply.connection.asked_for_head:
        # Nothing may follow. Not reading on makes the transport give the connection up: some servers send a body all
        # the same, and the next request on it would get that for an answer.
        await reply.whole_head(answer.status, headers, answer.head.reason)
        return

    def take(chunk: bytes) -> bool:
        if not reply.started:
            first()
            reply.start(answer.status, headers, answer.head.reason)
        enough = reply.put(chunk)
        if ear is not None:
            ear.hear(chunk)
        return enough

    await answer.pour(take, reply.drained)
    if not reply.started:
        reply.start(answer.status, headers, answer.head.reason)
    await reply.end()


async def give_up(reply: Reply, ear: Ear | None, event: bytes, after_broken: bytes | None) -> None:
    """Ends an answer that was cut after its head: with `event` where it can still be said, else as the lane did."""
    closing = ear.closing(event, after_broken) if ear is not None else None
    if closing is None or reply.sized:
        return
    await reply.send(closing)
    await reply.end()
