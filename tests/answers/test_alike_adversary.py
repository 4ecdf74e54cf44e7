"""Questions whose forms must not be equal, found by looking for them: where politeness, a short form, a capital letter or
a language's name is what the question is about. And letters that no rule may stumble over."""

from __future__ import annotations

from pathlib import Path

import pytest
from answering import answering, body, echoes, send, text

from lynkr.answers.alike import normal_form

# What is asked about, and what only looks like it.
OTHERS = {
    "a text to print": ("How do I print don't in Python?", "How do I print do not in Python?"),
    "a word to look for": ("How do I grep for can't?", "How do I grep for cannot?"),
    "a message that is quoted": ('Why does it say "isn\'t callable"?', 'Why does it say "is not callable"?'),
    "a method that is called like a greeting": ("PLS regression in R?", "Regression in R?"),
    "the first of all programs": ("Hello, World program in C?", "World program in C?"),
    "politeness in another language": ("What is the Japanese for wait, please?", "What is the Japanese for wait?"),
    "a class and a function": ("Map in JavaScript, what is it?", "map in JavaScript, what is it?"),
    "a type and its namesake": ("Object or any in TypeScript?", "object or any in TypeScript?"),
    "bytes and bits": ("B per second in iftop?", "b per second in iftop?"),
    "a variable and the one who asks": ("How do i and j differ?", "How could I and j differ?"),
    "a variable and a language": ("How do I find the minimum in r?", "How do I find the minimum in R?"),
    "what is easy and what is right": (
        "What is the easiest way to store passwords?",
        "What is the right way to store passwords?",
    ),
    "what is usual and what is right": (
        "What is the usual way to catch exceptions?",
        "What is the correct way to catch exceptions?",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_asked_about_is_no_politeness_and_no_frame(what: str) -> None:
    one, other = map(normal_form, OTHERS[what])
    assert one is None or one != other


def test_another_text_to_print_gets_an_answer_of_its_own_through_a_proxy(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic", echoes) as (_, lynkr):
        for said in OTHERS["a text to print"]:
            assert text(send(lynkr, body(said=said))) == said


# Letters that Python takes for another's capital, though lower-case they are not the same.
FOLDED = ["in JavaScr\u0131pt", "in Ru\u017ft", "in Elix\u0131r", "in JAVASCR\u0130PT", "in Sw\u0131ft now"]


@pytest.mark.parametrize("place", FOLDED)
def test_no_letter_makes_a_question_fail(place: str) -> None:
    assert isinstance(normal_form(f"How do I sort rows {place}?"), str | None)


def test_a_question_in_turkish_letters_is_served(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic", echoes) as (up, lynkr):
        assert send(lynkr, body(said=f"How do I sort rows {FOLDED[0]}?")).status == 200
    assert len(up.posts()) == 1


UNSEEN = ["\u200b", "\u200d", "\u202e", "\u2066", "\u00ad", "\ufeff", "\u00a0", "\u3000", "\u2028", "\x07", "\ud800"]


@pytest.mark.parametrize("sign", UNSEEN)
def test_a_sign_that_cannot_be_seen_leaves_no_form(sign: str) -> None:
    assert normal_form(f"How do I re{sign}name a branch?") is None


# Cyrillic; a sharp s; wide; in two pieces; an emoji's dress; another dash, another quote, another digit.
LOOKS = [("copy", "\u0441opy"), ("Strasse", "Stra\u00dfe"), ("x", "\uff58"), ("caf\u00e9", "cafe\u0301"),
         ("\u2764", "\u2764\ufe0f"), ("a-b", "a\u2010b"), ("don't", "don\u2019t"), ("3", "\u0663")]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), LOOKS)
def test_what_looks_alike_is_another_question(one: str, other: str) -> None:
    forms = [normal_form(f"How do I rename {said} here?") for said in (one, other)]
    assert forms[0] != forms[1]


@pytest.mark.parametrize(("one", "other"), [
    ("How do I run `ls -a.`", "How do I run `ls -a`"),
    ("How do I run ls -a.", "How do I run ls -a"),
    ("How do I match `a b`?", "How do I match `ab`?"),
    ("What matches ab??", "What matches ab?"),
    ("How do I use $?", "How do I use $"),
    ("How do I merge a into b?", "How do I merge b into a?"),
    ("How do I not log in?", "How do I log in?"),
])  # fmt: skip
def test_signs_and_their_places_count(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)
