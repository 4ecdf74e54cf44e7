"""The answer's way back: every chunk goes to the client as it came, then to whoever listens.

The head waits for the first chunk, so that a lane which says 200 and then hangs up can still be answered for with an
error that has a status. After that the only thing of ours that can follow is an error event, where the stream stands
between two events, or nothing: the connection then ends as the lane's did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lynkr.framing.http1 import Headers, ResponseHead
from lynkr.proxy.ear import Ear
from lynkr.proxy.message import Reply
from lynkr.upstream.auth import connection_headers
from lynkr.upstream.client import Answer


@dataclass(slots=True)
class Relay:
    """One answer on its way to a client: its `head` with the headers that are `added`, then what `take` is given, then
    `rest`. `first` is called at the first byte of the body; `ear` hears what passes by."""

    reply: Reply
    head: ResponseHead
    added: Headers
    first: Callable[[], None]
    ear: Ear | None

    def take(self, chunk: bytes) -> bool:
        """Passes bytes of the body on; whether the client has enough for now. Raises ClientGone."""
        if not self.reply.started:
            self.first()
            self._start()
        enough = self.reply.put(chunk)
        if self.ear is not None:
            self.ear.hear(chunk)
        return enough

    async def rest(self, answer: Answer) -> None:
        """Passes on what is missing yet, to the end. Raises UpstreamError where the lane stops before that."""
        if self.reply.connection.asked_for_head:
            # Nothing may follow. Not reading on makes the transport give the connection up: some servers send a body
            # all the same, and the next request on it would get that for an answer.
            self.end()
            return
        await answer.pour(self.take, self.reply.drained)
        self.end()

    def end(self) -> None:
        """Completes the answer. Raises ClientGone."""
        if not self.reply.started:
            self._start()
        self.reply.end()

    def _start(self) -> None:
        named = self.head.named
        ends_here = connection_headers(named)
        if b"transfer-encoding" in named:
            ends_here |= {b"content-length"}  # it does not count then (RFC 9112, section 6.3)
        headers = [field for field in self.head.headers if field[0].lower() not in ends_here]
        self.reply.start(self.head.status, headers + self.added, self.head.reason)


async def give_up(reply: Reply, ear: Ear | None, event: bytes, after_broken: bytes | None) -> None:
    """Ends an answer that was cut after its head: with `event` where it can still be said, else as the lane did."""
    closing = ear.closing(event, after_broken) if ear is not None else None
    if closing is None or reply.sized:
        return
    await reply.send(closing)
    reply.end()
