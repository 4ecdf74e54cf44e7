"""A request goes to the first lane of its tier that speaks its format; where none does the error says what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.errors import ClientError
from lynkr.lane import Auth, Format, Lane
from lynkr.routing import TIERS
from lynkr.routing.router import DEFAULT_TIER, Router, router
from lynkr.routing.settings import Routing, Rule

few = settings(max_examples=60, deadline=None)


def lane(name: str, *formats: Format) -> Lane:
    return Lane(name, "openai", formats or (Format.ANTHROPIC,), Auth.CLIENT)


A = lane("a", Format.ANTHROPIC)
B = lane("b", Format.OPENAI_RESPONSES, Format.OPENAI_CHAT)
C = lane("c", Format.ANTHROPIC, Format.GEMINI)
LANES = {found.name: found for found in (A, B, C)}


def names(found: Router) -> list[str]:
    return [lane.name for lane in found.lanes]


def test_the_first_lane_that_speaks_the_format_is_taken() -> None:
    found = Router((A, B, C), "complex", "because")
    assert found.serving(Format.ANTHROPIC)[0] == A
    assert found.serving(Format.OPENAI_CHAT)[0] is B
    assert found.serving(Format.GEMINI)[0] is C


def test_where_no_lane_speaks_the_format_the_error_says_which_do_and_the_way_out() -> None:
    with pytest.raises(ClientError) as caught:
        Router((A, B), "complex", "").serving(Format.GEMINI)
    error = caught.value
    assert (error.status, error.kind, error.retry) == (400, "format_not_spoken", False)
    assert "speaks gemini" in error.sentence
    assert "lane 'a' speaks anthropic" in error.sentence
    assert "lane 'b' speaks openai-responses and openai-chat" in error.sentence
    assert "--profile direct" in error.sentence


def test_a_lane_with_a_credential_of_its_own_serves_every_format() -> None:
    keyed = B._replace(auth=Auth.KEY)
    assert Router((A, keyed, C), "complex", "").serving(Format.GEMINI)[0] is keyed
    assert Router((keyed, A), "complex", "").serving(Format.ANTHROPIC)[0] is keyed


def test_what_cannot_be_translated_needs_a_lane_that_speaks_its_format() -> None:
    own = A._replace(auth=Auth.KEY)
    found = Router((B._replace(auth=Auth.KEY), own), "complex", "")
    assert found.serving(Format.ANTHROPIC, as_it_is=True)[0] is own
    with pytest.raises(ClientError) as caught:
        found.serving(Format.GEMINI, as_it_is=True)
    assert caught.value.status == 404


def test_a_tool_that_got_a_placeholder_for_a_key_sends_nothing_down_a_lane_that_wants_its_login() -> None:
    found = Router((B._replace(auth=Auth.KEY), A), "complex", "")
    assert [lane.name for lane in found.serving(Format.ANTHROPIC)] == ["b"]
    with pytest.raises(ClientError):
        found.serving(Format.ANTHROPIC, as_it_is=True)


def test_what_speaks_nothing_known_goes_down_the_only_lane_or_none() -> None:
    assert Router((A,), "complex", "").serving(None)[0] is A
    with pytest.raises(ClientError, match="--lane"):
        Router((A, B), "complex", "").serving(None)


def test_the_tier_complex_serves_all_in_its_order() -> None:
    found = router(LANES, {"simple": ["b"], "complex": ["c", "a"]})
    assert (names(found)[:2], found.tier) == (["c", "a"], DEFAULT_TIER)
    off = router(LANES, {"simple": ["b"], "complex": ["c", "a"]}, Routing(mode="off"))
    assert (names(off), off.tier, off.tiers) == (["c", "a"], DEFAULT_TIER, {})


def test_a_pinned_lane_is_the_only_one() -> None:
    found = router(LANES, {"complex": ["a"]}, lane="b")
    assert (names(found), found.tier, found.why) == (["b"], DEFAULT_TIER, "pinned by --lane")


def test_a_pinned_tier_is_served_by_its_own_lanes() -> None:
    found = router(LANES, {"complex": ["a"], "simple": ["b", "c"]}, tier="simple")
    assert (names(found), found.tier, found.why) == (["b", "c"], "simple", "pinned by --tier")


def test_a_pinned_lane_keeps_the_tier_that_is_pinned_too() -> None:
    found = router(LANES, {"simple": ["a"]}, lane="b", tier="simple")
    assert (names(found), found.tier) == (["b"], "simple")


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ({"simple": ["a"], "reasoning": ["b"]}, ["b"]),
        ({"simple": ["a"], "medium": ["c"]}, ["c"]),
        ({"complex": [], "simple": ["a"]}, ["a"]),
        ({}, ["a", "b", "c"]),
        ({"complex": []}, ["a", "b", "c"]),
    ],
)
def test_without_the_tier_complex_the_hardest_one_serves_all(tiers: dict[str, list[str]], expected: list[str]) -> None:
    assert names(router(LANES, tiers))[: len(expected)] == expected


def test_a_profile_without_tiers_says_that_its_first_lane_was_taken() -> None:
    assert router(LANES, {}).why == "first lane of the profile"
    assert router(LANES, {"simple": ["a"]}).why == "first lane of the tier"


def test_where_no_tier_can_serve_a_format_the_lane_of_a_rule_does_that_can() -> None:
    rule = Rule(1, lane="b", words=("review",))
    found = router(LANES, {"simple": ["a"], "complex": ["c"]}, Routing(rules=(rule,)))
    assert [found.of_tier(tier, Format.OPENAI_CHAT) for tier in TIERS] == [(B,)] * len(TIERS)
    assert found.of_tier("simple", Format.ANTHROPIC) == (A, C), "where one can, it is not asked"
    assert found.chooses(Format.OPENAI_CHAT)


TIERED = st.dictionaries(st.sampled_from(TIERS), st.lists(st.sampled_from(sorted(LANES)), max_size=3))


@few
@given(TIERED, st.sampled_from([None, *TIERS]), st.sampled_from([None, *LANES]), st.sampled_from(list(Format)))
def test_always_a_lane_that_speaks_the_format_or_a_reason(
    tiers: Mapping[str, Sequence[str]], tier: str | None, pinned: str | None, spoken: Format
) -> None:
    found = router(LANES, tiers, lane=pinned, tier=tier)
    assert found.lanes
    if any(spoken in lane.formats for lane in found.lanes):
        assert spoken in found.serving(spoken)[0].formats
    else:
        with pytest.raises(ClientError, match="no lane of the profile can"):
            found.serving(spoken)
