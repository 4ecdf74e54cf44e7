"""The first that has something to say gives the tier: the marker, a rule, the model asked for, the score of the words.

Why it was that one goes into the ledger, so it never holds a prompt's own words.
"""

from __future__ import annotations

import time

import pytest
from asked import COMPLEX, MEDIUM, SIMPLE
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.routing import TIERS
from lynkr.routing.score import score, weights
from lynkr.routing.settings import Routing, Rule
from lynkr.routing.tiers import TierChoice, Work, by_score, scored, tier_of

few = settings(max_examples=150, deadline=None)


def main(prompt: str, model: str = "claude-opus-5-5", *calls: tuple[str, str], who: str = "main") -> Work:
    return Work(who, model, prompt, calls)


def ruled(found: Work, **conditions: object) -> bool:
    """Whether a rule with these conditions is the one that decides."""
    rule = Rule(1, tier="reasoning", **conditions)  # type: ignore[arg-type]
    return tier_of(found, Routing(rules=(rule,))).why.startswith("rule 1 ")


# --- the order --------------------------------------------------------------------------------------------------------

RULE = Rule(1, tier="medium", words=("port",))
MODELS = {"*haiku*": "simple", "*opus*": "reasoning"}


def test_the_marker_comes_before_a_rule_that_before_the_model_and_that_before_the_score() -> None:
    found, all_ = main(SIMPLE), Routing(models=MODELS, rules=(RULE,))
    by_hand = tier_of(found, all_, "complex")
    assert by_hand == TierChoice("complex", "the prompt says /tier complex", by_hand=True)
    assert tier_of(found, all_)[:3] == ("medium", "rule 1 of the profile: tier medium", None)
    by_model = tier_of(found, Routing(models=MODELS))
    assert (by_model.tier, by_model.score) == ("reasoning", None)
    assert "claude-opus-5-5" in by_model.why
    by_words = tier_of(found, Routing())
    assert (by_words.tier, by_words.score) == ("simple", score(SIMPLE).value)


@pytest.mark.parametrize("marked", ["auto", None])
def test_auto_gives_the_choice_back(marked: str | None) -> None:
    assert tier_of(main(SIMPLE), Routing(rules=(RULE,)), marked).tier == "medium"
    assert tier_of(main(SIMPLE), Routing(), marked).tier == "simple"


@pytest.mark.parametrize("tier", TIERS)
def test_each_tier_can_be_named(tier: str) -> None:
    assert tier_of(main(COMPLEX), Routing(), tier).tier == tier
    assert tier_of(main(COMPLEX), Routing(models={"*": tier})).tier == tier
    assert tier_of(main(COMPLEX), Routing(rules=(Rule(1, tier=tier, who="main"),))).tier == tier


def test_the_first_rule_that_fits_counts() -> None:
    rules = (
        Rule(1, tier="simple", words=("lexer",)),
        Rule(2, tier="reasoning", who="main"),
        Rule(3, tier="medium", who="main"),
    )
    assert tier_of(main("fix the parser"), Routing(rules=rules)).why == "rule 2 of the profile: tier reasoning"
    assert tier_of(main("fix the lexer"), Routing(rules=rules)).tier == "simple"


def test_a_rule_that_names_a_lane_leaves_the_tier_to_the_score() -> None:
    found = tier_of(main(COMPLEX), Routing(rules=(Rule(1, lane="local", who="main"),)))
    assert (found.tier, found.lane, found.score) == ("complex", "local", None)
    assert found.why == "rule 1 of the profile: lane local"


def test_the_first_pattern_of_models_that_fits_counts_whatever_the_case() -> None:
    models = {"Claude-*": "medium", "*haiku*": "simple"}
    assert tier_of(main(COMPLEX, "claude-haiku-5-5"), Routing(models=models)).tier == "medium"
    assert tier_of(main(COMPLEX, "GPT-5-MINI"), Routing(models={"*-mini": "simple"})).tier == "simple"
    assert tier_of(main(COMPLEX, "gpt-5-mini-high"), Routing(models={"*-mini": "simple"})).tier == "complex"


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "prompt", "fits"),
    [
        ("review", "Review the change", True),
        ("review", "a review.", True),
        ("review", "(review)", True),
        ("review", "reviewer", False),
        ("review", "preview it", False),
        ("code review", "do a code review now", True),
        ("c++", "port it to C++ now", True),
        (".env", "see .env", True),
        ("größe", "die Größe ändern", True),
        ("a.b", "axb", False),
    ],
)
def test_words_are_whole_and_any_of_them_is_enough(word: str, prompt: str, fits: bool) -> None:
    assert ruled(main(prompt), words=(word,)) is fits
    assert ruled(main(prompt), words=("zzz", word)) is fits


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("billing/*", "billing/invoice.py", True),
        ("billing/*", "billing/deep/down/invoice.py", True),
        ("billing/*", "/home/me/project/billing/invoice.py", True),
        ("billing/*", "./billing/invoice.py", True),
        ("billing/*", "mybilling/invoice.py", False),
        ("billing/*", "invoice.py", False),
        ("*.sql", "db/schema.sql", True),
        ("*.sql", "schema.sql", True),
        ("*.sql", "schema.sqlite", False),
        ("src/*/auth.py", "src/web/auth.py", True),
    ],
)
def test_a_path_stands_in_the_prompt_or_in_a_call(pattern: str, path: str, fits: bool) -> None:
    assert ruled(main(f"look at {path}, please"), path=pattern) is fits
    assert ruled(main(f"look at `{path}`."), path=pattern) is fits
    assert ruled(main("look", "m", ("Read", f'{{"file_path": "{path}"}}')), path=pattern) is fits


def test_a_tool_is_one_that_was_called() -> None:
    found = main("go on", "m", ("Read", "{}"), ("mcp__jira__search", "{}"))
    assert ruled(found, tool="mcp__jira__*")
    assert ruled(found, tool="Read")
    assert not ruled(found, tool="Write")
    assert not ruled(main("use mcp__jira__search"), tool="mcp__jira__*")


@pytest.mark.parametrize(
    ("pattern", "fits"), [("*opus*", True), ("claude-*", True), ("CLAUDE-OPUS-5-5", True), ("opus", False)]
)
def test_a_model_is_the_one_asked_for(pattern: str, fits: bool) -> None:
    assert ruled(main("x"), model=pattern) is fits


def test_who_asks_is_one_of_those_told_apart() -> None:
    assert ruled(main("x", who="subagent"), who="subagent")
    assert not ruled(main("x"), who="subagent")


def test_all_of_a_rules_conditions_must_hold() -> None:
    found = main("review billing/a.py", "claude-opus-5-5", ("Read", "{}"))
    conditions = {"who": "main", "model": "*opus*", "words": ("review",), "path": "billing/*", "tool": "Read"}
    fails = {"who": "subagent", "model": "*haiku*", "words": ("mend",), "path": "web/*", "tool": "Write"}
    assert ruled(found, **conditions)
    for name, value in fails.items():
        assert not ruled(found, **{**conditions, name: value}), name


@pytest.mark.parametrize("piece", ["x", "-", "a."])
def test_a_long_word_is_looked_at_once(piece: str) -> None:
    found = main(piece * (100_000 // len(piece)))
    begun = time.process_time()
    ruled(found, path="billing/*")
    assert time.process_time() - begun < 0.5


# --- the score --------------------------------------------------------------------------------------------------------


def test_the_prompts_of_these_tests_are_clearly_of_their_tiers() -> None:
    limits = weights()["tiers"]
    assert score(SIMPLE).value < limits["medium"] - 0.1
    assert limits["medium"] + 0.05 < score(MEDIUM).value < limits["complex"] - 0.05
    assert limits["complex"] + 0.05 < score(COMPLEX).value < limits["reasoning"]


def test_a_tier_begins_at_its_limit() -> None:
    assert by_score(0.0) == "simple"
    for tier, limit in weights()["tiers"].items():
        assert by_score(limit) == tier
        assert TIERS.index(by_score(limit - 1e-6)) == TIERS.index(tier) - 1
    assert by_score(1.0) == "reasoning"


@pytest.mark.parametrize(
    ("prompt", "least"),
    [
        ("think hard about the name of this variable", "complex"),
        ("What is it? Ultrathink", "complex"),
        ("is the password ok?", "medium"),
        ("what does the payment page say?", "medium"),
        ("is the migration done?", "medium"),
        ("think hard: is the password ok?", "complex"),
    ],
)
def test_who_asks_to_think_and_what_must_not_go_wrong_have_a_floor(prompt: str, least: str) -> None:
    assert TIERS.index(by_score(score(prompt).value)) < TIERS.index(least), "its words alone would not do it"
    found = scored(prompt)
    assert found.tier == least
    assert found.why.endswith(f"at least {least}")
    assert found.score == score(prompt).value


def test_a_floor_brings_nothing_down() -> None:
    assert scored(f"{COMPLEX}, with its password").tier == "complex"


# --- why --------------------------------------------------------------------------------------------------------------

SECRET = "xylophone"


@pytest.mark.parametrize(
    "routing",
    [
        Routing(),
        Routing(models=MODELS),
        Routing(rules=(Rule(1, tier="simple", words=(SECRET,)), Rule(2, lane="a", path="*"))),
    ],
)
@pytest.mark.parametrize(
    "prompt", [SIMPLE, MEDIUM, COMPLEX, "think hard", f"why is {SECRET}/{SECRET}.py red?", f"fix {SECRET}"]
)
def test_why_never_holds_a_prompts_own_words(prompt: str, routing: Routing) -> None:
    found = main(f"{SECRET} {prompt} {SECRET}", "claude-sonnet-5-5", ("Read", SECRET))
    assert SECRET not in tier_of(found, routing).why
    assert SECRET not in tier_of(found, routing, "complex").why


KNOWN = st.sampled_from(sorted(weights()["words"]))


@few
@given(st.lists(KNOWN, min_size=1, max_size=12).map(" ".join))
def test_a_word_that_counts_is_not_told(prompt: str) -> None:
    by_word = [part.words for part in score(prompt).parts if part.name.startswith("word ")]
    assert by_word
    assert not any(words in scored(prompt).why for words in by_word)
