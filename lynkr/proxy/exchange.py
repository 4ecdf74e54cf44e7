"""The conductor: one request from its arrival to its row. Nobody else calls anybody.

    read the body → what does it speak → which lane → which bytes → open the lane → relay, or translate → record

Two promises: every request that was let in ends in exactly one row, also when the client hangs up or the stream is cut;
and a body that we have nothing to change in leaves as the bytes that came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import anyio

from lynkr import formats
from lynkr.answer import Refused
from lynkr.changes import Changes, Removed
from lynkr.errors import ClientError, LynkrError, UpstreamError
from lynkr.events import Refusal
from lynkr.formats import Codec, Match
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Meter
from lynkr.ledger.row import Row, Try
from lynkr.proxy.ear import Ear
from lynkr.proxy.interpret import ERROR_LIMIT, PING_S, Interpreting, refusal_in, whole_body
from lynkr.proxy.outbound import Inbound, outbound
from lynkr.proxy.refused import FINAL, about_the_lane
from lynkr.proxy.relay import give_up, relay
from lynkr.proxy.server import ClientGone, Reply, Request
from lynkr.proxy.shaping import Shaping
from lynkr.routing.router import Route, Router
from lynkr.secrets import Key
from lynkr.upstream import ollama
from lynkr.upstream.auth import Headers, connection_headers, credential, outgoing
from lynkr.upstream.catalog import address, base_url, way
from lynkr.upstream.client import Answer, Upstreams
from lynkr.upstream.clouds import Login
from lynkr.usage import Heard

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
# What the proxy answers itself, for whoever wants to know that it is there.
_HERE = frozenset(("/health/live", "/health/ready"))


class Clock(NamedTuple):
    """Time, passed in: `ms` counts up, `now` is RFC 3339, `new_id` an id that sorts by time."""

    ms: Callable[[], float]
    now: Callable[[], str]
    new_id: Callable[[], str]


@dataclass(slots=True)
class Exchange:
    """What one session's requests have in common.

    `speaks` are the formats that the tool speaks, `sizes` what servers said of how much fits, by lane, `troubles` what
    the user is to be told at the session's end.
    """

    router: Router
    speaks: tuple[Format, ...]
    origins: Mapping[str, str]
    keys: Mapping[str, Key | Login | None]
    upstreams: Upstreams
    meter: Meter
    clock: Clock
    record: Callable[[Row], None]
    ping_s: float = PING_S
    shaping: Shaping = field(default_factory=Shaping)
    sizes: dict[str, int | None] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Serves one request."""
        if request.path in _HERE:
            await request.body()
            await reply.whole(200, b'{"status": "ok"}', [JSON])
            return
        notes = {"id": self.clock.new_id(), "at": self.clock.now(), "method": request.method, "path": request.path}
        await _Case(self, request, reply, notes, self.clock.ms()).serve()


def _named(headers: Headers) -> dict[str, str]:
    """Headers by lower-case name; of several with one name the values are one list (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


@dataclass(slots=True)
class _Case:
    """One request on its way. `notes` are what its row will say."""

    house: Exchange
    request: Request
    reply: Reply
    notes: dict[str, Any]
    began: float
    match: Match | None = None
    codec: Codec = formats.CODECS[Format.OPENAI_RESPONSES]
    ear: Ear | None = None
    listener: Ear | Interpreting | None = None
    changes: Changes = field(default_factory=Changes)
    removed: Callable[[], tuple[Removed, ...]] = tuple
    size: int = 0
    sent: bool = False

    async def serve(self) -> None:
        try:
            await self._serve()
        except Refused as error:
            await self._refuse(self._clean(error.refusal))
        except LynkrError as error:
            await self._fail(error)
        except (ClientGone, anyio.BrokenResourceError, anyio.get_cancelled_exc_class()):
            if not self.reply.finished:
                self._note(outcome="gone")
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the user's session
            await self._fail(LynkrError(f"lynkr: a fault of its own ({type(error).__name__}); please report it"))
        finally:
            self.house.record(self._finished())

    async def _serve(self) -> None:
        request, house = self.request, self.house
        headers = _named(request.headers)
        self.match = formats.match(request.method, request.path)
        spoken = self.match.format if self.match else self._house(headers)
        self.codec = formats.CODECS[spoken or Format.OPENAI_RESPONSES]
        self._note(format=self.match.format if self.match else None)
        body = await request.body()
        if "websocket" in headers.get("upgrade", "").lower():
            raise ClientError("lynkr: no WebSocket here; use HTTP", status=426, kind="upgrade")
        try:
            route = house.router.plan(spoken, as_it_is=self.match is None or not self.match.metered)
        except ClientError:
            if request.method != "HEAD":
                raise
            # Only whether anybody is there (Claude Code asks so at its start): we are.
            self._note(why="answered here", status=200)
            await self.reply.whole_head(200, [])
            return
        lane = await self._sized(route.lane)
        self._take(replace(route, lane=lane))
        at = int(datetime.fromisoformat(self.notes["at"]).timestamp())
        shaped = house.shaping(Inbound(request, headers, self.match, body, self.notes["id"], at), lane)
        self.removed = shaped.removed
        self._note(faults=shaped.faults)
        out = outbound(shaped.inbound, lane)
        out.changes += shaped.changes
        self.size, self.changes = out.size, out.changes
        if self.match is not None:
            self._note(asked_model=out.asked, model=out.model)
        goes_as = out.spoken or spoken
        where = address(lane, goes_as, base_url(lane, goes_as, house.origins, headers), out.target)
        held = house.keys.get(lane.name)
        if held is None and lane.auth in (Auth.KEY, Auth.CLOUD):
            raise ClientError(
                f"lynkr: lane '{lane.name}' has a credential of its own that this session has not read, because the "
                f"tool it was started for does not use it; start this one with: lynkr run --nested",
                status=403,
                kind="no_credential",
            )
        own = await credential(held, way(lane, goes_as), goes_as, request.method, where, out.body or b"")
        length = None if out.body is None else len(out.body)
        sent = outgoing(out.headers, lane, own, host=where.authority, length=length, metered=bool(self.match))
        self.sent = True

        async def opening() -> Answer:
            answer = await house.upstreams.open(lane, where, request.method, sent, out.body)
            self._note(status=answer.status)
            return answer

        if out.translation is not None:
            await self._translate(
                Interpreting(out.translation, out.changes, lane.name, house.ping_s, self._clean), opening
            )
            return
        answer = await opening()
        try:
            await self._relay(answer, lane)
        finally:
            with anyio.CancelScope(shield=True):
                await answer.aclose()

    async def _translate(self, interpreting: Interpreting, opening: Callable[[], Awaitable[Answer]]) -> None:
        self.listener = interpreting
        await interpreting.run(opening, self.reply, self._added(), self._first_byte)
        if late := interpreting.refused_late:
            tried = (Try(self.notes["lane"], late.status),)
            self._note(outcome="refused", status=200, error=(late.code or late.kind)[:80], tried=tried)

    async def _relay(self, answer: Answer, lane: Lane) -> None:
        if lane.auth is not Auth.CLIENT and answer.status >= 400 and not self.reply.connection.asked_for_head:
            await self._relay_refusal(answer, lane)
            return
        self._listen(answer.status, answer.headers)
        await relay(answer, self.reply, self.ear, self._added(), self._first_byte)

    async def _relay_refusal(self, answer: Answer, lane: Lane) -> None:
        """Relays an error as it is, unless it is about a credential that is not the tool's."""
        refusal, body = await refusal_in(answer, self.codec)
        refusal = self._clean(refusal)
        if self.match and about_the_lane(refusal, lane, answer.status) is not refusal:
            raise Refused(refusal)
        self._note(outcome="refused", error=(refusal.code or refusal.kind)[:80], tried=(Try(lane.name, answer.status),))
        ends_here = connection_headers(answer.headers) | {b"content-length"}
        headers = [(name, value) for name, value in answer.headers if name.lower() not in ends_here] + self._added()
        if answer.status in FINAL or refusal.kind in _HOPELESS:
            headers += NO_RETRY
            self._trouble(f"lane '{lane.name}': {lane.provider} says {answer.status}: {refusal.message}")
        body = self._without_key(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        self._first_byte()
        await self.reply.whole(answer.status, body, headers, answer.reason)

    async def _sized(self, lane: Lane) -> Lane:
        """The lane with the size of its context, where that has to be said and only its server knows it."""
        if Format.OLLAMA not in lane.formats or lane.context is not None or lane.model is None:
            return lane
        sizes, upstreams = self.house.sizes, self.house.upstreams
        base = base_url(lane, Format.OLLAMA, {}, {})

        async def fetch(path: str, body: bytes | None) -> bytes:
            where = address(lane, Format.OLLAMA, base, path)
            held = self.house.keys.get(lane.name)
            method = "GET" if body is None else "POST"
            own = await credential(held, way(lane, Format.OLLAMA), Format.OLLAMA, method, where, body or b"")
            headers = [(b"Host", where.authority.encode()), (b"Content-Length", str(len(body or b"")).encode()), *own]
            answer = await upstreams.open(lane, where, method, headers, body)
            try:
                return await whole_body(answer, ERROR_LIMIT) if answer.status == 200 else b""
            finally:
                await answer.aclose()

        if lane.name not in sizes:
            # Once a session: what was said of the size must not change between turns.
            sizes[lane.name] = await ollama.context(lane.model, fetch)
        return replace(lane, context=sizes[lane.name])

    def _house(self, headers: Mapping[str, str]) -> Format | None:
        """Whose house a request belongs to that speaks no format: the tool's own, or what it shows."""
        house = self.house
        if len(house.speaks) == 1:
            return house.speaks[0]
        spoken = formats.resembling(self.request.path, headers)
        if len(house.router.lanes) == 1:
            only = house.router.lanes[0]
            # The tool's own credential is for one house alone; what shows itself to be another's is not for it.
            return spoken if only.auth is Auth.CLIENT and spoken and only.format_for(spoken) is None else None
        # OpenAI's two formats share a house; a lane may speak only one of them.
        served = {name for lane in house.router.lanes for name in lane.formats}
        return Format.OPENAI_CHAT if spoken is Format.OPENAI_RESPONSES and spoken not in served else spoken

    def _take(self, route: Route) -> None:
        lane = route.lane
        self._note(tier=route.tier, why=route.why, lane=lane.name, provider=lane.provider)

    def _listen(self, status: int, headers: Headers) -> None:
        if status >= 400:
            self._note(outcome="refused", tried=(Try(self.notes["lane"], status),))
        if self.match is None and self.request.method != "POST":
            return
        named = {name.lower(): value.decode("latin-1") for name, value in headers}
        kind = named.get(b"content-type", "")
        self.ear = self.listener = Ear(self.codec.AnswerWatch(), kind, named.get(b"content-encoding", ""))

    def _added(self) -> Headers:
        return [
            (b"x-lynkr-lane", self.notes.get("lane", "").encode()),
            (b"x-lynkr-tier", self.notes.get("tier", "").encode()),
            (b"x-lynkr-request", self.notes["id"].encode()),
        ]

    def _first_byte(self) -> None:
        self._note(first_byte_ms=self._elapsed())

    async def _fail(self, error: LynkrError) -> None:
        """Tells the client what went wrong, in its own format, as far as that is still possible."""
        self._note(error=error.kind)
        if self.reply.started:
            if self.notes.get("status") is None:
                # The client heard pings, the lane never answered.
                self._note(outcome="refused", status=200, tried=(Try(self.notes["lane"], None),))
            else:
                self._note(outcome="cut")
            if isinstance(error, UpstreamError):
                await self._break_off(error)
            return
        if error.kind == "context":
            await self._refuse(Refusal("context", error.sentence, code=error.kind))
            return
        if isinstance(error, UpstreamError):
            self._note(tried=(Try(self.notes["lane"], None),))
            if not error.retry:
                self._trouble(error.sentence)
        self._note(outcome="refused", status=error.status)
        headers = [JSON, *self._added()] + ([] if error.retry else NO_RETRY)
        if error.status == 426:
            headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"HTTP/1.1")]
        await self.reply.whole(error.status, self.codec.error_body(error), headers)

    async def _break_off(self, error: UpstreamError) -> None:
        if isinstance(self.listener, Interpreting):
            # What was said so far ends between two events.
            await self.reply.send(self.codec.error_event(error))
            await self.reply.end()
            return
        await give_up(self.reply, self.ear, self.codec.error_event(error), self.codec.AFTER_BROKEN)

    async def _refuse(self, refusal: Refusal) -> None:
        """Tells the client, in its own format, what a lane refused."""
        lane = self._lane()
        if lane is not None and refusal.status:
            told = about_the_lane(refusal, lane, refusal.status)
            if lane.auth is not Auth.CLIENT and (told is not refusal or refusal.kind in _FINAL):
                self._trouble(told.message)
            refusal = told
        status, body = self.codec.refusal_body(refusal)
        if self.sent:
            self._note(tried=(Try(self.notes["lane"], refusal.status),))
        self._note(outcome="refused", status=status, error=(refusal.code or refusal.kind)[:80])
        headers = [JSON, *self._added()]
        if refusal.kind in _FINAL:
            headers += NO_RETRY
        if refusal.retry_after:
            headers.append((b"retry-after", refusal.retry_after.encode("latin-1", "replace")))
        await self.reply.whole(status, body, headers)

    def _finished(self) -> Row:
        """The row, with what the answer said it cost."""
        heard = self.listener.heard() if self.listener else Heard()
        self.notes.setdefault("error", heard.failure and self._without_key(heard.failure))
        self._note(changes=self.changes.listed())
        if not self.reply.finished:
            self.notes.setdefault("outcome", "gone")
        row = Row(**self.notes, ms=self._elapsed())
        lane = self._lane()
        if lane is None or not self.sent or row.outcome == "refused":
            return row
        # Free of charge, or of a kind that nobody bills by the token.
        if (self.match is None and heard.usage is None) or (self.match is not None and not self.match.metered):
            return row
        cost = self.house.meter.count(heard, lane, row.model, row.asked_model, self.size, self.removed())
        return replace(
            row,
            usage=cost.usage,
            estimated=cost.estimated,
            cost_usd=cost.cost_usd,
            baseline_usd=cost.baseline_usd,
            removed_tokens=sum(saving.tokens for saving in cost.savings),
            compression_usd=cost.compression_usd,
            savings=cost.savings,
        )

    def _trouble(self, sentence: str) -> None:
        """Remembers what only the user can mend: tools show it badly, or not at all."""
        words = " ".join(self._without_key(sentence).removeprefix("lynkr: ").split())
        words = "".join(letter for letter in words if letter.isprintable())  # a terminal obeys some that are not
        if len(self.house.troubles) < _TROUBLES and words[:400] not in self.house.troubles:
            self.house.troubles.append(words[:400])

    def _clean(self, refusal: Refusal) -> Refusal:
        """A refusal without the lane's key."""
        code = self._without_key(refusal.code) if refusal.code else refusal.code
        return replace(refusal, message=self._without_key(refusal.message), code=code)

    def _without_key(self, text: str) -> str:
        """`text` without the lane's key, which gateways repeat."""
        held = self.house.keys.get(self.notes.get("lane", ""))
        return held.hidden_in(text) if isinstance(held, Key) and held.is_in(text) else text

    def _lane(self) -> Lane | None:
        return next((lane for lane in self.house.router.lanes if lane.name == self.notes.get("lane")), None)

    def _elapsed(self) -> float:
        return round(self.house.clock.ms() - self.began, 3)

    def _note(self, **changes: object) -> None:
        self.notes.update(changes)
