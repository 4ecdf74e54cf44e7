"""An answer's calls come back under the client's own names, kinds and ids; a freeform text word by word, however cut."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties.said import CUTS, JSON, WORDS, cut, through_json

from lynkr.conversation import Call, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Open, Ping, Start, Stop
from lynkr.translate.restore import Freeform, Restorer
from lynkr.translate.tools import INPUT, Names, Original

some = settings(max_examples=400, deadline=None)

NAMES = Names(
    {
        "plain": Original("plain", None, "function"),
        "mcp__a__look": Original("look", "mcp__a", "function"),
        "spelt_12345678": Original("spelt.so", None, "function"),
        "patch": Original("patch", None, "custom"),
        "ns__patch": Original("patch", "ns", "custom"),
        "tool_search": Original("tool_search", None, "search"),
    },
    {"call_1", "call_2"},
)


def restored(*events: Event) -> list[Event]:
    restorer = Restorer(NAMES, "seed")
    return [found for event in events for found in restorer.event(event)]


def call(name: str, *deltas: str, call_id: str = "c") -> list[Event]:
    return [Open(Call(call_id, name)), *map(Delta, deltas), Close()]


def opened(events: list[Event]) -> list[Call]:
    return [event.part for event in events if isinstance(event, Open) and isinstance(event.part, Call)]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def freeform(pieces: list[str]) -> str:
    reader = Freeform()
    return "".join([*map(reader.feed, pieces), reader.rest()])


# --- names and ids ---


@pytest.mark.parametrize("told", NAMES.tools)
def test_a_call_has_the_name_namespace_and_kind_that_the_client_knows(told: str) -> None:
    (found,) = opened(restored(*call(told, "{}")))
    assert (found.name, found.namespace, found.kind) == NAMES.tools[told]
    assert found.id == "c"


def test_a_tool_that_nobody_told_of_keeps_its_name() -> None:
    assert opened(restored(*call("made_up", "{}"))) == [Call("c", "made_up")]


def test_what_is_no_call_passes_as_it_is() -> None:
    events = [Start("m"), Ping(), Open(Thinking("")), Delta("a"), Close(), Open(Text("")), Delta("b"), Close(),
              *call("plain", '{"a"', ":1}"), End(Stop.CALLS)]  # fmt: skip
    assert restored(*events) == events


def test_an_id_that_was_taken_before_becomes_another() -> None:
    (found,) = opened(restored(*call("plain", "{}", call_id="call_1")))
    assert found.id not in NAMES.ids
    assert found.id.startswith("call_1")


def test_a_call_without_an_id_gets_one() -> None:
    one, other = opened(restored(*call("plain", "{}", call_id=""), *call("plain", "{}", call_id="")))
    assert one.id
    assert other.id
    assert one.id != other.id


@some
@given(st.lists(st.sampled_from(["", "call_1", "call_2", "call_1_seed", "call", "x"]), max_size=6))
def test_no_two_calls_have_the_same_id_and_free_ones_stay(ids: list[str]) -> None:
    found = [part.id for part in opened(restored(*itertools.chain(*(call("plain", "{}", call_id=i) for i in ids))))]
    assert len({*found} - NAMES.ids) == len(ids)
    for n, (given_id, new) in enumerate(zip(ids, found, strict=True)):
        assert new == given_id or given_id in {"", *NAMES.ids, *found[:n]}


def test_the_same_answer_gets_the_same_ids_again_and_another_one_others() -> None:
    events = call("plain", "{}", call_id="call_1")
    assert restored(*events) == restored(*events)
    (other,) = (e for e in Restorer(NAMES, "other seed").event(events[0]))
    assert other != restored(*events)[0]


def test_ids_of_earlier_answers_are_none_of_an_answer_s_own() -> None:
    """The conversation's ids are not touched by an answer: the next one starts from them anew."""
    restored(*call("plain", "{}", call_id="new"))
    assert NAMES.ids == {"call_1", "call_2"}


# --- freeform tools ---


@some
@given(WORDS, CUTS, st.booleans(), st.sampled_from([("", ""), (" ", "\n"), ("\t\r\n", " ")]))
def test_the_text_comes_out_of_the_arguments_wherever_they_are_cut(
    words: str, cuts: list[int], bare: bool, spaces: tuple[str, str]
) -> None:
    before, after = spaces
    quoted = json.dumps(words, ensure_ascii=not bare)
    arguments = f'{before}{{{before}"{INPUT}"{after}:{before}{quoted}{after}}}{after}'
    assert through_json(freeform(cut(arguments, cuts))) == words


def escaped(words: str) -> str:
    """Every character as an escape, those beyond 16 bits as two."""
    units = words.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02X}" for n in range(0, len(units), 2))


@some
@given(WORDS)
@example("a😀b")
@example("😀😀")
@example("\ud83d😀")
@example("\ud83d\\ude00")
@example("\ude00\ud83d")
@example("\ud83dA")
@example("\ud83d")
def test_a_character_at_a_time_gives_the_same_text(words: str) -> None:
    """As JavaScript joins them: a half that came first meets its other half."""
    arguments = f'{{"{INPUT}":"{escaped(words)}"}}'
    assert through_json(freeform(list(arguments))) == words


def test_an_emoji_is_never_told_in_halves() -> None:
    reader = Freeform()
    told = [reader.feed(piece) for piece in [f'{{"{INPUT}":"a\\ud8', "3d", "\\", "ude", '00b"}']]
    assert told == ["a", "", "", "", "😀b"]
    assert reader.rest() == ""


@pytest.mark.parametrize(("raw", "words"), [(r"\n", "\n"), (r"\"", '"'), (r"\\", "\\"), (r"\/", "/"), (r"é", "é")])
def test_an_escape_is_told_when_it_is_whole(raw: str, words: str) -> None:
    reader = Freeform()
    reader.feed(f'{{"{INPUT}":"')
    told = [reader.feed(character) for character in raw]
    assert told == [""] * (len(raw) - 1) + [words]


def test_words_are_told_as_they_come() -> None:
    reader = Freeform()
    assert reader.feed(f'{{"{INPUT}": "*** Begin') == "*** Begin"
    assert reader.feed(" Patch\\n") == " Patch\n"
    assert reader.feed('"') == ""
    assert reader.feed("}") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", ""),
        ('{"patch": "so"}', "so"),
        ('{"input": 5}', '{"input": 5}'),
        ('{"a": "b", "c": "d"}', '{"a": "b", "c": "d"}'),
        ('{"other": 1, "input": "so"}', "so"),
        ("*** Begin Patch", "*** Begin Patch"),
        ('"so"', '"so"'),
        ("[" * 50_000, "[" * 50_000),
        ('{"input": "cut o', "cut o"),
        ('{"input": "cut \\', "cut \\"),
        ('{"input": "cut \\u12', "cut \\u12"),
        ('{"input": "a\nb\tc"}', "a\nb\tc"),
        ('{"input": "a\\x"}', 'a\\x"}'),
    ],
)
def test_arguments_of_another_form_lose_no_word(arguments: str, words: str) -> None:
    """Models write what they like; what they wrote reaches the tool, which says what is wrong with it."""
    assert freeform([arguments]) == words
    assert freeform(list(arguments)) == words


@some
@given(JSON, CUTS)
def test_any_other_value_is_told_whole_at_the_end(value: object, cuts: list[int]) -> None:
    arguments = json.dumps(value)
    found = freeform(cut(arguments, cuts))
    assert found == arguments or (isinstance(value, dict) and found in value.values())


def test_a_freeform_call_is_restored_between_others() -> None:
    patch = json.dumps({INPUT: "*** Begin Patch\n“so”"})
    events = restored(
        *call("plain", "{}"), *call("ns__patch", *patch, call_id="d"), *call("plain", '{"a":', "1}", call_id="e")
    )
    assert [(part.name, part.namespace, part.kind) for part in opened(events)] == [
        ("plain", None, "function"),
        ("patch", "ns", "custom"),
        ("plain", None, "function"),
    ]
    assert said(events) == '{}*** Begin Patch\n“so”{"a":1}'
    assert [type(event) for event in events if isinstance(event, Open | Close)] == [Open, Close] * 3


def test_a_freeform_call_without_a_word_is_a_call_all_the_same() -> None:
    assert restored(*call("patch")) == [Open(Call("c", "patch", kind="custom")), Close()]
