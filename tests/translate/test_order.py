"""Results stand right behind their calls, all of a round in one turn; nothing is lost, and nothing else is moved."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.conversation import Call, Conversation, Media, Part, Result, Text, Turn
from lynkr.translate.order import settled

few = settings(max_examples=200, deadline=None)

U, A, S = "user", "assistant", "system"
PARTS: dict[str, st.SearchStrategy[Part]] = {
    "u": st.sampled_from([Text("a"), Text(""), Media("image", "image/png", "AAAA")]),
    "r": st.sampled_from("123").map(lambda name: Result(name, (Text("so"),))),
    "c": st.sampled_from("123").map(lambda name: Call(name, "f")),
}
TURNS = st.one_of(
    st.builds(Turn, st.just(U), st.lists(PARTS["u"] | PARTS["r"], min_size=1, max_size=3).map(tuple)),
    st.builds(Turn, st.just(A), st.lists(PARTS["u"] | PARTS["c"], min_size=1, max_size=3).map(tuple)),
    st.builds(Turn, st.just(S), st.lists(PARTS["u"], min_size=1, max_size=2).map(tuple)),
)


def settled_turns(*turns: Turn) -> tuple[Turn, ...]:
    return settled(Conversation("m", turns)).turns


def turn(role: str, *parts: Part) -> Turn:
    return Turn(role, parts)  # type: ignore[arg-type]


def call(name: str) -> Call:
    return Call(name, "f", "{}")


def gives(name: str) -> Result:
    return Result(name, (Text(f"of {name}"),))


HI, GO = Text("hi"), Text("go on")


def test_what_is_in_order_stays_as_it_is() -> None:
    turns = (
        turn(S, HI),
        turn(U, HI),
        turn(A, HI, call("1"), call("2")),
        turn(U, gives("1"), gives("2"), GO),
        turn(A, HI),
    )
    assert settled_turns(*turns) == turns


def test_results_in_turns_of_their_own_become_one_turn() -> None:
    asked = turn(A, call("1"), call("2"))
    assert settled_turns(asked, turn(U, gives("1")), turn(U, gives("2"))) == (asked, turn(U, gives("1"), gives("2")))


def test_words_between_calls_and_results_come_after_them() -> None:
    asked = turn(A, call("1"))
    assert settled_turns(asked, turn(U, HI), turn(U, gives("1"))) == (asked, turn(U, gives("1")), turn(U, HI))


def test_a_system_message_between_calls_and_results_comes_after_them_and_stays_one() -> None:
    asked = turn(A, call("1"), call("2"))
    found = settled_turns(asked, turn(U, gives("1")), turn(S, HI), turn(U, gives("2"), GO), turn(A, HI))
    assert found == (asked, turn(U, gives("1"), gives("2")), turn(S, HI), turn(U, GO), turn(A, HI))


def test_words_before_results_in_a_turn_come_behind_them_in_it() -> None:
    asked = turn(A, call("1"))
    assert settled_turns(asked, turn(U, HI, gives("1"), GO)) == (asked, turn(U, gives("1"), HI, GO))


def test_calls_without_results_leave_what_follows_alone() -> None:
    turns = (turn(A, call("1")), turn(U, HI), turn(S, GO), turn(A, HI), turn(U, GO))
    assert settled_turns(*turns) == turns


def test_results_that_belong_to_nothing_stay_where_they_are() -> None:
    turns = (turn(U, HI, gives("1")), turn(A, HI), turn(U, GO, gives("2")))
    assert settled_turns(*turns) == turns


def test_each_round_has_its_own_results_also_where_ids_repeat() -> None:
    one, other = turn(A, call("1")), turn(A, call("1"), HI)
    found = settled_turns(one, turn(U, HI), turn(U, gives("1")), other, turn(U, GO), turn(U, gives("1")))
    assert found == (one, turn(U, gives("1")), turn(U, HI), other, turn(U, gives("1")), turn(U, GO))


def test_calls_of_two_turns_side_by_side_have_their_results_behind_them() -> None:
    """Anthropic and Gemini take two turns of the model's for one; Chat Completions does not."""
    turns = settled_turns(turn(A, call("1")), turn(A, call("2")), turn(U, gives("1"), gives("2")))
    for before, after in zip(turns, [*turns[1:], turn(A)], strict=True):
        asked = {part.id for part in before.parts if isinstance(part, Call)}
        assert asked <= {part.call_id for part in after.parts if isinstance(part, Result)}


@few
@given(st.lists(TURNS, max_size=8))
def test_nothing_is_lost_and_nothing_is_said_twice(turns: list[Turn]) -> None:
    def parts(all_turns: tuple[Turn, ...]) -> Counter[tuple[str, Part]]:
        return Counter((t.role, part) for t in all_turns for part in t.parts)

    assert parts(settled_turns(*turns)) == parts(tuple(turns))


@few
@given(st.lists(TURNS, max_size=8))
def test_what_is_no_result_keeps_its_order_and_so_do_results(turns: list[Turn]) -> None:
    def order(all_turns: tuple[Turn, ...], results: bool) -> list[Part]:
        return [part for t in all_turns for part in t.parts if isinstance(part, Result) == results]

    found = settled_turns(*turns)
    assert order(found, True) == order(tuple(turns), True)
    assert order(found, False) == order(tuple(turns), False)


@few
@given(st.lists(TURNS, max_size=8))
def test_what_is_settled_stays_settled(turns: list[Turn]) -> None:
    once = settled_turns(*turns)
    assert settled_turns(*once) == once


@few
@given(st.lists(TURNS, max_size=8))
def test_results_of_the_last_calls_stand_first_behind_them(turns: list[Turn]) -> None:
    found = settled_turns(*turns)
    for n, asked in enumerate(found):
        if asked.role != A or not any(isinstance(part, Call) for part in asked.parts):
            continue
        heard = next((m for m in range(n + 1, len(found)) if found[m].role == A), len(found))
        between = [isinstance(part, Result) for t in found[n + 1 : heard] for part in t.parts]
        assert between == sorted(between, reverse=True)
