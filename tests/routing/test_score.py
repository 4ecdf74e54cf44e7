"""The scorer: every signal sees what it is named for, and a score is the sum of parts that can be shown."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import pytest

from lynkr.routing.score import score, signals, weights
from lynkr.routing.signals import SIGNALS

# A prompt for each signal.
GIVES = {
    "asks": "is it done?", "question": "why? tell me", "asks_what": "How does it work", "asks_whether": "Does it work",
    "goes_on": "But the other one", "asked_politely": "can you look", "wants_a_nod": "so it is fine, right?",
    "opinion": "I think it is broken", "nod": "ok, good", "go_ahead": "yes, please implement it",
    "explain": "Explain the parser", "build": "write a parser", "plan": "what is the plan",
    "whole_plan": "Implement the following plan:", "rework": "refactor the parser", "add": "add a flag",
    "fix": "fix the parser", "change": "remove the flag", "run": "run it", "look": "check the parser",
    "investigate": "figure out where it stops", "git": "rebase onto main", "only_commit": "please commit",
    "review_comments": "answer the PR comments", "tests": "the test is slow", "lint": "lint is red",
    "everywhere": "in every file", "list": "do:\n- one", "long_list": "1. a\n2. b\n3. c", "headings": "# Title\ntext",
    "code": "call `f(x)`", "code_block": "```\nx\n```", "paths": "see src/a.py", "lines": "see line 12",
    "url": "see https://example.com", "trouble": "it fails", "trace": "Traceback (most recent call last)",
    "diff": "@@ -1 +1 @@", "feature": "a new feature", "design": "which approach", "words": "the README",
    "ui": "the button", "agents": "use a subagent", "steps": "phase 2", "command": "/compact",
    "interrupted": "[Request interrupted by user]", "image": "[Image #1]", "resumed": "This session is being continued",
    "ticket": "see #123", "negation": "do not touch it", "lets": "let's see", "please": "please", "sequence": "then stop",
    "should": "it should work", "we": "we need it", "you": "you know", "points_back": "That is it", "ellipsis": "well...",
    "exclaims": "great!", "risk": "the authentication", "think": "ultrathink",
}  # fmt: skip


def test_each_signal_has_a_prompt_here() -> None:
    assert [signal.name for signal in SIGNALS] == list(GIVES)


@pytest.mark.parametrize("name", GIVES)
def test_a_signal_sees_what_it_is_named_for_and_not_in_everything(name: str) -> None:
    assert name in {signal.name for signal in signals(GIVES[name])}
    assert name in {signal.name for signal in signals(GIVES[name].upper())}, "large letters make no difference"
    assert name not in {signal.name for signal in signals("lorem ipsum dolor sit amet")}


@pytest.mark.parametrize("prompt", [*GIVES.values(), "", "\0", "größer \udc80", "x" * 100_000, "a\n" * 50_000])
def test_a_score_is_the_sum_of_its_parts_between_none_and_much(prompt: str) -> None:
    found, fitted = score(prompt), weights()
    total = math.fsum(part.weight for part in found.parts) + fitted["bias"]
    assert found.value == pytest.approx(1 / (1 + math.exp(-(total - fitted["middle"]) / fitted["spread"])), abs=1e-4)
    assert 0 <= found.value <= 1
    sizes = [abs(part.weight) for part in found.parts]
    assert sizes == sorted(sizes, reverse=True)
    assert all(part.words for part in found.parts)


def test_the_weights_are_of_the_signals_that_there_are_and_the_tiers_ascend() -> None:
    fitted = weights()
    assert set(fitted["signals"]) == {signal.name for signal in SIGNALS}
    assert len({signal.name for signal in SIGNALS}) == len(SIGNALS)
    assert 0 < fitted["tiers"]["medium"] < fitted["tiers"]["complex"] < fitted["tiers"]["reasoning"] < 1


def test_more_work_has_the_higher_score() -> None:
    small = ["what does this function do?", "commit and push", "is that right?"]
    large = [
        "Implement the following plan:\n\n# Plan: new billing\n\n- add the table\n- migrate the data\n- write tests\n",
        "refactor the whole billing module to use the new API everywhere, and fix all failing tests in src/billing",
    ]
    assert max(score(prompt).value for prompt in small) < min(score(prompt).value for prompt in large)


def test_the_same_prompt_has_the_same_score_in_another_process() -> None:
    code = "import sys; from lynkr.routing.score import score; print([score(p) for p in sys.argv[1:]])"
    prompts = list(GIVES.values())
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, *prompts],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{[score(prompt) for prompt in prompts]}\n"}


@pytest.mark.parametrize("piece", ["a", "- a\n", "#1-", "? ", "please ", "/a.b", "`", "src/a.py:12 "])
def test_a_long_prompt_takes_no_longer_than_what_is_looked_at(piece: str) -> None:
    def taken(size: int) -> float:
        prompt, best = piece * (size // len(piece)), math.inf
        for _ in range(3):
            begun = time.process_time()
            score(prompt)
            best = min(best, time.process_time() - begun)
        return best

    assert taken(1_000_000) < 8 * taken(8_000) + 0.01
