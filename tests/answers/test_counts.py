"""Tokens are counted by the model's own vocabulary where that is known, and estimated within what the documents say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lynkr.answers.counts import count

ROOT = Path(__file__).parent.parent.parent
CODE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "lynkr" / "routing").glob("*.py")))
PROSE = "\n".join((ROOT / "docs" / name).read_text("utf-8") for name in ("how-it-works.md", "routing.md"))


def asked(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "toktok", None)


def test_openais_models_are_counted_by_their_own_vocabulary() -> None:
    pytest.importorskip("toktok", reason="the extra `tokens` is not installed")
    # "user" and "hello world" are three tokens of o200k_base, and four stand around a message.
    assert count(asked("hello world"), "gpt-5.5") == 3 + 4
    assert count(asked("hello world " * 1000), "gpt-5.5") > 2000


@pytest.mark.parametrize(("text", "least", "most"), [(CODE, 0.88, 1.12), (PROSE, 0.88, 1.12)], ids=["code", "prose"])
def test_the_estimate_is_about_what_the_vocabulary_counts(
    text: str, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("toktok", reason="the extra `tokens` is not installed")
    exact = count(asked(text), "gpt-5.5")
    monkeypatch.setitem(sys.modules, "toktok", None)
    assert least < count(asked(text), "gpt-5.5") / exact < most


@pytest.mark.usefixtures("without_the_extra")
def test_claudes_tokens_are_smaller_and_the_newer_ones_smaller_still() -> None:
    gpt, old, new = (count(asked(CODE), model) for model in ("gpt-5.5", "claude-sonnet-4-5", "claude-opus-5-5"))
    assert (round(old / gpt, 2), round(new / gpt, 2)) == (1.22, 1.56)


@pytest.mark.usefixtures("without_the_extra")
def test_what_the_model_reads_counts_and_nothing_else() -> None:
    plain = count(asked("x" * 400), "m")
    tools = [{"name": "y" * 400, "input_schema": {"type": "object"}}]
    assert count({**asked("x" * 400), "system": "y" * 400}, "m") > plain + 90
    assert count({**asked("x" * 400), "tools": tools}, "m") > plain + 90
    assert count({**asked("x" * 400), "metadata": {"user_id": "z" * 4000}}, "m") == plain
    picture = {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}
    seen = {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 400}, picture]}]}
    assert count(seen, "m") < plain + 40


@pytest.mark.usefixtures("without_the_extra")
def test_nothing_is_still_one_token() -> None:
    assert count({}, "m") == 1
