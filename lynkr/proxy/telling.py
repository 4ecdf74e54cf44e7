"""What the client is told when no answer comes of its request, or only half of one; and what the user is told of it.

Errors have the shape of the client's own format. A lane's own key stands in none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lynkr import formats
from lynkr.errors import LynkrError, UpstreamError
from lynkr.events import Refusal
from lynkr.formats import Codec
from lynkr.framing.http1 import Headers
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.row import Try
from lynkr.proxy.ear import Ear
from lynkr.proxy.interpret import Interpreting
from lynkr.proxy.lanes import PASSING, Resting, Unserved, named
from lynkr.proxy.message import Reply
from lynkr.proxy.refused import FINAL, about_the_lane
from lynkr.proxy.relay import give_up
from lynkr.routing.retry import seconds
from lynkr.secrets import Key
from lynkr.upstream.auth import connection_headers
from lynkr.upstream.client import Answer
from lynkr.upstream.clouds import Login

JSON = (b"Content-Type", b"application/json")
# Clients of Anthropic's SDKs obey this header; without it Claude Code tries for three minutes.
# Others heed only how long to wait, and then go through their retries at once.
NO_RETRY = [(b"x-should-retry", b"false"), (b"retry-after-ms", b"1")]
# Kinds of refusals that trying again cannot mend.
_FINAL = frozenset(("invalid", "context", "authentication", "billing", "permission", "not_found", "too_large", "quota"))
# Asking again does not mend these, whatever their status.
_HOPELESS = frozenset(("billing", "quota", "too_large"))
# So many different ones are told at a session's end.
_TROUBLES = 3


@dataclass(slots=True)
class Telling:
    """One request's bad news. `notes` are its row's; `troubles` the session's, for the user; `elapsed` gives the ms
    since the request came."""

    reply: Reply
    notes: dict[str, Any]
    keys: Mapping[str, Key | Login | None]
    troubles: list[str]
    elapsed: Callable[[], float]
    codec: Codec = formats.CODECS[Format.OPENAI_RESPONSES]
    lane: Lane | None = None
    sent: bool = False
    tried: list[Try] = field(default_factory=list)

    def note(self, **changes: object) -> None:
        """Notes something for the row."""
        self.notes.update(changes)

    def first_byte(self) -> None:
        """Notes that the first byte of an answer's body has come."""
        self.note(first_byte_ms=self.elapsed())

    def failed(self, status: int | None, why: str = "") -> None:
        """Notes that the lane did not serve."""
        if self.lane is not None:
            self.tried.append(Try(self.lane.name, status, self.without_key(why)[:200]))

    def added(self) -> Headers:
        """The headers that every answer gets."""
        return [
            (b"x-lynkr-lane", self.notes.get("lane", "").encode()),
            (b"x-lynkr-tier", self.notes.get("tier", "").encode()),
            (b"x-lynkr-request", self.notes["id"].encode()),
        ]

    async def error(self, error: LynkrError, listener: Ear | Interpreting | None) -> None:
        """Tells what went wrong, as far as that is still possible."""
        self.note(error=error.kind)
        if self.reply.started:
            if self.notes.get("status") is None:
                # The client heard pings, the lane never answered.
                self.note(outcome="refused", status=200)
                self.failed(None, error.sentence)
            else:
                self.note(outcome="cut")
            if isinstance(error, UpstreamError):
                await self._break_off(error, listener)
            return
        if error.kind == "context":
            await self.refusal(Refusal("context", error.sentence, code=error.kind))
            return
        if isinstance(error, UpstreamError):
            self.failed(None, error.sentence)
            if not error.retry:
                self.trouble(error.sentence)
        if error.kind == "budget":
            self.trouble(error.sentence)
        self.note(outcome="refused", status=error.status)
        headers = [JSON, *self.added()] + ([] if error.retry else NO_RETRY)
        if error.status == 426:
            headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"HTTP/1.1")]
        await self.reply.whole(error.status, self.codec.error_body(error), headers)

    async def _break_off(self, error: UpstreamError, listener: Ear | Interpreting | None) -> None:
        if isinstance(listener, Interpreting):
            # What was said so far ends between two events.
            await self.reply.send(self.codec.error_event(error))
            self.reply.end()
            return
        await give_up(self.reply, listener, self.codec.error_event(error), self.codec.AFTER_BROKEN)

    async def nobody(self, failures: Sequence[tuple[Lane, Unserved]], resting: Sequence[Resting]) -> None:
        """Tells that none of several lanes has served: which one did what, and when to come back."""
        said = [f"lane '{lane.name}': {self._bare(failure.why, lane)}" for lane, failure in failures]
        said += [f"lane '{name}' rests for {wait:.0f} s more after {why}" for name, wait, why in resting]
        long = next((failure for _, failure in failures if failure.kind == "context"), None)
        if long is not None:  # what only the tool can mend, by compacting
            await self.refusal(Refusal("context", long.why))
            return
        passing = (
            bool(resting)
            or not failures
            or any(f.kind in PASSING or f.kind == "upstream_timeout" or f.again for _, f in failures)
        )
        said_when = [seconds(failure.retry_after) for _, failure in failures]
        waits = [rest.seconds for rest in resting] + [wait for wait in said_when if wait is not None]
        kinds = [failure.kind for _, failure in failures if failure.kind in PASSING]
        way = "try again" if passing else "see what is wrong with: lynkr doctor --live"
        words = f"lynkr: no lane served this request ({'; '.join(said)}); {way}"
        kind = (kinds[0] if kinds else "overloaded") if passing else "permission"
        after = f"{max(1, round(min(waits)))}" if waits and passing else None
        if not passing:
            self.trouble(words)
        status, body = self.codec.refusal_body(Refusal(kind, words, retry_after=after))
        self.note(outcome="refused", status=status, error="no_lane")
        headers = [JSON, *self.added()] + ([] if passing else NO_RETRY)
        if after:
            headers.append((b"retry-after", after.encode()))
        await self.reply.whole(status, body, headers)

    async def refusal(self, refusal: Refusal) -> None:
        """Tells, in the client's own format, what a lane refused."""
        lane = self.lane
        if lane is not None and refusal.status:
            told = about_the_lane(refusal, lane, refusal.status)
            if lane.auth is not Auth.CLIENT and (told is not refusal or refusal.kind in _FINAL):
                self.trouble(told.message)
            refusal = told
        status, body = self.codec.refusal_body(refusal)
        if self.sent:
            self.failed(refusal.status, named(refusal))
        self.note(outcome="refused", status=status, error=named(refusal))
        headers = [JSON, *self.added()]
        if refusal.kind in _FINAL:
            headers += NO_RETRY
        if refusal.retry_after:
            headers.append((b"retry-after", refusal.retry_after.encode("latin-1", "replace")))
        await self.reply.whole(status, body, headers)

    async def as_it_came(self, answer: Answer, refusal: Refusal, body: bytes) -> None:
        """Relays an error of a lane's, all of it, without the lane's key."""
        assert self.lane is not None
        self.note(outcome="refused", error=named(refusal))
        self.failed(answer.status, named(refusal))
        ends_here = connection_headers(answer.named) | {b"content-length"}
        headers = [(name, value) for name, value in answer.headers if name.lower() not in ends_here] + self.added()
        if answer.status in FINAL or refusal.kind in _HOPELESS:
            headers += NO_RETRY
            self.trouble(f"lane '{self.lane.name}': {self.lane.provider} says {answer.status}: {refusal.message}")
        body = self.without_key(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        await self.reply.whole(answer.status, body, headers, answer.head.reason)

    def trouble(self, sentence: str) -> None:
        """Remembers what only the user can mend: tools show it badly, or not at all."""
        words = " ".join(self.without_key(sentence).removeprefix("lynkr: ").split())
        words = "".join(letter for letter in words if letter.isprintable())  # a terminal obeys some that are not
        if len(self.troubles) < _TROUBLES and words[:400] not in self.troubles:
            self.troubles.append(words[:400])

    def clean(self, refusal: Refusal) -> Refusal:
        """A refusal without the lane's key."""
        code = self.without_key(refusal.code) if refusal.code else refusal.code
        return replace(refusal, message=self.without_key(refusal.message), code=code)

    def without_key(self, text: str) -> str:
        """`text` without the lane's key, which gateways repeat."""
        return self._bare(text, self.lane)

    def _bare(self, text: str, lane: Lane | None) -> str:
        held = self.keys.get(lane.name) if lane else None
        return held.hidden_in(text) if isinstance(held, Key) and held.is_in(text) else text
