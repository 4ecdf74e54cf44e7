"""Housekeeping goes to whoever is cheapest; verdicts, long prompts and compaction go only where they can be served."""

from __future__ import annotations

import pytest
from asked import (
    CHEAP,
    COMPLEX,
    HAIKU,
    OPUS,
    SIMPLE,
    SONNET,
    STRONG,
    SUM_UP,
    TWO,
    Session,
    begun,
    claude_says,
    claude_title,
    lane,
    names,
    priced,
)

from lynkr.lane import Auth
from lynkr.routing.settings import Routing, Rule

MIDDLE, LOCAL = lane("middle", SONNET), lane("local", "qwen3:8b", provider="ollama", auth=Auth.NONE)
UNKNOWN = lane("unknown", "claude-made-up")
PAUSE = 301.0

# --- housekeeping -----------------------------------------------------------------------------------------------------

ALL = (STRONG, MIDDLE, CHEAP, LOCAL, UNKNOWN)
ALL_TIERS = {"simple": ["middle"], "medium": ["cheap"], "complex": ["strong", "unknown"], "reasoning": ["local"]}


def test_housekeeping_goes_to_the_cheapest_that_can_do_it_wherever_its_conversation_is() -> None:
    session = Session(ALL, ALL_TIERS)
    talk = begun(COMPLEX)
    session.goes(talk)
    went = session.goes(claude_title(COMPLEX), tokens=400)
    assert names(went.plan) == ["local", "cheap", "middle", "strong", "unknown"]
    assert (went.plan.who, went.switch, went.plan.seat) == ("title", None, None)
    assert "housekeeping (title)" in went.why
    assert session.goes(talk.calls()).lane == "strong"


def test_of_equally_dear_lanes_the_lower_tiers_does_the_housekeeping() -> None:
    one, other = priced("one", 1, 1, 1), priced("other", 1, 1, 1)
    session = Session((one, other), {"complex": ["one"], "simple": ["other"]})
    assert session.goes(claude_title("x"), tokens=400).lane == "other"


def test_what_is_cheap_for_little_may_be_dear_for_much() -> None:
    flat = priced("flat", 0.3, 0.3, 0.6)
    session = Session((STRONG, CHEAP, flat), {"simple": ["cheap"], "medium": ["flat"], "complex": ["strong"]})
    assert session.goes(claude_title("x"), tokens=400).lane == "cheap"
    assert session.goes(claude_title("x"), tokens=150_000).lane == "flat", "haiku costs five times as much from 100k on"


def test_housekeeping_needs_a_lane_that_it_fits_into() -> None:
    session = Session((STRONG, CHEAP, LOCAL._replace(context=4000)), {**TWO, "medium": ["local"]})
    assert session.goes(claude_title("x"), tokens=400).lane == "local"
    assert names(session.goes(claude_title("x"), tokens=4000).plan) == ["cheap", "strong"]


def test_a_rule_says_where_housekeeping_goes() -> None:
    for rule in (Rule(1, lane="strong", who="title"), Rule(1, tier="complex", who="title")):
        session = Session(routing=Routing(rules=(rule,)))
        went = session.goes(claude_title("x"), tokens=400)
        assert (went.lane, went.why.startswith("rule 1 ")) == ("strong", True)


def test_the_title_of_a_prompt_with_a_marker_is_housekeeping_all_the_same() -> None:
    assert Session().goes(claude_title(f"/tier complex {COMPLEX}"), tokens=400).lane == "cheap"


# --- verdicts, contexts, compaction -----------------------------------------------------------------------------------

GUARDED = {"safeguards": [{"type": "dangerous_tool_use"}]}


def test_a_verdict_is_asked_only_of_a_lane_whose_model_gives_one() -> None:
    session = Session(
        (STRONG, CHEAP, LOCAL), {"simple": ["local", "cheap"], "complex": ["strong"]}, verdicts=frozenset(("strong",))
    )
    assert names(session.goes(begun(SIMPLE, **GUARDED)).plan) == ["strong"]
    assert names(session.goes(begun(f"/tier simple {SIMPLE}", **GUARDED)).plan) == ["strong"]
    assert session.goes(begun(f"{SIMPLE} Please.")).lane == "local"


def test_where_no_model_gives_a_verdict_it_is_served_all_the_same() -> None:
    went = Session().goes(begun(SIMPLE, **GUARDED))
    assert sorted(names(went.plan)) == ["cheap", "strong"]


def test_what_does_not_fit_goes_to_a_lane_with_a_longer_context() -> None:
    small = CHEAP._replace(context=30_000)
    session, talk = Session((STRONG, small)), begun(SIMPLE)
    assert session.goes(talk, tokens=29_999).lane == "cheap"
    assert session.goes(talk.calls(), tokens=30_000).lane == "strong"
    assert session.goes(talk.calls(), tokens=31_000).lane == "strong"
    assert session.goes(begun(f"{SIMPLE} Please."), tokens=31_000).lane == "strong"


def test_where_it_fits_nowhere_a_lane_says_so_itself() -> None:
    session = Session((STRONG._replace(context=1000), CHEAP._replace(context=500)))
    assert session.goes(begun(SIMPLE), tokens=5000).plan.routes


@pytest.mark.parametrize("after", [20.0, PAUSE])
@pytest.mark.parametrize(("prompt", "expected"), [(SIMPLE, "cheap"), (COMPLEX, "strong")])
def test_compaction_stays_with_its_conversation(prompt: str, expected: str, after: float) -> None:
    session, talk = Session(), begun(prompt)
    session.goes(talk)
    went = session.goes(
        talk.answers().says(f"{SUM_UP} {COMPLEX if expected == 'cheap' else SIMPLE}"),
        after,
        named=claude_says("compaction"),
    )
    assert (went.plan.who, went.lane, went.switch) == ("compaction", expected, None)


def test_a_rule_says_where_compaction_goes() -> None:
    session = Session(routing=Routing(rules=(Rule(1, lane="cheap", who="compaction"),)))
    talk = begun(COMPLEX)
    session.goes(talk)
    assert session.goes(talk.answers().says(SUM_UP), named=claude_says("compaction")).lane == "cheap"


# --- the session ------------------------------------------------------------------------------------------------------


def test_the_cheapest_lane_is_found_for_whoever_has_no_money_left() -> None:
    session = Session(ALL, ALL_TIERS)
    routes = session.desk.cheapest(session.ask(begun(COMPLEX)), "the budget of a day is spent")
    assert [route.lane.name for route in routes] == ["local", "cheap", "middle", "strong", "unknown"]
    assert {route.why for route in routes} == {"the budget of a day is spent"}
    assert [route.tier for route in routes] == ["reasoning", "medium", "simple", "complex", "complex"]


def test_a_model_that_the_tool_asks_for_decides_where_the_profile_says_so() -> None:
    session = Session(routing=Routing(models={"*haiku*": "simple", "*opus*": "complex"}))
    assert session.goes(begun(COMPLEX, model=HAIKU)).lane == "cheap"
    assert session.goes(begun(SIMPLE, model=OPUS)).lane == "strong"


def test_only_so_many_conversations_are_remembered() -> None:
    session = Session()
    for n in range(600):
        session.goes(begun(f"{COMPLEX} {n}"))
    last, first = begun(f"{COMPLEX} 599"), begun(f"{COMPLEX} 0")
    assert session.goes(last.calls()).plan.known
    assert not session.goes(first.calls()).plan.known
