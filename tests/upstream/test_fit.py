"""What was shaped for one model is re-shaped for another, rule by rule, and every rule says what it did.

Fitting what fits changes nothing, fitting twice is fitting once, and what stands before the user's last words comes out
the same whatever follows, so that the provider's cache of it keeps hitting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Choice,
    Conversation,
    Home,
    Media,
    Output,
    Part,
    Reasoning,
    Result,
    Sampling,
    Seal,
    Text,
    Thinking,
    Tool,
    Turn,
)
from lynkr.errors import ClientError
from lynkr.formats import anthropic
from lynkr.lane import Auth, Format, Lane
from lynkr.target import Capabilities, Target
from lynkr.upstream.capabilities import capabilities
from lynkr.upstream.fit import fit

many = settings(max_examples=150, deadline=None)
HERE, ELSEWHERE = Home("main", "this-model"), Home("other", "that-model")
LADDER = ("low", "medium", "high", "xhigh", "max")

Noted = set[tuple[str, str]]


def modes(*names: str) -> frozenset[str]:
    return frozenset(names)


# One of each kind of model that thinks in its own way.
KINDS = {
    "always": Capabilities(thinking=modes("adaptive"), efforts=LADDER),
    "between": Capabilities(thinking=modes("adaptive", "between_tools"), efforts=LADDER),
    "switch": Capabilities(thinking=modes("adaptive", "off"), efforts=LADDER),
    "three": Capabilities(thinking=modes("adaptive", "budget", "off"), efforts=("low", "medium", "high", "max")),
    "old": Capabilities(thinking=modes("budget", "off")),
    "efforts": Capabilities(efforts=("none", "low", "medium", "high")),
    "steps": Capabilities(efforts=("low", "medium", "high")),
    "local": Capabilities(thinking=modes("adaptive", "off")),
    "pro": Capabilities(thinking=modes("adaptive", "budget")),
    "plain": Capabilities(),
}
MODEL_THINKS, MODEL_LOST = ("thinking", "changed"), ("thinking", "dropped")
EFFORT, EFFORT_LOST = ("reasoning effort", "changed"), ("reasoning effort", "dropped")


def said(text: str = "hello") -> Turn:
    return Turn("user", (Text(text),))


def talk(*turns: Turn, **more: Any) -> Conversation:
    return Conversation("asked-for", turns or (said(),), **more)


def fitted(c: Conversation, can: Capabilities) -> tuple[Conversation, Noted]:
    changes = Changes()
    after = fit(c, Target(HERE, can), changes)
    return after, {(change.what, change.did) for change in changes.listed()}


def thought_out(asked: Reasoning, can: Capabilities) -> tuple[Reasoning, Noted]:
    after, noted = fitted(talk(reasoning=asked), can)
    assert replace(after, reasoning=asked, max_output=None) == talk(reasoning=asked)
    return after.reasoning, noted


OFF, ADAPTIVE, BETWEEN = Reasoning("off"), Reasoning("adaptive"), Reasoning("between_tools")


@pytest.mark.parametrize(
    ("kind", "asked", "given", "noted"),
    [
        ("always", OFF, Reasoning(effort="low"), {MODEL_THINKS}),
        ("between", OFF, BETWEEN, {MODEL_THINKS}),
        ("switch", OFF, OFF, set()),
        ("old", OFF, OFF, set()),
        ("efforts", OFF, Reasoning(effort="none"), set()),
        ("steps", OFF, Reasoning(effort="low"), {MODEL_THINKS}),
        ("plain", OFF, Reasoning(), set()),
        ("always", ADAPTIVE, ADAPTIVE, set()),
        ("old", ADAPTIVE, Reasoning("budget", 20_000), {MODEL_THINKS}),
        ("efforts", ADAPTIVE, Reasoning(shown=True), set()),
        ("pro", ADAPTIVE, ADAPTIVE, set()),
        ("plain", ADAPTIVE, Reasoning(), {MODEL_LOST}),
        ("always", Reasoning("budget", 5000), Reasoning("adaptive", effort="medium"), {MODEL_THINKS}),
        ("switch", Reasoning("budget", 31_999), Reasoning("adaptive", effort="xhigh"), {MODEL_THINKS}),
        ("three", Reasoning("budget", 5000), Reasoning("budget", 5000), set()),
        ("old", Reasoning("budget", 5000), Reasoning("budget", 5000), set()),
        ("pro", Reasoning("budget", 5000), Reasoning("budget", 5000), set()),
        ("efforts", Reasoning("budget", 3000), Reasoning(effort="low", shown=True), {MODEL_THINKS}),
        ("plain", Reasoning("budget", 5000), Reasoning(), {MODEL_LOST}),
        ("between", BETWEEN, BETWEEN, set()),
        ("always", BETWEEN, ADAPTIVE, {MODEL_THINKS}),
        ("old", BETWEEN, Reasoning("budget", 20_000), {MODEL_THINKS}),
    ],
)
def test_each_way_to_think_on_each_kind_of_model(kind: str, asked: Reasoning, given: Reasoning, noted: Noted) -> None:
    assert thought_out(asked, KINDS[kind]) == (given, noted)


@pytest.mark.parametrize(
    ("kind", "asked", "given", "noted"),
    [
        *[("always", Reasoning(effort=name), Reasoning(effort=name), set()) for name in LADDER],
        ("always", Reasoning(effort="minimal"), Reasoning(effort="low"), {EFFORT}),
        ("always", Reasoning(effort="none"), Reasoning(effort="low"), {EFFORT}),
        ("always", Reasoning(effort="a new one"), Reasoning(effort="high"), {EFFORT}),
        ("three", Reasoning("adaptive", effort="xhigh"), Reasoning("adaptive", effort="high"), {EFFORT}),
        ("efforts", Reasoning(effort="max"), Reasoning(effort="high"), {EFFORT}),
        ("efforts", Reasoning(effort="none"), Reasoning(effort="none"), set()),
        ("old", Reasoning(effort="minimal"), Reasoning("budget", 1024), {EFFORT}),
        ("old", Reasoning(effort="high"), Reasoning("budget", 20_000), {EFFORT}),
        ("old", Reasoning(effort="none"), OFF, set()),
        ("local", Reasoning(effort="high"), ADAPTIVE, {EFFORT}),
        ("local", Reasoning(effort="none"), OFF, set()),
        ("plain", Reasoning(effort="high"), Reasoning(), {EFFORT_LOST}),
        ("plain", Reasoning(effort="none"), Reasoning(), set()),
    ],
)
def test_efforts_by_the_names_that_the_model_knows(kind: str, asked: Reasoning, given: Reasoning, noted: Noted) -> None:
    assert thought_out(asked, KINDS[kind]) == (given, noted)


def test_the_effort_says_how_large_a_budget_becomes() -> None:
    after, noted = thought_out(Reasoning("adaptive", effort="low"), KINDS["old"])
    assert (after.mode, after.budget, after.effort) == ("budget", 4096, None)
    assert noted == {MODEL_THINKS}


@pytest.mark.parametrize("effort", ["none", "a new one"])
def test_an_effort_that_has_no_budget_is_no_crash(effort: str) -> None:
    after, _ = thought_out(Reasoning("adaptive", effort=effort), KINDS["old"])
    assert after.mode in ("budget", "off")


def test_an_effort_that_nobody_asked_for_is_not_noted_as_lost() -> None:
    assert thought_out(Reasoning("budget", 5000), KINDS["local"]) == (ADAPTIVE, {MODEL_THINKS})


def test_thinking_that_cannot_be_turned_off_is_noted() -> None:
    after, noted = thought_out(OFF, KINDS["pro"])
    assert after.mode != "off"
    assert MODEL_THINKS in noted


def test_no_effort_is_not_made_into_thinking() -> None:
    assert thought_out(Reasoning("off", effort="none"), KINDS["pro"])[0].mode != "adaptive"


@pytest.mark.parametrize("effort", ["xhigh", "max"])
def test_opus_5_without_thoughts_has_an_effort_of_high_at_the_most(effort: str) -> None:
    lane = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.KEY)
    after, _ = thought_out(Reasoning("off", effort=effort), capabilities(lane, Format.ANTHROPIC, "claude-opus-5"))
    assert (after.mode, after.effort) == ("off", "high")


def sealed(home: Home | None, kind: str = "anthropic.signature") -> Thinking:
    return Thinking("Hm.", Seal(kind, "EqQB", home))


CALL, RESULT = Call("a", "ls", "{}"), Turn("user", (Result("a", (Text("x"),)),))


@pytest.mark.parametrize(
    ("turns", "thinks"),
    [
        ((said(),), True),
        ((said(), Turn("assistant", (CALL,)), RESULT), False),
        ((said(), Turn("assistant", (Text("So."), CALL)), RESULT), False),
        ((said(), Turn("assistant", (sealed(None), CALL)), RESULT), True),
        ((said(), Turn("assistant", (sealed(HERE), CALL)), RESULT), True),
        ((said(), Turn("assistant", (sealed(HERE, "anthropic.redacted"), CALL)), RESULT), True),
        ((said(), Turn("assistant", (sealed(ELSEWHERE), CALL)), RESULT), False),
        ((said(), Turn("assistant", (sealed(None, "gemini.signature"), CALL)), RESULT), False),
        ((said(), Turn("assistant", (Thinking("Hm."), CALL)), RESULT), False),
        ((said(), Turn("assistant", (CALL,)), RESULT, Turn("assistant", (Text("Done."),)), said("more")), True),
        ((said(), Turn("assistant", (CALL,)), RESULT, said("and?")), False),
    ],
)
def test_a_turn_that_goes_on_without_the_model_s_own_thoughts_goes_on_without_thinking(
    turns: tuple[Turn, ...], thinks: bool
) -> None:
    asked = talk(*turns, reasoning=Reasoning("budget", 5000))
    after, noted = fitted(asked, replace(KINDS["old"], leading_thinking=True))
    assert after == (asked if thinks else replace(asked, reasoning=OFF))
    assert noted == (set() if thinks else {MODEL_THINKS})
    assert fitted(asked, KINDS["old"]) == (asked, set())


NEVER, QUIET = Capabilities(forced_choice="never"), replace(KINDS["three"], forced_choice="quiet", sampling="quiet")


@pytest.mark.parametrize(
    ("only", "words"), [((), "one of the tools"), (("ls",), "the tool ls"), (("ls", "cat"), "the tool ls or cat")]
)
def test_a_forced_tool_is_said_in_words_at_the_end_where_it_is_refused(only: tuple[str, ...], words: str) -> None:
    for turns in ((said(),), (said(), Turn("assistant", (CALL,)), RESULT)):
        after, noted = fitted(talk(*turns, choice=Choice("any", only)), NEVER)
        assert (after.choice, noted) == (Choice("auto"), {("tool_choice", "changed")})
        *before, last = after.turns
        # Beside the user's own words; what holds a result is not written anew for them.
        assert [*before, replace(last, parts=last.parts[:-1])] == [*turns] if len(turns) == 1 else before == [*turns]
        assert (last.role, len(last.parts)) == ("user", 2 if len(turns) == 1 else 1)
        assert words in last.parts[-1].text  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["auto", "none"])
def test_a_choice_that_forces_nothing_stays(mode: Literal["auto", "none"]) -> None:
    asked = talk(choice=Choice(mode))
    assert fitted(asked, NEVER) == (asked, set())


def test_a_forced_tool_ends_thinking_where_the_two_exclude_each_other() -> None:
    forced = Choice("any", ("ls",))
    for asked in (Reasoning("adaptive", effort="high"), Reasoning("budget", 5000)):
        after, noted = fitted(talk(choice=forced, reasoning=asked), QUIET)
        assert (after.choice, after.reasoning) == (forced, replace(OFF, effort=asked.effort))
        assert noted == {MODEL_THINKS}
    for asked in (Reasoning(), OFF, Reasoning(effort="high")):
        assert fitted(talk(choice=forced, reasoning=asked), QUIET) == (talk(choice=forced, reasoning=asked), set())


SAMPLED = Sampling(0.5, 0.9, 40, 7, 0.1, 0.2)
ALL_SAMPLING = {(name, "dropped") for name in Sampling.__dataclass_fields__}


def test_sampling_is_dropped_where_it_is_refused_field_by_field() -> None:
    asked = talk(sampling=SAMPLED)
    assert fitted(asked, Capabilities(sampling="never")) == (replace(asked, sampling=Sampling()), ALL_SAMPLING)
    one = talk(sampling=Sampling(temperature=0.0))
    assert fitted(one, Capabilities(sampling="never"))[1] == {("temperature", "dropped")}
    assert fitted(asked, QUIET) == (asked, set())
    thinks = replace(asked, reasoning=ADAPTIVE)
    assert fitted(thinks, QUIET) == (replace(thinks, sampling=Sampling()), ALL_SAMPLING)
    assert fitted(thinks, KINDS["switch"]) == (thinks, set())


def test_what_a_forced_tool_stops_from_thinking_takes_sampling_again() -> None:
    after, _ = fitted(talk(sampling=SAMPLED, choice=Choice("any"), reasoning=ADAPTIVE), QUIET)
    assert (after.sampling, after.reasoning.mode) == (SAMPLED, "off")


NO_PREFILL = Capabilities(prefill=False)


def test_a_begun_answer_is_said_in_words_where_it_is_refused() -> None:
    asked = talk(said("JSON, please"), Turn("assistant", (Text('{"a":'),)))
    after, noted = fitted(asked, NO_PREFILL)
    assert [turn.role for turn in after.turns] == ["user"]
    assert after.turns[0].parts[0] == Text("JSON, please")
    assert after.turns[0].parts[1].text.endswith('{"a":')  # type: ignore[union-attr]
    assert noted == {("prefill", "changed")}
    assert fitted(asked, Capabilities()) == (asked, set())


def test_an_answer_begun_in_two_messages_is_one() -> None:
    asked = talk(said(), Turn("assistant", (Text("One, "),)), Turn("assistant", (Text("two,"),)))
    after, _ = fitted(asked, NO_PREFILL)
    assert [turn.role for turn in after.turns] == ["user"]
    assert after.turns[0].parts[-1].text.endswith("One, two,")  # type: ignore[union-attr]


@pytest.mark.parametrize("parts", [(Text(" \n"),), (), (Thinking("Hm."),)])
def test_an_empty_beginning_is_taken_away_where_a_begun_answer_is_refused(parts: tuple[Part, ...]) -> None:
    assert fitted(talk(said(), Turn("assistant", parts)), NO_PREFILL)[0].turns[-1].role == "user"


def test_a_system_message_on_the_way_becomes_the_user_s_where_it_is_refused() -> None:
    asked = talk(said(), Turn("system", (Text("It is noon."),)), Turn("assistant", (Text("Hi."),)), said())
    after, noted = fitted(asked, Capabilities(system_turns=False))
    heard = Turn("user", (Text("<system-reminder>\nIt is noon.\n</system-reminder>"),))
    assert after == replace(asked, turns=(asked.turns[0], heard, *asked.turns[2:]))
    assert [did for what, did in noted if what.startswith("system messages")] == ["changed"]
    assert fitted(asked, Capabilities()) == (asked, set())


def test_a_schema_is_said_in_words_where_it_is_unknown() -> None:
    asked = talk(output=Output({"type": "object"}))
    after, noted = fitted(asked, Capabilities(schema_output=False))
    assert after.output is None
    assert '{"type":"object"}' in after.turns[-1].parts[-1].text  # type: ignore[union-attr]
    assert noted == {("JSON output", "changed")}
    assert fitted(asked, Capabilities()) == (asked, set())


@pytest.mark.parametrize(
    "can", [Capabilities(schema_output=False), NEVER, NO_PREFILL], ids=["schema", "forced tool", "prefill"]
)
def test_words_at_the_end_are_a_turn_of_their_own_behind_a_tool_s_result(can: Capabilities) -> None:
    begun = (Turn("assistant", (Text('{"a":'),)),) if can is NO_PREFILL else ()
    for result in (RESULT, Turn("user", (*RESULT.parts, Text("and?")))):
        turns = (said(), Turn("assistant", (CALL,)), result)
        asked = talk(*turns, *begun, output=Output({"type": "object"}), choice=Choice("any"))
        after, _ = fitted(asked, can)
        assert after.turns[:-1] == turns
        assert (after.turns[-1].role, [type(part) for part in after.turns[-1].parts]) == ("user", [Text])


def test_what_cannot_be_looked_at_is_left_out_where_it_stood_and_says_so() -> None:
    image, document = Media("image", "image/png", "AAAA", cache="5m"), Media("document", "application/pdf", "BBBB")
    asked = talk(Turn("user", (Text("see"), image, document, Result("a", (Text("b"), image)))))
    after, noted = fitted(asked, Capabilities(media=frozenset(("document",))))
    gone = Text("[image left out: this model cannot look at it]", "5m")
    assert after.turns == (Turn("user", (Text("see"), gone, document, Result("a", (Text("b"), gone)))),)
    assert noted == {("image", "dropped")}


def test_stops_are_cut_to_as_many_as_the_model_takes() -> None:
    asked = talk(stop=("a", "b", "c"))
    for most, kept in ((0, ()), (2, ("a", "b"))):
        assert fitted(asked, Capabilities(stops=most)) == (replace(asked, stop=kept), {("stop sequences", "dropped")})
    for can in (Capabilities(stops=3), Capabilities()):
        assert fitted(asked, can) == (asked, set())


def test_fields_that_a_lane_does_not_have_are_dropped_by_name() -> None:
    asked = talk(rest={"context_management": {}, "metadata": 1})
    after, noted = fitted(asked, Capabilities(rest=("metadata",)))
    assert (after, noted) == (replace(asked, rest={"metadata": 1}), {("context_management", "dropped")})


LIMIT = ("output limit", "changed")


def test_the_output_limit_is_no_higher_than_the_model_s() -> None:
    asked = talk(max_output=128_000)
    assert fitted(asked, Capabilities(max_output=64_000)) == (replace(asked, max_output=64_000), {LIMIT})
    assert fitted(asked, Capabilities(max_output=128_000)) == (asked, set())


def test_the_output_limit_leaves_room_for_the_prompt() -> None:
    after, noted = fitted(talk(said("x" * 30_000), max_output=32_000), Capabilities(context=16_384))
    assert after.max_output is not None
    assert 1024 <= after.max_output <= 16_384 - 30_000 // 5
    assert noted == {LIMIT}


def test_a_budget_of_thoughts_is_smaller_than_the_output_limit() -> None:
    for budget in (8000, 31_999):
        asked = talk(max_output=8000, reasoning=Reasoning("budget", budget))
        after, noted = fitted(asked, KINDS["old"])
        assert (after, noted) == (replace(asked, reasoning=Reasoning("budget", 4000)), {MODEL_THINKS})
    tight, noted = fitted(replace(asked, max_output=1000), KINDS["old"])
    assert (tight.reasoning, noted) == (OFF, {MODEL_THINKS})


@pytest.mark.parametrize("effort", ["xhigh", "max"])
def test_a_budget_is_smaller_than_the_limit_that_is_written_where_none_was_asked_for(effort: str) -> None:
    target = Target(HERE, replace(KINDS["old"], max_output=32_000, needs_limit=True))
    body = anthropic.write_request(fit(talk(reasoning=Reasoning(effort=effort)), target, Changes()), target, Changes())
    assert body["thinking"]["budget_tokens"] < body["max_tokens"]


def test_the_limit_that_is_written_where_none_was_asked_for_leaves_room_for_the_prompt() -> None:
    target = Target(HERE, Capabilities(context=16_384, needs_limit=True))
    body = anthropic.write_request(fit(talk(said("x" * 30_000)), target, Changes()), target, Changes())
    assert body["max_tokens"] <= 16_384 - 30_000 // 5


def test_thinking_is_turned_off_only_where_it_can_be() -> None:
    after, _ = fitted(talk(max_output=1000, reasoning=Reasoning("budget", 5000)), KINDS["pro"])
    assert after.reasoning.mode != "off"


def test_a_conversation_that_is_too_long_is_refused_in_words_that_clients_know() -> None:
    asked, can = talk(said("x" * 40_000), system=(Text("y" * 1000),)), Capabilities(context=8000)
    with pytest.raises(ClientError) as caught:
        fit(asked, Target(HERE, can), Changes())
    assert (caught.value.kind, caught.value.status) == ("context", 400)
    for words in ("prompt is too long", "maximum context length", HERE.lane, HERE.model, "8000"):
        assert words in caught.value.sentence
    assert "xxx" not in caught.value.sentence
    assert fitted(asked, replace(can, context=8200))[1] == set()


# Conversations as clients send them, and targets of every kind.
TEXTS = st.sampled_from(["a", "b c", " d.\n"])
CACHES = st.sampled_from([None, "5m"])
MEDIA = st.builds(Media, st.sampled_from(["image", "document", "audio"]), st.just("a/b"), st.just("AA"), cache=CACHES)
WORDS = st.builds(Text, TEXTS, CACHES)
SEALS = st.sampled_from([None, Seal("anthropic.signature", "E"), Seal("anthropic.signature", "E", ELSEWHERE)])


@st.composite
def rounds(draw: st.DrawFn) -> list[Turn]:
    """What the user says, what the model does, and what comes of it."""
    turns = [Turn("user", tuple(draw(st.lists(st.one_of(WORDS, MEDIA), min_size=1, max_size=2))))]
    if draw(st.booleans()):
        turns.append(Turn("system", (draw(WORDS),)))
    thoughts: list[Part] = [Thinking("Hm.", draw(SEALS))] if draw(st.booleans()) else []
    calls = draw(st.integers(0, 2))
    turns.append(Turn("assistant", (*thoughts, draw(WORDS), *(Call(f"c{n}", "ls", "{}") for n in range(calls)))))
    if calls:
        inner = st.lists(st.one_of(WORDS, MEDIA), max_size=2).map(tuple)
        turns.append(Turn("user", tuple(Result(f"c{n}", draw(inner)) for n in range(calls))))
    return turns


REASONINGS = st.one_of(
    st.builds(Reasoning, st.sampled_from([None, "adaptive", "between_tools", "off"]), st.none(),
              st.sampled_from([None, "minimal", *LADDER])),
    st.builds(Reasoning, st.just("budget"), st.sampled_from([1024, 5000, 60_000])),
)  # fmt: skip


@st.composite
def talks(draw: st.DrawFn) -> Conversation:
    turns = [turn for round_ in draw(st.lists(rounds(), min_size=1, max_size=3)) for turn in round_]
    if draw(st.booleans()):
        turns.append(said())
    return Conversation(
        "asked-for",
        tuple(turns),
        tools=(Tool("ls"),),
        choice=draw(st.sampled_from([None, Choice("auto"), Choice("any"), Choice("any", ("ls",)), Choice("none")])),
        max_output=draw(st.sampled_from([None, 1500, 20_000, 200_000])),
        stop=draw(st.sampled_from([(), ("a",), ("a", "b", "c")])),
        sampling=draw(st.sampled_from([Sampling(), Sampling(temperature=1.0), SAMPLED])),
        reasoning=draw(REASONINGS),
        output=draw(st.sampled_from([None, Output({"type": "object"}), Output()])),
        rest=draw(st.sampled_from([{}, {"a": 1, "b": 2}])),
    )


def there_are_such(target: Target) -> bool:
    """What cannot think beside something else can be stopped from thinking, and is of the time of begun answers."""
    off, can = "off" in target.can.thinking, target.can
    return (off or can.forced_choice != "quiet") and (not can.leading_thinking or (off and can.prefill))


SOMETIMES = st.sampled_from(["always", "quiet", "never"])
TARGETS = st.builds(
    lambda kind, more: Target(HERE, replace(KINDS[kind], **more)),
    st.sampled_from(sorted(KINDS)),
    st.fixed_dictionaries(
        {
            "forced_choice": SOMETIMES,
            "sampling": SOMETIMES,
            "leading_thinking": st.booleans(),
            "prefill": st.booleans(),
            "system_turns": st.booleans(),
            "schema_output": st.booleans(),
            "media": st.sampled_from([frozenset(), frozenset(("image",)), frozenset(("image", "document", "audio"))]),
            "max_output": st.sampled_from([None, 8192, 128_000]),
            "context": st.sampled_from([None, 32_768]),
            "rest": st.sampled_from([None, (), ("a",)]),
        }
    ),
).filter(there_are_such)


@many
@given(talks(), TARGETS)
def test_fitting_twice_is_fitting_once(c: Conversation, target: Target) -> None:
    once, changes = fit(c, target, Changes()), Changes()
    assert fit(once, target, changes) == once
    assert changes.listed() == ()


@many
@given(talks())
def test_a_model_that_takes_everything_gets_everything_as_it_was(c: Conversation) -> None:
    can = Capabilities(thinking=modes("adaptive", "budget", "between_tools", "off"), efforts=("minimal", *LADDER),
                       media=frozenset(("image", "document", "audio")))  # fmt: skip
    asked = c if c.reasoning.budget is None else replace(c, max_output=None)
    assert fitted(asked, can) == (asked, set())


@many
@given(talks(), TARGETS, st.data())
def test_what_stands_before_the_user_s_last_words_is_the_same_whatever_follows(
    c: Conversation, target: Target, data: st.DataObject
) -> None:
    earlier = replace(c, turns=c.turns[: data.draw(st.integers(1, len(c.turns)), label="turns")])
    last = max(n for n, turn in enumerate(earlier.turns) if turn.role == "user")
    before, after = fit(earlier, target, Changes()), fit(c, target, Changes())
    assert before.turns[:last] == after.turns[:last]
    assert (before.system, before.tools) == (after.system, after.tools)
