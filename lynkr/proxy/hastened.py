"""The case of a request that left ahead.

Where all goes well nobody wakes for it: it ends in the call that brings the end of its answer. A task serves it only
where there is something to wait for, or to tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lynkr import formats
from lynkr.framing.http1 import ResponseHead
from lynkr.ledger.row import Row
from lynkr.proxy.ahead import Ahead
from lynkr.proxy.case import Case
from lynkr.proxy.message import News
from lynkr.proxy.planning import Placed, asked_model
from lynkr.proxy.relay import Relay
from lynkr.upstream.client import Departed
from lynkr.upstream.wire import Take


@dataclass(slots=True)
class Hastened(Case):
    """One request that left ahead."""

    ahead: Ahead = field(init=False)
    relay: Relay | None = field(init=False, default=None)

    def leave(self, ahead: Ahead, news: News) -> None:
        """Notes that it is on its way; `news` is told once how it goes on."""
        self.ahead, self.match = ahead, ahead.course.match
        self.telling.codec = formats.CODECS[self.match.format]
        self._take(ahead.course.plan.routes[0])
        self.telling.sent = True
        ahead.wire.meet(self._answered, lambda: news(self._end()))

    def _answered(self, head: ResponseHead) -> Take:
        """The answer has begun: it goes to the client as it comes."""
        self.telling.note(status=head.status)
        self.relay = self._relaying(head)
        return self.relay.take

    def _end(self) -> bool:
        """Ends it, if the answer has come to its end and the client takes another; whether it is over."""
        wire = self.ahead.wire
        if self.relay is None or not wire.ended or self.reply.connection.is_last:
            return False
        try:
            self.relay.end()
        except Exception:  # noqa: BLE001 - the client has gone, or a fault: the task meets the same
            return False
        wire.free()
        try:
            self._well(self.ahead.course.lane)
            self._close()
        except Exception as error:  # noqa: BLE001 - the client has its answer
            self.common.fault(error)
        return True

    async def _serve(self) -> None:
        lane = self.ahead.course.lane
        answer = await self.common.upstreams.answer(Departed(lane, self.ahead.course.where, self.ahead.wire))
        assert self.relay is not None
        try:
            await self.relay.rest(answer)
        finally:
            await answer.aclose()
        self._well(lane)

    def _finished(self) -> Row:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - there is a row in any case
            self.common.fault(error)
        return Case._finished(self)

    def _read(self) -> None:
        """Reads the request, now that all is over."""
        inbound, self.size = self._inbound(self.ahead.body), len(self.ahead.body)
        self.placed, model = Placed(self.ahead.course.plan, inbound), asked_model(inbound)
        self.telling.note(format=self.ahead.course.match.format, asked_model=model, model=model)
