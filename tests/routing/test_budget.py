"""A budget counts what was spent, here and by others before, and what is under way; the first limit reached is named."""

from __future__ import annotations

import json

import pytest
from asked import CHEAP, COMPLEX, STRONG, TWO, begun, claude_says
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr import formats
from lynkr.lane import Format
from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import table
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.planning import Placed, Planning
from lynkr.routing.budget import Purse
from lynkr.routing.router import router
from lynkr.routing.settings import Budget
from lynkr.usage import Usage

few = settings(max_examples=150, deadline=None)


def test_without_limits_nothing_is_exceeded() -> None:
    purse = Purse(Budget())
    purse.settle("1", 1e9)
    assert purse.exceeded() is None
    assert Budget().limits == {}


@pytest.mark.parametrize(
    ("budget", "period"),
    [(Budget(session_usd=5.0), "session"), (Budget(day_usd=5.0), "day"), (Budget(month_usd=5.0), "month")],
)
def test_each_limit_is_reached_by_what_this_session_spends(budget: Budget, period: str) -> None:
    purse = Purse(budget)
    purse.settle("1", 4.99)
    assert purse.exceeded() is None
    purse.settle("2", 0.01)
    assert purse.exceeded() == (period, 5.0, pytest.approx(5.0))


def test_what_others_spent_counts_in_its_period_only() -> None:
    purse = Purse(Budget(session_usd=1.0, day_usd=5.0, month_usd=50.0), before={"day": 4.5, "month": 20.0})
    assert purse.exceeded() is None
    purse.settle("1", 0.6)
    assert purse.exceeded() == ("day", 5.0, pytest.approx(5.1))


def test_the_first_limit_that_is_reached_is_named() -> None:
    purse = Purse(Budget(session_usd=1.0, day_usd=1.0, month_usd=1.0))
    purse.settle("1", 2.0)
    assert purse.exceeded() == ("session", 1.0, 2.0)


def test_what_is_under_way_is_reserved_until_it_is_over() -> None:
    purse = Purse(Budget(session_usd=1.0))
    purse.reserve("1", 0.5)
    purse.reserve("2", 0.6)
    assert purse.exceeded() == ("session", 1.0, pytest.approx(1.1))
    purse.settle("1", 0.1)
    assert purse.exceeded() is None, "it cost less than was thought"
    purse.settle("2", None)
    assert (purse.spent, purse.reserved) == (0.1, {})


def test_a_request_that_goes_to_another_lane_is_reserved_once() -> None:
    purse = Purse(Budget(session_usd=1.0))
    purse.reserve("1", 0.9)
    purse.reserve("1", 0.2)
    assert purse.exceeded() is None
    purse.settle("1", 0.2)
    purse.settle("1", None)
    assert purse.spent == 0.2


def test_a_request_that_nobody_reserved_for_is_counted_all_the_same() -> None:
    purse = Purse(Budget(session_usd=1.0))
    purse.settle("1", 1.0)
    assert purse.exceeded() == ("session", 1.0, 1.0)


MONEY = st.floats(0.01, 100)
LIMIT = st.none() | MONEY
BUDGETS = st.builds(Budget, LIMIT, LIMIT, LIMIT, st.sampled_from(["warn", "downgrade", "stop"]))


@few
@given(BUDGETS, BUDGETS)
def test_a_budget_is_only_ever_lowered(one: Budget, other: Budget) -> None:
    found = one.lowered(other)
    assert found.on_exceed == one.on_exceed
    assert set(found.limits) == set(one.limits) | set(other.limits)
    for period, limit in found.limits.items():
        both = [budget.limits[period] for budget in (one, other) if period in budget.limits]
        assert limit == min(both)


@few
@given(st.lists(st.tuples(st.sampled_from("abcd"), MONEY, st.none() | MONEY)))
def test_when_all_is_over_what_was_spent_is_what_was_settled(steps: list[tuple[str, float, float | None]]) -> None:
    purse = Purse(Budget(day_usd=1.0))
    for request, guess, usd in steps:
        purse.reserve(request, guess)
        purse.settle(request, usd)
    assert purse.reserved == {}
    assert purse.spent == pytest.approx(sum(usd or 0.0 for *_, usd in steps))


# --- when it is spent -------------------------------------------------------------------------------------------------


class Spending:
    """A conversation that goes on while its session's money is gone."""

    def __init__(self, budget: Budget) -> None:
        self.purse, self.talk = Purse(budget), begun(COMPLEX)
        routes = router({"strong": STRONG, "cheap": CHEAP}, TWO)
        self.planning = Planning(routes, Meter(table()), lambda: 1_795_000_000.0, self.purse)

    def goes_on(self) -> Placed:
        request = Request("POST", "/v1/messages", [], None)  # type: ignore[arg-type]
        match = formats.match("POST", "/v1/messages")
        body = json.dumps(self.talk.calls().body).encode()
        placed = self.planning.place(
            Inbound(request, claude_says(), match, body, str(len(self.talk.messages)), 0), Format.ANTHROPIC
        )
        self.planning.served(placed, placed.plan.routes[0], Usage(input=20_000, output=600))
        self.purse.settle(str(len(self.talk.messages)), 0.0)
        return placed


def test_to_downgrade_sends_everything_to_the_cheapest_lane_and_to_warn_nothing() -> None:
    for kind, expected in (("downgrade", "cheap"), ("warn", "strong")):
        session = Spending(Budget(session_usd=1.0, on_exceed=kind))  # type: ignore[arg-type]
        assert session.goes_on().plan.routes[0].lane.name == "strong"
        session.purse.settle("1", 1.0)
        placed = session.goes_on()
        assert placed.plan.routes[0].lane.name == expected
        assert placed.over == "the budget of a session is spent"


def test_a_downgraded_conversation_tells_of_no_switch_that_was_not_made() -> None:
    session = Spending(Budget(session_usd=1.0, on_exceed="downgrade"))
    session.goes_on()
    session.purse.settle("1", 1.0)
    for _ in range(3):
        placed = session.goes_on()
        switch, lane = placed.plan.switch, placed.plan.routes[0].lane.name
        assert switch is None or not switch.made or switch.to_lane == lane
