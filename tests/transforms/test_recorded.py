"""What real programs wrote, compressed: every fact that somebody chose as what must survive is still there.

The outputs and their facts are in tests/recorded, which says how they were made.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lynkr.transforms.shaper import alone

RECORDED = Path(__file__).parent.parent / "recorded"
ANSWERED = ("pytest", "unittest", "jest", "vitest", "node-test", "mocha", "rspec", "minitest", "go-test", "cargo-test",
            "surefire", "gradle", "mvn", "tsc", "eslint", "ruff", "mypy", "pylint", "clippy", "rustc", "gcc", "g++",
            "clang", "javac", "git", "grep", "ripgrep", "find", "ls", "tree", "npm", "yarn", "pnpm", "pip", "uv",
            "poetry", "cargo", "make", "cmake", "apt-get", "vite", "webpack", "biome", "flake8")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One recorded output."""

    name: str
    text: str
    about: dict[str, Any]

    @property
    def after(self) -> str:
        change = alone(self.text, self.about["command"])
        return change.after if change else self.text


@cache
def cases() -> dict[str, Case]:
    return {case.name: case for case in _read()}


def _read() -> Iterator[Case]:
    for path in sorted(RECORDED.glob("*/*.toml")):
        text = path.with_suffix(".out").read_bytes().decode("utf-8", "replace")
        yield Case(f"{path.parent.name}/{path.stem}", text, tomllib.loads(path.read_text("utf-8")))


each_case = pytest.mark.parametrize("name", cases())


@each_case
def test_every_fact_survives(name: str) -> None:
    case = cases()[name]
    assert case.about["facts"], "a recording without facts proves nothing"
    assert [fact for fact in case.about["facts"] if fact not in case.text] == [], "the recording does not hold it"
    after = case.after
    assert [fact for fact in case.about["facts"] if fact not in after] == []


@each_case
def test_it_gets_no_longer_and_is_done_once(name: str) -> None:
    case = cases()[name]
    change = alone(case.text, case.about["command"])
    if change is None:
        return
    assert len(change.after) < len(case.text)
    assert len(case.text) - len(change.after) == sum(cut.chars for cut in change.cuts)
    assert alone(change.after, case.about["command"]) is None


@pytest.mark.parametrize("name", [name for name, case in cases().items() if case.about["must_shrink"]])
def test_what_is_mostly_chatter_loses_two_fifths_or_more(name: str) -> None:
    case = cases()[name]
    assert len(case.after) <= 0.6 * len(case.text)


def test_programs_of_every_kind_are_recorded_passing_and_failing() -> None:
    ends: dict[str, set[bool]] = {}
    for name, case in cases().items():
        ends.setdefault(name.partition("/")[0], set()).add(case.about["exit"] == 0)
    assert set(ANSWERED) <= set(ends)
    assert sum(len(each) == 2 for each in ends.values()) >= 30
