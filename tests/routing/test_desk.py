"""A conversation gets a tier when it begins and keeps its lane while that has it in its cache, unless leaving pays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from asked import (
    CHEAP,
    COMPLEX,
    MEDIUM,
    SIMPLE,
    SONNET,
    STRONG,
    Session,
    Talk,
    begun,
    claude_says,
    claude_title,
    lane,
    list_prices,
    names,
    priced,
)

from lynkr.lane import Auth
from lynkr.routing.settings import Routing, Rule

MIDDLE, LOCAL = lane("middle", SONNET), lane("local", "qwen3:8b", provider="ollama", auth=Auth.NONE)
UNKNOWN = lane("unknown", "claude-made-up")
RATES = {each.name: list_prices(each, 20_000) for each in (STRONG, CHEAP, MIDDLE)}
PAUSE = 301.0


def sonnet(**more: Any) -> Session:
    """A session whose cheap lane is only half as dear as the other: what it saves pays for little."""
    return Session((STRONG, MIDDLE), {"simple": ["middle"], "medium": ["middle"], "complex": ["strong"]}, **more)


# --- the beginning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "tier", "expected"),
    [(SIMPLE, "simple", "cheap"), (MEDIUM, "medium", "cheap"), (COMPLEX, "complex", "strong")],
)
def test_a_conversation_begins_on_the_lane_of_its_tier(prompt: str, tier: str, expected: str) -> None:
    went = Session().goes(begun(prompt))
    assert (went.lane, went.tier, went.switch) == (expected, tier, None)
    assert (went.plan.who, went.plan.known, went.plan.warm) == ("main", 0, False)
    assert went.plan.score is not None and f"{went.plan.score:.2f}" in went.why


def test_the_other_lanes_of_its_tier_come_next_and_then_those_of_the_tiers_above() -> None:
    tiers = {
        "simple": ["cheap", "local"],
        "medium": ["middle"],
        "complex": ["strong", "middle"],
        "reasoning": ["unknown"],
    }
    session = Session((STRONG, CHEAP, MIDDLE, LOCAL, UNKNOWN), tiers)
    assert names(session.goes(begun(SIMPLE)).plan) == ["cheap", "local", "middle", "strong", "unknown"]
    assert names(session.goes(begun(COMPLEX)).plan) == ["strong", "middle", "unknown"]


def test_a_tier_without_lanes_has_those_above_it_or_else_those_below() -> None:
    assert Session(tiers={"simple": ["cheap"], "complex": ["strong"]}).goes(begun(MEDIUM)).lane == "strong"
    assert Session(tiers={"simple": ["cheap"], "medium": ["strong"]}).goes(begun(COMPLEX)).lane == "strong"


def test_it_begins_on_a_cheaper_lane_only_if_the_way_back_would_be_paid_for() -> None:
    dear, little_less = priced("strong", 5, 0.2, 20), priced("cheap", 4.8, 0.19, 19)
    session = Session((dear, little_less))
    went = session.goes(begun(SIMPLE))
    assert (went.lane, went.tier) == ("strong", "complex")
    assert "from lane 'cheap' the way back would not pay" in went.why
    assert session.goes(begun(f"/tier simple {SIMPLE}")).lane == "cheap", "the user's word is not weighed"
    assert Session((dear, priced("cheap", 2.5, 0.1, 10))).goes(begun(SIMPLE)).lane == "cheap"
    assert Session((dear, priced("cheap", 9, 0.9, 40))).goes(begun(SIMPLE)).lane == "strong"


@pytest.mark.parametrize(
    "cheap", [UNKNOWN, LOCAL._replace(name="unknown"), LOCAL._replace(name="unknown", auth=Auth.KEY)]
)
def test_where_a_price_is_not_known_or_nothing_it_goes_where_its_tier_says(cheap: Any) -> None:
    session = Session((STRONG, cheap), {"simple": ["unknown"], "complex": ["strong"]})
    assert session.goes(begun(SIMPLE)).lane == "unknown"
    assert session.goes(begun(COMPLEX)).lane == "strong"


def test_conversations_do_not_disturb_each_other() -> None:
    session = Session()
    one, other, agent = begun(SIMPLE), begun(COMPLEX), begun(SIMPLE)
    assert [session.goes(each).lane for each in (one, other)] == ["cheap", "strong"]
    for _ in range(3):
        assert session.goes(one.calls()).lane == "cheap"
        assert session.goes(other.calls()).lane == "strong"
        assert session.goes(agent, named=claude_says("subagent", "agent-1")).plan.who == "subagent"
    keys = {
        session.goes(each, named=named).plan.key
        for each, named in ((one, None), (other, None), (agent, claude_says("subagent", "a")))
    }
    assert len(keys) == 3


def test_a_conversation_that_has_begun_elsewhere_goes_on_where_it_would_without_routing() -> None:
    session = Session()
    went = session.goes(begun(SIMPLE).calls())
    assert (went.lane, went.tier) == ("strong", "complex")
    assert went.why.startswith("goes on from before; scores 0.")
    assert session.goes(begun(f"{SIMPLE} /tier simple").calls()).lane == "cheap", "the user's word is not weighed"


def test_the_same_words_said_again_begin_anew() -> None:
    session = Session()
    talk = begun(SIMPLE)
    session.goes(talk)
    session.trouble(talk)
    assert session.goes(talk.calls()).lane == "strong"
    again = session.goes(begun(SIMPLE))
    assert (again.lane, again.plan.known, again.switch) == ("cheap", 0, None)


# --- staying ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [SIMPLE, "yes", "commit and push"])
def test_it_never_comes_down_while_it_is_cached(prompt: str) -> None:
    session, talk = Session(), begun(COMPLEX)
    session.goes(talk)
    for _ in range(4):
        went = session.goes(talk.answers().says(prompt), after=299.0)
        assert (went.lane, went.tier, went.switch) == ("strong", "complex", None)
        assert went.plan.warm


def test_after_a_pause_so_long_that_nothing_is_cached_it_is_chosen_again() -> None:
    session, talk = Session(), begun(COMPLEX)
    session.goes(talk)
    down = session.goes(talk.answers().says(SIMPLE), after=300.0)
    assert (down.lane, down.tier, down.plan.known) == ("cheap", "simple", 0)
    assert down.switch is not None and (down.switch.kind, down.switch.tokens, down.switch.cost_usd) == ("cold", 0, 0.0)
    up = session.goes(talk.answers().says(COMPLEX), after=PAUSE)
    assert up.switch is not None
    assert (up.lane, up.switch.kind, up.switch.from_tier, up.switch.to_tier) == ("strong", "cold", "simple", "complex")


@pytest.mark.parametrize("word", ["yes", "go on", "ok", "continue please", "is that right?"])
def test_a_word_after_a_pause_does_not_bring_it_down(word: str) -> None:
    session, talk = Session(), begun(COMPLEX)
    session.goes(talk)
    went = session.goes(talk.answers().says(word), after=PAUSE)
    assert (went.lane, went.switch) == ("strong", None)


def test_a_tool_that_takes_long_is_no_moment_to_choose_again() -> None:
    session, talk = Session(), begun(COMPLEX)
    session.goes(talk)
    for _ in range(3):
        assert session.goes(talk.calls(), after=1000.0).lane == "strong"


def test_a_request_that_is_sent_again_changes_nothing() -> None:
    session, talk = Session(), begun(SIMPLE)
    session.goes(talk)
    session.goes(talk.answers().says(COMPLEX))
    lanes = {session.goes(talk).lane for _ in range(3)}
    assert lanes == {"strong"}


# --- up ---------------------------------------------------------------------------------------------------------------


def test_a_harder_prompt_goes_up_once_that_is_paid_for_and_the_sum_is_told() -> None:
    session, talk = Session(), begun(SIMPLE)
    session.goes(talk)
    went = session.goes(talk.answers().says(COMPLEX))
    strong, cheap = RATES["strong"], RATES["cheap"]
    assert strong and cheap and went.switch
    assert (went.lane, went.tier) == ("strong", "complex")
    assert (went.switch.kind, went.switch.made, went.switch.from_lane, went.switch.to_lane) == (
        "prompt",
        True,
        "cheap",
        "strong",
    )
    assert went.switch.tokens == 20_600, "prompt and answer of the last request"
    assert went.switch.cost_usd == pytest.approx(20_600 * (strong.new - strong.read))
    saved = 20_000 * (strong.new - cheap.new) + 600 * (strong.output - cheap.output)
    assert went.switch.worth_usd == pytest.approx(saved)
    assert session.goes(talk.calls()).switch is None


def test_until_it_is_paid_for_it_stays_and_says_so_once() -> None:
    session, talk = sonnet(), begun(SIMPLE)
    session.goes(talk)
    went = session.goes(talk.answers().says(COMPLEX))
    assert (went.lane, went.tier) == ("middle", "simple")
    assert went.switch and not went.switch.made and went.switch.cost_usd > went.switch.worth_usd  # type: ignore[operator]
    saved = went.switch.worth_usd
    later = [session.goes(talk.calls()) for _ in range(12)]
    made = [each for each in later if each.switch]
    assert len(made) == 1 and made[0].switch and made[0].switch.made
    assert made[0].switch.worth_usd >= made[0].switch.cost_usd > saved  # type: ignore[operator]
    lanes = [each.lane for each in later]
    assert lanes == sorted(lanes), "first the middle one, then the strong one to the end"
    assert set(lanes) == {"middle", "strong"}


@pytest.mark.parametrize(
    ("why", "steps"),
    [
        ("the same failure 3 times", [("FAILED tests/a.py::b", None)] * 3),
        ("tool results are failures", [("error: a", None), ("fatal: b", None), ("panic: c", None), ("exit status 1", None), ("npm ERR! e", None)]),
        ("the same call 3 times", [("error: a", "pytest"), ("ok", "pytest"), ("fatal: b", "pytest")]),
    ],
)  # fmt: skip
def test_work_that_proves_harder_than_it_looked_goes_up(why: str, steps: list[tuple[str, str | None]]) -> None:
    session, talk = Session(), begun(SIMPLE)
    lanes = [session.goes(talk).lane]
    for result, command in steps:
        went = session.goes(talk.calls(result, command=command))
        lanes.append(went.lane)
    assert lanes == [*["cheap"] * len(steps), "strong"]
    assert went.switch and (went.switch.kind, went.switch.made) == ("trouble", True)
    assert why in went.switch.why


def test_a_model_that_gives_up_is_helped() -> None:
    session, talk = Session(), begun(SIMPLE)
    session.goes(talk)
    went = session.goes(talk.calls(words="I am unable to fix this. I look once more."))
    assert went.lane == "strong" and went.switch and went.switch.why == "the model gives up"


def test_simple_work_that_has_taken_twenty_calls_was_none() -> None:
    session, talk = Session(), begun(SIMPLE)
    session.goes(talk)
    lanes = [session.goes(talk.calls()).lane for _ in range(20)]
    assert lanes == ["cheap"] * 19 + ["strong"]
    medium, talk = Session(), begun(MEDIUM)
    medium.goes(talk)
    assert {medium.goes(talk.calls()).lane for _ in range(40)} == {"cheap"}


def test_the_users_word_and_a_rule_are_not_overruled_by_trouble() -> None:
    session, talk = Session(), begun(f"/tier simple {COMPLEX}")
    session.goes(talk)
    assert session.trouble(talk, 6).lane == "cheap"
    ruled = Session(routing=Routing(rules=(Rule(1, lane="cheap", who="main"),)))
    talk = begun(COMPLEX)
    ruled.goes(talk)
    assert ruled.trouble(talk, 6).lane == "cheap"


def test_where_nobody_is_above_trouble_changes_nothing() -> None:
    session, talk = Session(), begun(COMPLEX)
    session.goes(talk)
    went = session.trouble(talk, 8)
    assert (went.lane, went.switch) == ("strong", None)


def test_a_lane_without_a_known_price_is_gone_up_to_at_once() -> None:
    session = Session((UNKNOWN, CHEAP), {"simple": ["cheap"], "complex": ["unknown"]})
    talk = begun(SIMPLE)
    session.goes(talk)
    went = session.goes(talk.answers().says(COMPLEX))
    assert went.lane == "unknown" and went.switch and (went.switch.cost_usd, went.switch.made) == (None, True)


def test_what_a_free_lane_has_saved_pays_for_leaving_it() -> None:
    session = Session((STRONG, LOCAL), {"simple": ["local"], "complex": ["strong"]})
    talk = begun(SIMPLE)
    session.goes(talk)
    went = session.goes(talk.answers().says(COMPLEX))
    assert went.lane == "strong" and went.switch and went.switch.worth_usd == pytest.approx(20_000 * 5e-6 + 600 * 20e-6)


@pytest.mark.parametrize("make", [Session, sonnet])
def test_it_never_goes_back_and_forth(make: Any) -> None:
    session, talk = make(), begun(SIMPLE)
    lanes = [session.goes(talk).lane]
    for n in range(30):
        lanes.append(session.goes(talk.answers().says(SIMPLE if n % 2 else COMPLEX)).lane)
        lanes.append(session.trouble(talk, 3).lane)
    assert sum(one != other for one, other in pairwise(lanes)) == 1


# --- the user's own choice --------------------------------------------------------------------------------------------


def test_the_marker_moves_it_at_once_up_and_down() -> None:
    session, talk = sonnet(), begun(SIMPLE)
    session.goes(talk)
    up = session.goes(talk.answers().says("/tier complex go on"))
    assert (up.lane, up.why) == ("strong", "the prompt says /tier complex")
    assert up.switch and (up.switch.kind, up.switch.made, up.switch.cost_usd) == (
        "user",
        True,
        pytest.approx(20_600 * 4.8e-6),
    )
    assert session.goes(talk.calls()).lane == "strong"
    down = session.goes(talk.answers().says("/tier simple the rest"))
    assert down.lane == "middle" and down.switch and down.switch.kind == "user"
    assert session.goes(talk.answers().says(COMPLEX)).lane == "middle", "it holds from there on"


def test_auto_gives_the_choice_back_and_trouble_counts_again() -> None:
    session, talk = Session(), begun(f"/tier simple {SIMPLE}")
    session.goes(talk)
    assert session.goes(talk.answers().says(f"/tier auto {SIMPLE}")).lane == "cheap"
    assert session.trouble(talk).lane == "strong"


def test_a_prompt_after_going_back_in_a_conversation_is_heard() -> None:
    session, talk = Session(), begun(SIMPLE)
    session.goes(talk)
    for _ in range(3):
        session.goes(talk.calls())
    back = Talk(talk.messages[:1]).answers().says("/tier complex another way")
    assert session.goes(back).lane == "strong"


# --- rules ------------------------------------------------------------------------------------------------------------

REVIEW = Routing(rules=(Rule(1, lane="local", words=("review",)),))
THREE = {"simple": ["cheap"], "medium": ["cheap"], "complex": ["strong"]}


def test_a_rules_lane_is_the_only_one_that_is_asked() -> None:
    session = Session((STRONG, CHEAP, LOCAL), THREE, REVIEW)
    went = session.goes(begun(f"review this. {COMPLEX}"))
    assert names(went.plan) == ["local"]
    assert went.why == "rule 1 of the profile: lane local"
    assert names(session.goes(begun(COMPLEX)).plan) == ["strong"]


def test_what_no_tier_can_serve_goes_down_the_lane_of_a_rule_whatever_is_asked() -> None:
    strong, cheap = (lane(name, "gpt-5.5", provider="openai", auth=Auth.CLIENT) for name in ("strong", "cheap"))
    session = Session((strong, cheap, lane("local", auth=Auth.CLIENT)), THREE, REVIEW)
    talk = begun(SIMPLE)
    assert names(session.goes(talk).plan) == ["local"]
    for words in (COMPLEX, "review it", "/tier complex go on"):
        assert names(session.goes(talk.answers().says(words)).plan) == ["local"]
    assert session.trouble(talk).lane == "local"
    title = session.goes(claude_title(SIMPLE))
    assert names(title.plan) == ["local"]


@pytest.mark.parametrize(
    "routing", [Routing(rules=(Rule(1, tier="complex", words=("now",)),)), Routing(models={"*fable*": "complex"})]
)
def test_a_tier_that_a_rule_or_a_model_gives_is_gone_up_to_once_it_is_paid_for(routing: Routing) -> None:
    session, talk = sonnet(routing=routing), begun(SIMPLE)
    session.goes(talk)
    talk.more = {"model": "claude-fable-5-1"}
    went = session.goes(talk.answers().says("now mend it"))
    assert went.lane == "middle" and went.switch and not went.switch.made
    assert {session.goes(talk.calls()).lane for _ in range(12)} == {"middle", "strong"}


def test_a_switch_that_is_told_as_made_was_made() -> None:
    session, talk = Session((STRONG, CHEAP, LOCAL), THREE, REVIEW), begun("review the name of this variable")
    session.goes(talk)
    went = session.goes(talk.answers().says(COMPLEX))
    assert went.switch and went.switch.made
    assert went.lane == went.switch.to_lane == "strong"


# --- when a lane does not answer --------------------------------------------------------------------------------------

FIRST = priced("first", 5, 0.2, 20)


def failed_over(other: Any) -> tuple[Session, Talk]:
    """A conversation that its tier's first lane did not serve."""
    session = Session((FIRST, other), {"simple": [other.name], "complex": ["first", other.name]})
    talk = begun(COMPLEX)
    session.goes(talk)
    went = session.goes(talk.calls(), by=other.name)
    assert went.switch and (went.switch.kind, went.switch.from_lane, went.switch.to_lane) == (
        "fallback",
        "first",
        other.name,
    )
    assert went.switch.tokens == 20_600
    return session, talk


def test_after_a_failure_it_goes_home_where_that_pays() -> None:
    session, talk = failed_over(priced("dear", 50, 5, 200))
    went = session.goes(talk.calls())
    assert went.lane == "first" and went.switch
    assert (went.switch.kind, went.switch.from_lane, went.switch.calls) == ("return", "dear", 15)
    assert went.switch.cost_usd == pytest.approx(20_600 * 4.8e-6)
    saves = 20_600 * 4.8e-6 + 2000 * 45e-6 + 600 * 180e-6
    assert went.switch.worth_usd == pytest.approx(15 * saves)


@pytest.mark.parametrize("other", [priced("other", 5, 0.2, 20), priced("other", 2, 0.1, 10)])
def test_it_stays_with_whoever_stepped_in_where_coming_home_does_not_pay_until_nothing_is_cached(other: Any) -> None:
    session, talk = failed_over(other)
    for _ in range(3):
        went = session.goes(talk.calls())
        assert (went.lane, went.switch) == ("other", None)
        assert names(went.plan) == ["other", "first"], "the first one still steps in"
        assert went.plan.warm
    home = session.goes(talk.calls(), after=PAUSE)
    assert home.lane == "first" and home.switch and (home.switch.kind, home.switch.cost_usd) == ("return", 0.0)


def test_with_unknown_prices_it_goes_home_at_once() -> None:
    session, talk = failed_over(UNKNOWN._replace(name="other"))
    assert session.goes(talk.calls()).lane == "first"


def test_a_conversation_that_nobody_has_answered_yet_begins_anew() -> None:
    session, talk = Session(), begun(SIMPLE)
    session.desk.plan(session.ask(talk))
    talk.messages[0]["content"][0]["text"] = SIMPLE
    assert session.goes(talk).switch is None
