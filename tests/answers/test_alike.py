"""A question in other words gets the answer; one that only looks alike never does.

The pairs are made by pairs.py beside this file.
"""

from __future__ import annotations

import json
import re
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from answering import answering, body, echoes, send, text
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lynkr.answers.alike import LONGEST, normal_form

HERE = Path(__file__).parent
MADE: dict[str, Any] = runpy.run_path(str(HERE / "pairs.py"))
Pair = dict[str, str]


def pairs(name: str) -> list[Pair]:
    return [json.loads(line) for line in (HERE / name).read_text("utf-8").splitlines()]


NEAR, SAME = pairs("near_misses.jsonl"), pairs("paraphrases.jsonl")
TRIVIAL = [pair for pair in SAME if pair["how"] != "free"]
KINDS = list(dict.fromkeys(pair["how"] for pair in NEAR))
# Changes that are documented not to count. Articles and short names do, and another frame, and a final mark where names
# may end in one, and the place of a language behind what may itself be in it.
COUNTED = ("trivial: article", "trivial: abbreviation", "trivial: frame")
UNCOUNTED = [
    pair for pair in TRIVIAL if pair["how"] not in COUNTED
    and not (pair["how"] == "trivial: language in front"
             and re.search(r"Ruby|Rust|Swift|Kotlin|TypeScript|C#|line in|files? in", pair["one"]))
    and not (pair["how"] == "trivial: final mark" and re.search("Rust|Ruby", pair["one"]))
    and not (pair["how"] == "trivial: politeness behind" and not re.search(r" in [A-Z]\w+, please", pair["other"]))
]  # fmt: skip


def alike(pair: Pair) -> bool:
    one, other = normal_form(pair["one"]), normal_form(pair["other"])
    return one is not None and one == other


# --- the files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(MADE["FILES"]))
def test_the_files_are_what_the_script_makes(name: str) -> None:
    assert (HERE / name).read_text("utf-8") == MADE["text"](MADE["FILES"][name]())


def test_there_are_enough_pairs_and_none_twice() -> None:
    assert min(len(NEAR), len(SAME)) >= 220
    assert len(TRIVIAL) >= 110
    assert len(SAME) - len(TRIVIAL) >= 110
    named = [frozenset((pair["one"], pair["other"])) for pair in (*NEAR, *SAME)]
    assert [pair for pair, count in Counter(named).items() if count > 1 or len(pair) == 1] == []


# --- wrong hits and hits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_looks_alike_is_never_the_same(kind: str) -> None:
    found = [pair for pair in NEAR if pair["how"] == kind]
    swapped = [{"one": pair["other"], "other": pair["one"]} for pair in found]
    assert [pair for pair in (*found, *swapped) if alike(pair)] == []


def test_what_only_looks_alike_gets_an_answer_of_its_own_through_a_proxy(tmp_path: Path) -> None:
    sample = NEAR[::6]
    assert len(sample) >= 30
    with answering(tmp_path, "semantic", echoes) as (_, lynkr):
        for pair in sample:
            for said in (pair["one"], pair["other"], pair["one"]):
                assert text(send(lynkr, body(said=said))) == said


def test_what_does_not_count_makes_no_difference() -> None:
    assert len(UNCOUNTED) >= 80
    assert [pair for pair in UNCOUNTED if not alike(pair)] == []


def test_a_trivial_variant_gets_the_first_ones_answer_through_a_proxy(tmp_path: Path) -> None:
    sample = [pair for pair in TRIVIAL if alike(pair)][::8]
    with answering(tmp_path, "semantic", echoes) as (up, lynkr):
        for pair in sample:
            assert text(send(lynkr, body(said=pair["one"]))) == text(send(lynkr, body(said=pair["other"])))
            assert send(lynkr, body(said=pair["other"])).header("x-lynkr-answered") == "semantic"
    assert len(up.posts()) <= len(sample)


@pytest.mark.parametrize("language", ["JavaScript", "SQL", "PHP", "C++"])
def test_the_language_may_stand_at_either_end(language: str) -> None:
    behind, before = f"How do I sort rows in {language}?", f"In {language}, how do I sort rows?"
    assert alike({"one": behind, "other": before})


@pytest.mark.parametrize("language", ["Python", "Go", "Java"])
def test_the_language_may_stand_at_either_end_of_a_question(language: str) -> None:
    behind, before = f"How do I sort rows in {language}?", f"In {language}, how do I sort rows?"
    assert alike({"one": behind, "other": before})


# --- properties --------------------------------------------------------------------------------------------------------

# Words that carry what is asked: no frame, no article, no abbreviation, no language.
CONTENT = st.sampled_from(
    [
        "merge",
        "split",
        "rows",
        "table",
        "branch",
        "cache",
        "thread",
        "token",
        "parse",
        "group",
        "window",
        "after",
        "before",
        "not",
        "into",
    ]
)
WORDS = st.lists(CONTENT, min_size=2, max_size=7)
PATHS = st.from_regex(r"(?:[a-z]{1,6}/){1,3}[a-z]{1,6}\.(?:py|rs|c)", fullmatch=True)
QUOTED = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="`'\""), min_size=1, max_size=12)


def asked(words: list[str], at: int = 0, more: str = "") -> str:
    place = at % (len(words) + 1)
    return " ".join(["How do I", *words[:place], *([more] if more else []), *words[place:]]) + "?"


@given(st.text(max_size=LONGEST + 50))
@example("How do I print 'a' in Go?")
def test_a_form_is_the_same_each_time_and_settles(said: str) -> None:
    assume("\x00" not in said)
    form = normal_form(said)
    assert form == normal_form(said)
    again = form and normal_form(form)
    assert again is None or len(again) <= len(form or "") * 3


def test_a_text_with_signs_that_nobody_types_has_no_form() -> None:
    assert normal_form("x \x005\x00") is None


@given(WORDS, st.integers(0, 9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_another_number_is_another_question(words: list[str], at: int, one: int, other: int) -> None:
    assume(one != other)
    assert normal_form(asked(words, at, str(one))) != normal_form(asked(words, at, str(other)))


@given(WORDS, st.integers(0, 9), PATHS, PATHS)
def test_another_path_is_another_question(words: list[str], at: int, one: str, other: str) -> None:
    assume(one != other)
    assert normal_form(asked(words, at, one)) != normal_form(asked(words, at, other))


@given(WORDS, st.integers(0, 9), QUOTED, QUOTED)
def test_other_quoted_text_is_another_question(words: list[str], at: int, one: str, other: str) -> None:
    assume(one != other)
    assert normal_form(asked(words, at, f"`{one}`")) != normal_form(asked(words, at, f"`{other}`"))


@given(WORDS, st.data())
def test_another_order_of_words_is_another_question(words: list[str], data: st.DataObject) -> None:
    other = data.draw(st.permutations(words))
    assume(other != words)
    assert normal_form(asked(words)) != normal_form(asked(list(other)))


@given(WORDS, st.integers(0, 9), CONTENT)
def test_one_word_more_is_another_question(words: list[str], at: int, more: str) -> None:
    assert normal_form(asked(words)) != normal_form(asked(words, at, more))


@pytest.mark.parametrize("said", ["", "  ", "?", "x" * (LONGEST + 1), "a\n\nb", "why ```x``` ?"])
def test_what_is_no_short_question_has_no_form(said: str) -> None:
    assert normal_form(said) is None
