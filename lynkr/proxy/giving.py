"""Answers of ours on their way to the client: signs of life, counts, chores, and what was answered before."""

from __future__ import annotations

from dataclasses import dataclass

from lynkr.conversation import Home
from lynkr.lane import Lane
from lynkr.ledger.meter import Meter
from lynkr.proxy.answering import Answering, Question, written
from lynkr.proxy.bypassing import Bypass, Bypasses
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.planning import Placed, asked_model
from lynkr.proxy.telling import JSON, Telling
from lynkr.routing.router import Route
from lynkr.target import Label

_MARK = b"x-lynkr-answered"


@dataclass(slots=True)
class Giving:
    """One request's. `saved` is what asking would have cost, in USD; None while nothing was given that would have."""

    telling: Telling
    meter: Meter
    saved: float | None = None

    async def here(self) -> None:
        """Tells who asks only whether anybody is there (Claude Code does so at its start) that we are."""
        self.telling.note(why="answered here", status=200)
        await self.telling.reply.whole_head(200, [])

    async def counted(self, bypasses: Bypasses, inbound: Inbound, lane: Lane) -> bool:
        """Counts tokens for a lane that does not; whether that was asked."""
        body = bypasses.counted(inbound, lane)
        if body is not None:
            self.telling.note(why="counted here", status=200, answered="bypass:count")
            await self.telling.reply.whole(200, body, [JSON, *self.telling.added()])
        return body is not None

    async def bypass(self, bypass: Bypass, route: Route) -> None:
        """Gives the answer to a chore."""
        why = f"{bypass.what}: needs no model"
        self._note(route, why, f"bypass:{bypass.what}", bypass.model)
        self.telling.note(who=bypass.what)
        self.saved = self.meter.worth(bypass.usage, route.lane, bypass.model) or 0.0
        label = Label(Home(route.lane.name, bypass.model), bypass.model, self.telling.notes["id"])
        headers, body = written(self.telling.codec, bypass.answer, label, streamed=bypass.streamed)
        self.telling.first_byte()
        await self.telling.reply.whole(200, body, [*headers, *self.telling.added(), (_MARK, b"bypass")])

    async def again(self, answering: Answering, question: Question, placed: Placed) -> bool:
        """Gives an answer that was given before; whether there was one."""
        found = await answering.find(question)
        if found is None:
            return False
        how, given = found
        route, asked = placed.plan.routes[0], asked_model(placed.inbound)
        self._note(route, f"the same question as {given.row}, answered then", f"{how}:{given.row}", asked)
        self.telling.note(model=given.model)
        self.saved = self.meter.worth(given.worth(answering.now()), route.lane, given.model) or 0.0
        label = Label(Home(route.lane.name, given.model), asked or given.model, placed.inbound.id, placed.inbound.at,
                      question.wants_usage)  # fmt: skip
        headers, body = written(self.telling.codec, given.again, label, streamed=question.streamed)
        self.telling.first_byte()
        await self.telling.reply.whole(200, body, [*headers, *self.telling.added(), (_MARK, how.encode())])
        return True

    def _note(self, route: Route, why: str, answered: str, asked: str | None) -> None:
        lane = route.lane
        self.telling.note(tier=route.tier, why=why, lane=lane.name, provider=lane.provider, asked_model=asked,
                          answered=answered, status=200)  # fmt: skip
