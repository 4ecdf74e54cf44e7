"""Work proves harder than it looked by failures that repeat, by calls in a circle, and by a model that gives up."""

from __future__ import annotations

from itertools import count

import pytest

from lynkr.conversation import Call, Result, Text, Turn
from lynkr.routing.trouble import Progress, failure

_ids = count()


def acted(result: str = "ok", arguments: str | None = None, *, error: bool = False, words: str = "") -> list[Turn]:
    """A call and its result; each call is another one unless its arguments are given."""
    id_ = f"call_{next(_ids)}"
    said = (Text(words),) if words else ()
    call = Call(id_, "Bash", arguments if arguments is not None else f'{{"command": "{id_}"}}')
    return [Turn("assistant", (*said, call)), Turn("user", (Result(id_, (Text(result),), error),))]


def progress(*steps: list[Turn]) -> Progress:
    found = Progress()
    for turns in steps:
        found.take(turns)
    return found


FAILED = [
    "FAILED tests/test_a.py::test_b - assert 1 == 2",
    "=========== 3 failed, 20 passed in 4.1s ===========",
    "E       AssertionError: no",
    "Traceback (most recent call last):\n  File \"a.py\", line 1",
    "error: expected `;`",
    "error[E0308]: mismatched types",
    "npm ERR! code 1",
    "panic: runtime error",
    "fatal: not a git repository",
    "Exit code 1\nnothing else",
    "Error: Exit code 127",
    "Process exited with code 2\nOutput:\n",
    "exit status 1",
    "--- FAIL: TestA (0.00s)",
    "bash: frobnicate: command not found",
    "cat: a.txt: No such file or directory",
    "<tool_use_error>String to replace not found in file.</tool_use_error>",
    "Tests: 2 failed, 5 passed",
]  # fmt: skip
WELL = [
    "",
    "ok",
    "20 passed in 4.1s",
    "0 failed, 20 passed",
    "Process exited with code 0\nOutput:\nok",
    "Exit code: 0",
    "see failures.md",
    "the tests that failed before pass now",
    "    error: a word in an indented text",
]


@pytest.mark.parametrize("text", FAILED)
@pytest.mark.parametrize("around", ["{}", "some output\n{}\nmore output", "x\n" * 5000 + "{}\nthe end"])
def test_a_result_says_that_it_failed(text: str, around: str) -> None:
    assert failure(Result("1", (Text(around.format(text)),)))


@pytest.mark.parametrize("text", WELL)
def test_a_result_that_is_well_is_no_failure(text: str) -> None:
    assert failure(Result("1", (Text(text),))) == ""


def test_what_the_client_calls_an_error_is_one() -> None:
    assert failure(Result("1", (Text("The user does not want that."),), error=True))
    assert failure(Result("1", (), error=True)) == "error"


@pytest.mark.parametrize("words", ["line 12 of 40, took 1.5s", "pid 7", "id 0012"])
def test_failures_are_the_same_whatever_numbers_stand_in_them(words: str) -> None:
    other = words.translate(str.maketrans("0123456789", "9876543210"))
    texts = [f"error: at {each}" for each in (words, other)]
    assert len({failure(Result("1", (Text(text),))) for text in texts}) == 1


def test_failures_are_the_same_whatever_addresses_stand_in_them() -> None:
    texts = [f"error: <Parser object at 0x{address}> is closed" for address in ("7f3ab2c4d0", "7f99ee01aa")]
    assert len({failure(Result("1", (Text(text),))) for text in texts}) == 1


# --- kinds of trouble -------------------------------------------------------------------------------------------------


def test_where_all_is_well_there_is_no_trouble() -> None:
    found = progress(*(acted(text) for text in WELL * 3))
    assert found.trouble() is None
    assert Progress().trouble() is None


def test_the_same_failure_three_times() -> None:
    steps = [acted("error: no 1"), acted(), acted("error: no 2"), acted()]
    assert progress(*steps).trouble() is None
    assert progress(*steps, acted("error: no 3")).trouble() == "the same failure 3 times"


def test_five_failures_among_the_last_eight_results() -> None:
    kinds = ["error: a", "fatal: b", "panic: c", "exit status 1", "npm ERR! e"]
    assert progress(*map(acted, kinds[:4])).trouble() is None
    assert progress(*map(acted, kinds)).trouble() == "5 of the last 5 tool results are failures"
    spread = [
        acted(kinds[0]),
        acted(),
        acted(kinds[1]),
        acted(kinds[2]),
        acted(),
        acted(kinds[3]),
        acted(),
        acted(kinds[4]),
    ]
    assert progress(*spread).trouble() == "5 of the last 8 tool results are failures"
    assert progress(*spread, acted()).trouble() is None, "the first of them is long ago"


def test_the_same_call_three_times_over_that_does_not_help() -> None:
    again = '{"command": "pytest"}'
    assert progress(acted("error: a", again), acted("fatal: b", again)).trouble() is None
    assert (
        progress(acted("error: a", again), acted("fatal: b", again), acted("ok", again)).trouble()
        == "the same call 3 times"
    )


def test_to_look_again_and_again_at_what_goes_well_is_no_trouble() -> None:
    assert progress(*(acted("running", '{"id": "task"}') for _ in range(8))).trouble() is None


@pytest.mark.parametrize(
    "words",
    [
        "I am unable to fix this.",
        "I'm stuck.",
        "I give up.",
        "I can't figure out why.",
        "I cannot solve it.",
        "I'm going in circles",
    ],
)
def test_a_model_that_gives_up(words: str) -> None:
    assert progress([Turn("assistant", (Text(f"I tried it all. {words}"),))]).trouble() == "the model gives up"
    assert progress(acted(words=words)).trouble() == "the model gives up"


@pytest.mark.parametrize(
    "words", ["I am able to fix this.", "You can't figure it out?", "It is stuck in a loop.", "Done."]
)
def test_a_model_that_does_not(words: str) -> None:
    assert progress([Turn("assistant", (Text(words),))]).trouble() is None


def test_what_a_user_or_a_file_says_is_no_giving_up() -> None:
    assert progress([Turn("user", (Text("I give up."),))], acted("I give up.")).trouble() is None


def test_when_the_user_has_spoken_it_begins_anew() -> None:
    found = progress(*(acted("error: no") for _ in range(3)), [Turn("assistant", (Text("I give up."),))])
    assert found.trouble()
    found.clear()
    assert found.trouble() is None
    found.take(acted("error: no"))
    assert found.trouble() is None
    assert len(found.failures) == 1


@pytest.mark.parametrize(
    "result", ["SECRET " + text for text in ("error: no",)] + ["error: SECRET", "FAILED SECRET::test"]
)
def test_what_is_wrong_is_said_without_a_word_of_the_results(result: str) -> None:
    found = progress(*(acted(result, '{"command": "SECRET"}', error=True) for _ in range(3)))
    assert found.trouble() == "the same failure 3 times"
