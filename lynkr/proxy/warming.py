"""Keeps a conversation's prompt cache from running out while its user thinks, where that pays.

Anthropic's entries live for five minutes after their last use, and a request with `max_tokens: 0` uses them without
asking for an answer. Reading costs a small part of writing, so some of those are cheaper than writing all of it once
more when the user comes back: as many as (write − read) / read. Off unless the profile says how many a pause may cost;
never with the tool's own login, whose plan is nobody's to spend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import anyio

from lynkr.document import Document, MalformedDocument
from lynkr.errors import UpstreamError
from lynkr.formats import CODECS
from lynkr.framing.http1 import Headers
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Meter
from lynkr.ledger.row import Row
from lynkr.proxy.interpret import LIMIT, whole_body
from lynkr.upstream.catalog import Address
from lynkr.upstream.client import Upstreams

# An entry lives for 300 s; its refresh must arrive before.
PAUSE_S = 270.0
# A smaller prompt is not worth it.
_LEAST_TOKENS = 8_000


class Sent(NamedTuple):
    """A request as it left for a lane."""

    lane: Lane
    where: Address
    headers: Headers
    body: bytes
    model: str


@dataclass(slots=True)
class Warming:
    """One session's latest conversation. `most` refreshes a pause; `tell` takes their rows."""

    most: int
    upstreams: Upstreams
    meter: Meter
    tell: Callable[[Row], None]
    new_id: Callable[[], str]
    now: Callable[[], str]
    spent: Callable[[], bool] = lambda: False
    pause_s: float = PAUSE_S
    _sent: Sent | None = None
    _news: anyio.Event = field(default_factory=anyio.Event)

    def note(self, sent: Sent, spoken: Format | None, prompt: int) -> None:
        """A request was answered, with a prompt of so many tokens: from now on there is something to keep."""
        worth = self.most > 0 and spoken is Format.ANTHROPIC and sent.lane.auth is Auth.KEY
        if (
            worth
            and prompt >= _LEAST_TOKENS
            and b'"cache_control"' in sent.body
            and b'"budget_tokens"' not in sent.body
        ):
            self._sent = sent
            self._news.set()

    async def run(self) -> None:
        """Refreshes what was noted last, for as long as the session lasts."""
        while True:
            await self._news.wait()
            for before in range(self.most):
                if before and self._news.is_set():
                    break  # a request was answered while a refresh was under way
                self._news = anyio.Event()
                with anyio.move_on_after(self.pause_s) as paused:
                    await self._news.wait()
                if not paused.cancelled_caught or self.spent() or not await self._refresh(before):
                    break

    async def _refresh(self, before: int) -> bool:
        """Sends a refresh, after so many in this pause; whether another may follow."""
        sent = self._sent
        if sent is None:
            return False
        price = self.meter.rates(sent.lane, sent.model, 0)
        if price is None or not price.cache_read or price.cache_write is None:
            return False
        if before + 1 >= (price.cache_write - price.cache_read) / price.cache_read:
            return False
        try:
            document = Document.read(sent.body)
            body = document.splice(document.edits_of({"max_tokens": 0, "stream": False}))
        except MalformedDocument:
            return False
        length = (b"Content-Length", str(len(body)).encode())
        headers = [(name, value) for name, value in sent.headers if name.lower() != b"content-length"] + [length]
        row = Row(self.new_id(), self.now(), "POST", "/v1/messages", Format.ANTHROPIC, lane=sent.lane.name,
                  provider=sent.lane.provider, model=sent.model, who="keepalive",
                  why="keeps the conversation in the provider's cache")  # fmt: skip
        try:
            with anyio.fail_after(60):
                answer = await self.upstreams.open(sent.lane, sent.where, "POST", headers, body)
                try:
                    said = await whole_body(answer, LIMIT)
                finally:
                    await answer.aclose()
        except (UpstreamError, TimeoutError):
            self.tell(replace(row, outcome="refused", error="upstream_unreachable"))
            return False
        if answer.status != 200:
            self.tell(replace(row, status=answer.status, outcome="refused", error="refused"))
            return False
        watch = CODECS[Format.ANTHROPIC].AnswerWatch()
        watch.body(said)
        cost = self.meter.count(watch.heard(), sent.lane, sent.model, sent.model, len(body))
        self.tell(replace(row, status=200, usage=cost.usage, cost_usd=cost.cost_usd, baseline_usd=0.0,
                          estimated=cost.estimated))  # fmt: skip
        return cost.usage.cache_read > 0
