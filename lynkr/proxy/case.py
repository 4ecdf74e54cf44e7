"""The conductor: one request from its arrival to its row. Nobody else calls anybody.

    read the body → what does it speak → where may it go → which bytes → open the lane → relay, or translate → record

Three promises: every request that was let in ends in exactly one row, also when the client hangs up or the stream is
cut; a body that we have nothing to change in leaves as the bytes that came; and as long as the client has heard nothing
of an answer, a lane that fails is one that another can step in for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio

from lynkr import formats
from lynkr.answer import Refused
from lynkr.changes import Changes, Removed
from lynkr.errors import ClientError, LynkrError, UpstreamError
from lynkr.formats import Match
from lynkr.framing.http1 import Headers, ResponseHead, indexed
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Cost
from lynkr.ledger.row import Row
from lynkr.proxy.answering import Answering, Question
from lynkr.proxy.ear import Ear
from lynkr.proxy.giving import Giving
from lynkr.proxy.interpret import ERROR_S, Interpreting, refusal_in
from lynkr.proxy.lanes import Resting, Unserved, named, wider
from lynkr.proxy.message import ClientGone, Reply, Request
from lynkr.proxy.outbound import Inbound, Outbound, learn, outbound
from lynkr.proxy.peek import begun, first_event, late
from lynkr.proxy.planning import Placed, asked_model, house_of
from lynkr.proxy.refused import about_the_lane, no_credential
from lynkr.proxy.relay import Relay
from lynkr.proxy.telling import Telling
from lynkr.proxy.warming import Sent
from lynkr.routing.retry import PATIENCE_S
from lynkr.routing.router import Route
from lynkr.upstream.auth import credential, outgoing
from lynkr.upstream.catalog import Address, address, base_url, way
from lynkr.upstream.client import Answer
from lynkr.usage import Heard

if TYPE_CHECKING:
    from lynkr.proxy.exchange import Exchange

# Tries again on one lane where there is another to turn to and the conversation's cache is worth waiting for.
_RETRIES = 2
# A lane that need not stream, or reads long prompts on this machine, may take so many times longer to begin.
_SLOW = 5
# Claude Code gives a stream up that is silent for 300 s.
_SILENT_S = 280.0


@dataclass(slots=True)
class Case:
    """One request on its way. `telling` holds what its row will say."""

    common: Exchange
    request: Request
    reply: Reply
    telling: Telling
    match: Match | None = None
    placed: Placed | None = None
    route: Route | None = None
    listener: Ear | Interpreting | None = None
    changes: Changes = field(default_factory=Changes)
    removed: Callable[[], tuple[Removed, ...]] = tuple
    size: int = 0
    # How long the lane may take to begin while another could step in.
    patience_s: float = 0.0
    # Whether more fits into a lane that could still step in.
    wider: bool = False
    left: Sent | None = None
    goes_as: Format | None = None
    giving: Giving = field(init=False)
    notes: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.giving = Giving(self.telling, self.common.meter)
        self.notes = self.telling.notes

    async def serve(self) -> None:
        try:
            await self._serve()
        except Refused as error:
            await self.telling.refusal(self.telling.clean(error.refusal))
        except LynkrError as error:
            await self.telling.error(error, self.listener)
        except (ClientGone, anyio.BrokenResourceError, anyio.get_cancelled_exc_class()):
            if not self.reply.finished:
                self.telling.note(outcome="gone")
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the user's session
            fault = LynkrError(f"lynkr: a fault of its own ({type(error).__name__}); please report it")
            await self.telling.error(fault, self.listener)
        finally:
            self._close()

    async def _serve(self) -> None:
        request, common = self.request, self.common
        headers = request.texts
        self.match = formats.match(request.method, request.path)
        spoken = self.match.format if self.match else house_of(request, headers, common.speaks, common.router.lanes)
        self.telling.codec = formats.CODECS[spoken or Format.OPENAI_RESPONSES]
        self.telling.note(format=self.match.format if self.match else None)
        body = await request.body()
        if b"websocket" in request.named.get(b"upgrade", b"").lower():
            raise ClientError("lynkr: no WebSocket here; use HTTP", status=426, kind="upgrade")
        inbound = self._inbound(body)
        try:
            self.placed = placed = common.planning.place(inbound, spoken)
        except ClientError as error:
            if common.bypasses.head(inbound, common.router.lanes[0]):
                await self.giving.here()
                return
            if error.kind == "not_translated" and await self.giving.counted(
                common.bypasses, inbound, common.router.lanes[0]
            ):
                return
            raise
        plan = placed.plan
        tier, why = plan.routes[0].tier, plan.routes[0].why
        self.telling.note(who=plan.who, conversation=plan.key, score=plan.score, tier=tier, why=why)
        if common.bypasses.head(inbound, plan.routes[0].lane):
            await self.giving.here()
            return
        if bypass := common.bypasses.answer(placed.inbound, plan.routes[0].lane):
            await self.giving.bypass(bypass, plan.routes[0])
            return
        if placed.over:
            self.telling.trouble(f"{placed.over} (on_exceed = {common.planning.purse.budget.on_exceed})")
        answering, lane = common.answering, plan.routes[0].lane
        question = answering.question(placed.inbound, lane, common.keys.get(lane.name)) if answering else None
        if answering is None or question is None:
            await self._ask(placed, spoken)
            return
        if await self.giving.again(answering, question, placed):
            return
        if await answering.waited(question) and await self.giving.again(answering, question, placed):
            return
        with answering.asking(question, self.reply.copied):
            self.reply.copy = bytearray()
            try:
                await self._ask(placed, spoken)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._keep(answering, question)

    def _inbound(self, body: bytes | None) -> Inbound:
        at, request = int(datetime.fromisoformat(self.notes["at"]).timestamp()), self.request
        reading, sealed = self.common.documents.read, self.common.seals
        return Inbound(request, request.texts, self.match, body, self.notes["id"], at, None, reading, sealed)

    async def _ask(self, placed: Placed, spoken: Format | None) -> None:
        if len(placed.plan.routes) == 1:
            # Whoever stands alone is always asked: to rest would only turn the provider's words into ours.
            await self._alone(placed, placed.plan.routes[0], spoken)
        else:
            await self._among(placed, spoken)

    async def _keep(self, answering: Answering, question: Question) -> None:
        """Keeps what was answered, if all of it was."""
        heard, copy, notes = self.listener.heard() if self.listener else Heard(), self.reply.copy, self.notes
        if not (self.reply.finished and heard.complete and heard.usage and copy and self.match) or heard.failure:
            return
        # What another lane has said is not this one's answer.
        if notes.get("status") == 200 and self.placed and self.placed.plan.routes[0].lane.name == notes.get("lane"):
            await answering.keep(question, self.match.format, bytes(copy), notes["id"], notes["lane"],
                                 notes.get("model") or "", heard.usage)  # fmt: skip

    async def _among(self, placed: Placed, spoken: Format | None) -> None:
        """Asks several lanes in turn, until one serves."""
        lanes, plan = self.common.lanes, placed.plan
        if plan.warm and (rest := lanes.rest(plan.routes[0].lane)) and rest.seconds <= PATIENCE_S:
            await anyio.sleep(rest.seconds)  # less than what its cache is worth
        failures, resting, routes = list[tuple[Lane, Unserved]](), list[Resting](), list(plan.routes)
        while routes:
            route, *routes = routes
            if (rest := lanes.rest(route.lane)) is not None:
                resting.append(rest)
                continue
            failure = await self._persist(placed, route, routes, spoken)
            if failure is None:
                return
            failures.append((route.lane, failure))
            if failure.kind == "context":
                routes = [each for each in routes if wider(each.lane, route.lane)]
        if not failures:
            self.telling.note(asked_model=asked_model(placed.inbound))
        await self.telling.nobody(failures, resting)

    async def _alone(self, placed: Placed, route: Route, spoken: Format | None) -> None:
        """Asks the only lane there is; what it says in the end is what the client hears."""
        retries, attempt = self.common.lanes.routing.retries or 0, 1
        while True:
            try:
                await self._once(placed, route, spoken, final=attempt > retries)
            except Unserved as failure:
                wait = self.common.lanes.pause(route.lane, attempt, failure, retries)
                if wait is None:
                    raise failure.detach() from None
                self.telling.failed(failure.status, failure.name)
                await anyio.sleep(wait)
                attempt += 1
            else:
                return

    async def _persist(self, placed: Placed, route: Route, rest: list[Route], spoken: Format | None) -> Unserved | None:
        """Asks one lane of several, again where that is worth it; what kept it from serving, None if nothing did."""
        lanes, plan, attempt = self.common.lanes, placed.plan, 1
        said = lanes.routing.retries
        # A cache that others would have to write anew is worth some patience.
        retries = said if said is not None else _RETRIES if plan.warm and route is plan.routes[0] else 0
        self.wider = any(wider(each.lane, route.lane) for each in rest)
        while True:
            lanes.asked(route.lane)
            try:
                await self._once(placed, route, spoken, final=False)
            except Unserved as failure:
                self.telling.failed(failure.status, failure.name)
                lanes.failed(route.lane, failure)
                wait = lanes.pause(route.lane, attempt, failure, retries)
                failure.detach()
                if wait is None:
                    return failure
                await anyio.sleep(wait)
                attempt += 1
            except UpstreamError as error:
                # In the middle of its answer.
                lanes.failed(route.lane, Unserved(None, error.kind, error.sentence, again=False))
                raise
            except BaseException:  # the client has gone, or its request cannot go down this lane
                lanes.released(route.lane)
                raise
            else:
                return None

    async def _once(self, placed: Placed, route: Route, spoken: Format | None, *, final: bool) -> None:
        """Takes the request down one lane, once. Raises Unserved where it is not `final`, the lane fails, and the
        client has heard nothing of an answer."""
        try:
            lane = await self.common.sizes(route.lane)
            async with self.common.lanes.slot(lane):
                several = len(placed.plan.routes) > 1
                if several and not final and lane.concurrency and (rest := self.common.lanes.rest(route.lane)):
                    # It was well when this request began to wait for its turn.
                    raise Unserved(None, "overloaded", f"rests after {rest.why}", again=False)
                route = route if lane is route.lane else route._replace(lane=lane)
                await self._down(placed, route, spoken, final=final)
        except UpstreamError as error:
            failure = Unserved.by(error, route.lane, wider=self.wider)
            if final or self.reply.started or failure is None:
                raise
            self.telling.sent = False
            raise failure from error
        except ClientError as error:
            if final or error.kind != "context" or not self.wider:
                raise
            raise Unserved(None, "context", error.sentence, again=False, name="context") from error
        except Refused as error:
            failure = Unserved.by(self.telling.clean(error.refusal), route.lane, wider=self.wider)
            if failure is None and (error.refusal.status or 500) < 500:
                self.common.lanes.answered(route.lane)
            if final or failure is None:
                raise
            self.telling.sent = False
            raise failure from error
        self._well(route.lane)

    def _well(self, lane: Lane) -> None:
        """The lane has answered, unless it says that it is not well."""
        if self.notes.get("status", 500) < 500 and self.notes.get("status") != 429:
            self.common.lanes.answered(lane)

    async def _down(self, placed: Placed, route: Route, spoken: Format | None, *, final: bool) -> None:
        common, lane = self.common, route.lane
        self._take(route, placed.over)
        shaped = common.shaping(common.planning.for_lane(placed, lane), lane)
        self.removed = shaped.removed
        self.telling.note(faults=shaped.faults)
        out = outbound(shaped.inbound, lane, later=final)
        out.changes += shaped.changes
        self.changes = out.changes
        if out.unread is None:
            self._learn(out)
        opening = await self._opening(placed, out, lane, spoken, final=final)
        self.telling.sent = True
        if out.translation is not None:
            await self._translate(out, lane, opening, final=final)
        else:
            await self._relayed(opening, lane, final=final)

    def _learn(self, out: Outbound) -> None:
        learn(out)
        self.size = out.size
        if self.match is not None:
            self.telling.note(asked_model=out.asked, model=out.model)

    async def _opening(
        self, placed: Placed, out: Outbound, lane: Lane, spoken: Format | None, *, final: bool
    ) -> Callable[[], Awaitable[Answer]]:
        """What opens the lane, once it is wanted."""
        common, goes_as = self.common, out.spoken or spoken
        where = address(lane, goes_as, base_url(lane, goes_as, common.origins, placed.inbound.named), out.target)
        held = common.keys.get(lane.name)
        if held is None and lane.auth in (Auth.KEY, Auth.CLOUD):
            raise no_credential(lane)
        own = await credential(held, way(lane, goes_as), goes_as, self.request.method, where, out.body or b"")
        length = None if out.body is None else len(out.body)
        named = indexed(out.headers)
        sent = outgoing(out.headers, named, lane, own, host=where.authority, length=length, metered=bool(self.match))
        self.goes_as = goes_as
        self.left = Sent(lane, where, sent, out.body or b"", out.model or "")
        wait_s = common.lanes.routing.wait_s * (1 if out.streams and lane.auth is not Auth.NONE else _SLOW)
        self.patience_s = lane.timeout_s or wait_s

        async def opening() -> Answer:
            if final or lane.timeout_s is not None:
                answer = await self._asked(lane, where, sent, out)
            else:
                with anyio.move_on_after(wait_s) as waited:
                    answer = await self._asked(lane, where, sent, out)
                if waited.cancelled_caught:
                    raise late(lane, wait_s)
            self.telling.note(status=answer.status)
            if final or answer.status >= 400:
                return answer
            try:
                return await begun(answer, lane, self.patience_s)
            except BaseException:
                await answer.aclose()
                raise

        return opening

    async def _asked(self, lane: Lane, where: Address, sent: Headers, out: Outbound) -> Answer:
        """Sends the request and waits for the head of its answer."""
        upstreams = self.common.upstreams
        try:
            departed = await upstreams.send(lane, where, self.request.method, sent, out.body)
        finally:
            if out.unread is not None:  # also of what could not be sent
                self._learn(out)
        return await upstreams.answer(departed)

    async def _translate(
        self, out: Outbound, lane: Lane, opening: Callable[[], Awaitable[Answer]], *, final: bool
    ) -> None:
        assert out.translation is not None
        # While another lane can step in, the client hears nothing: with a sign of life it would have its status.
        quiet_s = 0.0 if final else min(self.patience_s, max(self.common.lanes.routing.wait_s, _SILENT_S))
        interpreting = Interpreting(
            out.translation, out.changes, lane.name, self.common.ping_s, self.telling.clean, quiet_s
        )
        self.listener = interpreting
        await interpreting.run(opening, self.reply, self.telling.added(), self.telling.first_byte)
        if told := interpreting.refused_late:
            self.telling.failed(told.status, named(told))
            self.telling.note(outcome="refused", status=200, error=named(told))

    async def _relayed(self, opening: Callable[[], Awaitable[Answer]], lane: Lane, *, final: bool) -> None:
        answer = await opening()
        try:
            await self._relay(answer, lane, final=final)
        finally:
            await answer.aclose()

    async def _relay(self, answer: Answer, lane: Lane, *, final: bool) -> None:
        head = self.reply.connection.asked_for_head
        if answer.status >= 400 and not head and (lane.auth is not Auth.CLIENT or not final):
            patience = ERROR_S if final else min(ERROR_S, self.patience_s)
            refusal, body = await refusal_in(answer, self.telling.codec, patience)
            refusal = self.telling.clean(refusal)
            if not final and Unserved.by(refusal, lane, wider=self.wider):
                raise Refused(refusal)
            if self.match and about_the_lane(refusal, lane, answer.status) is not refusal:
                raise Refused(refusal)
            self.telling.first_byte()
            await self.telling.as_it_came(answer, refusal, body)
            return
        if not final and not head:
            answer, first = await first_event(answer, self.telling.codec, self.patience_s)
            if first is not None and Unserved.by(first, lane, wider=self.wider):
                raise Refused(first)
        await self._relaying(answer.head).rest(answer)

    def _relaying(self, head: ResponseHead) -> Relay:
        self._listen(head.status, head.named)
        ear = self.listener if isinstance(self.listener, Ear) else None
        return Relay(self.reply, head, self.telling.added(), self.telling.first_byte, ear)

    def _take(self, route: Route, over: str | None = None) -> None:
        lane, self.route, self.telling.lane = route.lane, route, route.lane
        why = f"{route.why}; {over}" if over and over not in route.why else route.why
        for stale in ("outcome", "error", "status"):
            self.notes.pop(stale, None)
        self.telling.note(tier=route.tier, why=why, lane=lane.name, provider=lane.provider)
        self.listener = None

    def _listen(self, status: int, named: Mapping[bytes, bytes]) -> None:
        if status >= 400:
            self.telling.note(outcome="refused")
            self.telling.failed(status)
        if self.match is None and self.request.method != "POST":
            return
        kind = named.get(b"content-type", b"").decode("latin-1")
        coding = named.get(b"content-encoding", b"").decode("latin-1")
        if status == 200 and self.match is not None and kind.startswith("text/html"):
            self.telling.note(error="upstream_malformed")  # somebody's page: a proxy's, or a login's
        self.listener = Ear(self.telling.codec.AnswerWatch(), kind, coding)

    def _close(self) -> None:
        self.telling.note(ms=self.telling.elapsed())
        self.common.here.counts.flying -= 1
        self.common.record(self._finished())

    def _finished(self) -> Row:
        """The row, with what the answer said it cost."""
        heard = self.listener.heard() if self.listener else Heard()
        if self.notes.get("error") is None:
            self.telling.note(error=heard.failure and self.telling.without_key(heard.failure))
        self.telling.note(changes=self.changes.listed(), tried=tuple(self.telling.tried))
        if not self.reply.finished:
            self.notes.setdefault("outcome", "gone")
        cost = self._cost(heard)
        if self.placed is not None and self.placed.plan.switch is not None:
            self.telling.note(switch=self.placed.plan.switch)
        self.common.planning.purse.settle(self.notes["id"], cost.cost_usd if cost else None)
        if self.giving.saved is not None:
            self.telling.note(baseline_usd=self.giving.saved)
        elif cost is not None:
            self.telling.note(
                usage=cost.usage, estimated=cost.estimated, cost_usd=cost.cost_usd, baseline_usd=cost.baseline_usd,
                removed_tokens=sum(saving.tokens for saving in cost.savings), compression_usd=cost.compression_usd,
                savings=cost.savings,
            )  # fmt: skip
        return Row(**self.notes)

    def _cost(self, heard: Heard) -> Cost | None:
        """What the request cost; None where nothing is billed for it. Its conversation is told, too."""
        lane, placed = self.telling.lane, self.placed
        if lane is None or placed is None or not self.telling.sent or self.notes.get("outcome") == "refused":
            return None
        # Free of charge, or of a kind that nobody bills by the token.
        if (self.match is None and heard.usage is None) or (self.match is not None and not self.match.metered):
            return None
        before = self.common.planning.before(placed, lane)
        cost = self.common.meter.count(
            heard, lane, self.notes.get("model"), self.notes.get("asked_model"), self.size, self.removed(), before
        )
        if self.common.warming and self.left and placed.plan.who in (None, "main") and not heard.failure:
            self.common.warming.note(self.left, self.goes_as, cost.usage.prompt)
        if self.route is not None:
            plan = self.common.planning.served(placed, self.route, cost.usage)
            self.placed = placed if plan is placed.plan else replace(placed, plan=plan)
        return cost
