"""Tools of every kind are told as one flat list of functions with legal names, which only grows at its end.

What the lane is told can be told back: every name that was changed is in `Names`, no two tools have one name, and the
same conversation is told in the same words in every turn.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.said import WORDS

from lynkr.answer import Answer
from lynkr.changes import Changes
from lynkr.conversation import Call, Choice, Conversation, Home, Opaque, Part, Reference, Result, Text, Tool, Turn
from lynkr.events import Open
from lynkr.formats import CODECS, SPEECHES
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.translate.restore import Restorer
from lynkr.translate.tools import INPUT, Names, Original, fold

some = settings(max_examples=150, deadline=None)
EVERY_LANE = pytest.mark.parametrize("lane", list(SPEECHES))

PLAIN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def folded(
    *tools: Tool | Opaque, said: tuple[Part, ...] = (), choice: Choice | None = None, deferred: bool = False,
    lane: Format | None = None,
) -> tuple[Conversation, Names, dict[str, str]]:  # fmt: skip
    """The conversation as it is told, the names to restore it by, and the changes."""
    names, ids = (SPEECHES[lane].TOOL_NAME, SPEECHES[lane].CALL_ID) if lane else (PLAIN, PLAIN)
    turns = tuple(Turn("user" if isinstance(part, Result) else "assistant", (part,)) for part in said)
    changes = Changes()
    found, known = fold(
        Conversation("m", turns, tools=tools, choice=choice), names, ids, deferred=deferred, changes=changes
    )
    return found, known, {change.what: change.did for change in changes.listed()}


def names_of(c: Conversation) -> list[str]:
    return [tool.name for tool in c.tools if isinstance(tool, Tool)]


def parts_of(c: Conversation) -> list[Any]:
    return [part for turn in c.turns for part in turn.parts]


def restored(name: str, names: Names) -> tuple[str, str | None, str]:
    (event,) = Restorer(names, "seed").event(Open(Call("new", name)))
    assert isinstance(event, Open)
    assert isinstance(event.part, Call)
    return event.part.name, event.part.namespace, event.part.kind


def test_plain_tools_are_told_as_they_are() -> None:
    tools = (Tool("a", "does a", SCHEMA, strict=True), Tool("b", cache="1h"))
    found, names, noted = folded(*tools, said=(Call("c", "a", "{}"), Result("c", (Text("so"),), name="a")))
    assert found.tools == tools
    assert [part.name for part in parts_of(found)] == ["a", "a"]
    assert noted == {}
    assert restored("a", names) == ("a", None, "function")


# --- namespaces ---


def test_a_namespace_goes_into_the_name_and_comes_back() -> None:
    said = (Call("c", "look", "{}", namespace="agents"), Result("c", name="look"))
    found, names, noted = folded(Tool("look", namespace="agents"), said=said)
    (tool,) = found.tools
    assert isinstance(tool, Tool)
    assert (tool.name, tool.namespace) == ("agents__look", None)
    assert [part.name for part in parts_of(found)] == ["agents__look"] * 2
    assert parts_of(found)[0].namespace is None
    assert restored("agents__look", names) == ("look", "agents", "function")
    assert noted == {"tool namespaces": "changed"}


def test_tools_of_one_name_in_two_namespaces_are_two() -> None:
    tools = (Tool("look", "one", namespace="a"), Tool("look", "two", namespace="b"), Tool("look", "three"))
    found, names, _ = folded(*tools)
    assert len(set(names_of(found))) == 3
    assert [restored(name, names)[:2] for name in names_of(found)] == [("look", "a"), ("look", "b"), ("look", None)]


def test_a_result_is_called_as_its_call_is() -> None:
    """Gemini and Ollama go by the name."""
    said = (Call("c", "look", "{}", namespace="b"), Result("c", (Text("so"),), name="look"))
    found, _, _ = folded(Tool("look", namespace="a"), Tool("look", namespace="b"), said=said)
    asked, given = parts_of(found)
    assert given.name == asked.name == "b__look"


def test_a_name_that_looks_like_a_namespaced_one_is_another_tool() -> None:
    found, names, _ = folded(Tool("a__look"), Tool("look", namespace="a"))
    assert len(set(names_of(found))) == 2
    assert [restored(name, names)[:2] for name in names_of(found)] == [("a__look", None), ("look", "a")]


# --- freeform tools ---


def test_a_freeform_tool_is_a_function_with_one_text() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: begin hunk+ end"}
    found, names, noted = folded(Tool("apply_patch", "Edits files.", kind="custom", format=grammar))
    (tool,) = found.tools
    assert isinstance(tool, Tool)
    assert (tool.kind, tool.format) == ("function", None)
    assert tool.schema is not None
    assert tool.schema["required"] == [INPUT]
    assert tool.schema["properties"][INPUT]["type"] == "string"
    assert tool.description.startswith("Edits files.")
    assert "lark" in tool.description
    assert "start: begin hunk+ end" in tool.description
    assert restored("apply_patch", names) == ("apply_patch", None, "custom")
    assert noted == {"freeform tools": "changed"}


@some
@given(WORDS)
def test_a_freeform_call_s_text_is_told_as_that_one_text(words: str) -> None:
    said = (Call("c", "apply_patch", words, "custom"), Result("c", (Text("Done"),), name="apply_patch", kind="custom"))
    found, _, _ = folded(Tool("apply_patch", kind="custom"), said=said)
    asked, given_back = parts_of(found)
    assert json.loads(asked.arguments) == {INPUT: words}
    assert (asked.kind, given_back.kind, given_back.parts) == ("function", "function", (Text("Done"),))


def test_a_freeform_tool_that_is_gone_is_still_known_by_its_calls() -> None:
    _, names, _ = folded(said=(Call("c", "apply_patch", "x", "custom"),))
    assert restored("apply_patch", names) == ("apply_patch", None, "custom")


def test_a_freeform_call_reaches_a_chat_client_as_one() -> None:
    """`{"type": "custom", "custom": {"name", "input"}}`, as the tool was declared and as the SDK knows it."""
    answer = Answer(parts=(Call("c", "apply_patch", "*** Begin Patch", "custom"),))
    chat, label = CODECS[Format.OPENAI_CHAT], Label(Home("l", "m"), "m", "id")
    (call,) = json.loads(chat.write_answer(answer, label, Changes()))["choices"][0]["message"]["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "apply_patch", "input": "*** Begin Patch"})


# --- deferred tools ---

LATER = tuple(Tool(f"later_{n}", f"the {n}th", SCHEMA, deferred=True) for n in range(3))


def finds(call_id: str, *tools: str) -> Result:
    return Result(call_id, tuple(Reference(tool) for tool in tools), name="search")


def test_a_deferred_tool_is_shown_once_a_result_refers_to_it_behind_all_others() -> None:
    tools = (LATER[0], Tool("first"), LATER[1], Tool("second"), LATER[2])
    before, _, noted = folded(*tools)
    assert names_of(before) == ["first", "second"]
    assert noted == {"deferred tools": "changed"}
    after, _, _ = folded(
        *tools, said=(Call("c", "search"), finds("c", "later_2"), Call("d", "search"), finds("d", "later_0"))
    )
    assert names_of(after) == ["first", "second", "later_2", "later_0"]
    assert after.tools[2] == replace(LATER[2], deferred=False)


def test_a_reference_is_told_in_words_by_the_name_that_the_lane_knows() -> None:
    odd = Tool("mcp.odd tool", deferred=True)
    found, names, _ = folded(odd, said=(Call("c", "search"), Result("c", (Text("2 found"), Reference("mcp.odd tool")))))
    (told,) = names_of(found)
    given_back = parts_of(found)[1]
    assert all(isinstance(part, Text) for part in given_back.parts)
    assert given_back.parts[0] == Text("2 found")
    assert told in given_back.parts[1].text
    assert restored(told, names)[0] == "mcp.odd tool"


def test_tools_that_a_search_gave_back_are_shown_and_told_in_words() -> None:
    found_tool = Tool("spawn", "starts one", SCHEMA, namespace="agents", deferred=True)
    result = replace(Result("c", name="tool_search", kind="search"), tools=(found_tool,))
    search = Tool("tool_search", "finds tools", SCHEMA, "search")
    found, names, _ = folded(search, said=(Call("c", "tool_search", "{}", "search"), result))
    assert names_of(found) == ["tool_search", "agents__spawn"]
    assert "agents__spawn" in parts_of(found)[1].parts[0].text
    assert parts_of(found)[1].tools == ()
    assert restored("tool_search", names) == ("tool_search", None, "search")


@pytest.mark.parametrize("name", ["gone", "first", "DeferredToolPlaceholder"])
def test_a_reference_to_what_is_not_deferred_shows_nothing_more(name: str) -> None:
    tools = (Tool("first"), Tool("DeferredToolPlaceholder", deferred=True))
    found, _, _ = folded(*tools, said=(finds("c", name), finds("d", name, name)))
    assert names_of(found) == ["first"]


def test_where_the_lane_knows_deferred_tools_they_stay_what_they_are() -> None:
    tools = (Tool("first"), *LATER)
    found, _, noted = folded(*tools, said=(finds("c", "later_1"),), deferred=True)
    assert found.tools == tools
    assert parts_of(found) == [finds("c", "later_1")]
    assert noted == {}


@st.composite
def growing(draw: st.DrawFn) -> tuple[tuple[Tool, ...], list[Part]]:
    """Tools in any order, some deferred, and a talk in which some are found and called, again and again."""
    tools = draw(
        st.permutations([Tool("first"), Tool("second", namespace="ns"), *LATER, Tool("no name!", deferred=True)])
    )
    said = list[Part]()
    for n, names in enumerate(
        draw(st.lists(st.lists(st.sampled_from([t.name for t in tools] + ["gone"]), max_size=3), max_size=6))
    ):
        more = draw(st.lists(st.sampled_from([Tool("extra", namespace="x"), Tool("first")]), max_size=1).map(tuple))
        said += [Call(f"c{n}", draw(st.sampled_from(["first", "search"]))), replace(finds(f"c{n}", *names), tools=more)]
    return tuple(tools), said


@some
@given(growing())
def test_from_turn_to_turn_the_list_of_tools_only_grows_at_its_end(story: tuple[tuple[Tool, ...], list[Part]]) -> None:
    tools, said = story
    before: Conversation | None = None
    for n in range(0, len(said) + 1, 2):
        found, _, _ = folded(*tools, said=tuple(said[:n]))
        if before is not None:
            assert found.tools[: len(before.tools)] == before.tools
            assert found.turns[: len(before.turns)] == before.turns
        assert len(set(names_of(found))) == len(names_of(found))
        before = found


def test_the_list_grows_at_its_end_also_with_a_provider_s_own_tools_in_it() -> None:
    """Anthropic's on InvokeModel, or patched for a Claude that knows no deferred tools."""
    own = Opaque(Format.ANTHROPIC, "tool bash_20250124", {"type": "bash_20250124", "name": "bash"})
    tools = (Tool("first"), own, LATER[0])
    before, _, _ = folded(*tools)
    after, _, _ = folded(*tools, said=(finds("c", "later_0"),))
    assert after.tools[: len(before.tools)] == before.tools


# --- names and ids that a lane does not take ---

ODD_NAMES = st.one_of(
    WORDS.filter(bool), st.sampled_from(["a.b", "1st", "-x", "x" * 64, "x" * 65, "é" * 80, "a b", "a_b"])
)


@EVERY_LANE
@some
@given(st.lists(st.tuples(ODD_NAMES, st.none() | st.sampled_from(["ns", "n.s", "x" * 60])), max_size=5, unique=True))
def test_every_name_becomes_a_legal_one_of_its_own_and_comes_back(
    lane: Format, given_names: list[tuple[str, str | None]]
) -> None:
    tools = [Tool(name, namespace=namespace) for name, namespace in given_names]
    found, names, _ = folded(*tools, lane=lane)
    told = names_of(found)
    assert len(set(told)) == len(told)
    assert [restored(name, names)[:2] for name in told] == given_names
    legal = SPEECHES[lane].TOOL_NAME
    # Gemini's names begin with a letter; those that do not are the test below.
    assert all(legal.fullmatch(name) or (lane is Format.GEMINI and not legal.fullmatch(name[0])) for name in told)


@pytest.mark.parametrize("name", ["1st", "-x", "9" * 80])
def test_a_name_that_begins_as_gemini_takes_none_becomes_a_legal_one(name: str) -> None:
    found, _, _ = folded(Tool(name), lane=Format.GEMINI)
    assert all(map(SPEECHES[Format.GEMINI].TOOL_NAME.fullmatch, names_of(found)))


def test_a_name_is_told_the_same_way_in_every_turn_and_a_change_is_noted() -> None:
    one, _, noted = folded(Tool("mcp.look at"), Tool("b"))
    other, _, _ = folded(Tool("mcp.look at"), Tool("c"), Tool("b"), said=(Call("c", "mcp.look at"),))
    assert names_of(one)[0] == names_of(other)[0] == parts_of(other)[0].name
    assert noted == {"tool names": "changed"}


def test_names_that_are_spelt_alike_stay_two_tools() -> None:
    found, names, _ = folded(Tool("a.b"), Tool("a b"), Tool("a_b"))
    assert [restored(name, names)[0] for name in names_of(found)] == ["a.b", "a b", "a_b"]
    assert len(set(names_of(found))) == 3


def test_a_tool_that_is_given_twice_is_told_once() -> None:
    """As when `additional_tools` repeats one of `tools`."""
    found, _, _ = folded(Tool("a", "one"), Tool("b"), Tool("a", "one"))
    assert names_of(found) == ["a", "b"]


@EVERY_LANE
@pytest.mark.parametrize("odd", ["", "call 1", "x" * 200, "é", "\ud83d", "functions.Bash:0", "call|fc_1"])
def test_a_call_and_its_result_keep_one_id_that_the_lane_takes(lane: Format, odd: str) -> None:
    said = (Call(odd, "a", "{}"), Result(odd), Call("fine", "a", "{}"), Result("fine"))
    found, names, _ = folded(Tool("a"), said=said, lane=lane)
    asked, given_back, other, other_back = parts_of(found)
    assert asked.id == given_back.call_id
    assert SPEECHES[lane].CALL_ID.fullmatch(asked.id)
    assert other.id == other_back.call_id == "fine"
    # The client's own, so that a new call gets none of them.
    assert names.ids == {odd, "fine"}


def test_ids_that_differ_stay_different() -> None:
    said = tuple(Call(odd, "a") for odd in ("a b", "a.b", "a_b", "x" * 70, "x" * 71))
    assert len({part.id for part in parts_of(folded(said=said)[0])}) == len(said)


def test_an_id_that_repeats_is_the_same_again() -> None:
    said = (Call("1 1", "a"), Result("1 1"), Call("1 1", "a"), Result("1 1"))
    assert len({getattr(part, "id", "") or part.call_id for part in parts_of(folded(said=said)[0])}) == 1


# --- the choice ---


@pytest.mark.parametrize("mode", ["any", "auto"])
def test_a_choice_names_tools_as_the_lane_knows_them(mode: Any) -> None:
    tools = (Tool("a.b"), Tool("look", namespace="ns"), Tool("c"))
    found, names, _ = folded(*tools, choice=Choice(mode, ("look", "a.b")))
    assert found.choice is not None
    assert found.choice.mode == mode
    assert {restored(name, names)[0] for name in found.choice.only} == {"look", "a.b"}
    assert set(found.choice.only) <= set(names_of(found))


def test_a_choice_of_a_tool_that_is_not_shown_is_named() -> None:
    found, _, noted = folded(Tool("a"), LATER[0], choice=Choice("any", ("later_0",)))
    assert found.choice == Choice("auto")
    assert noted["tool_choice"] == "dropped"


def test_a_choice_without_names_stays_as_it_is() -> None:
    for choice in (None, Choice("auto"), Choice("any"), Choice("none")):
        assert folded(Tool("a"), choice=choice)[0].choice == choice


def test_names_of_originals_tell_all_three() -> None:
    _, names, _ = folded(Tool("a", namespace="n", kind="custom"))
    assert names.tools == {"n__a": Original("a", "n", "custom")}
