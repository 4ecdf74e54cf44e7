"""A budget of a day counts what other sessions have spent, and `.lynkr.toml` can make it smaller."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import Ran, lynkr, profile
from scripts import anthropic, upstream

CLIENT = """
import json, os, sys, urllib.error, urllib.request
body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", json.dumps(body).encode(),
                                 {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["error"]["message"])
"""
LANE = '[lanes.main]\nprovider = "anthropic"\nmodel = "claude-opus-5-5"\nbase_url = "{url}"\nkey_env = "LANE_KEY"\n'


def asks(home: Path, project: Path, *more: str) -> Ran:
    return lynkr(
        "run", "-p", "work", *more, "--", sys.executable, "-c", CLIENT, home=home, cwd=project, LANE_KEY="sk-x"
    )


@pytest.mark.parametrize("period", ["day", "month"])
def test_what_earlier_sessions_have_spent_counts(clean_machine: Path, tmp_path: Path, period: str) -> None:
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", LANE.format(url=up.url) + f"[budget]\n{period}_usd = 0.001\n")
        first, second = asks(clean_machine, tmp_path), asks(clean_machine, tmp_path)
        assert len(up.posts()) == 1
    assert first.out.strip() == "200"
    assert second.out.startswith("400 ")
    assert f"the budget of this {period} is spent" in second.out and f"{period}_usd" in second.out
    assert f"the budget of this {period} is spent" in second.err


def test_a_projects_file_makes_a_budget_smaller_and_not_larger(clean_machine: Path, tmp_path: Path) -> None:
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", LANE.format(url=up.url) + "[budget]\nday_usd = 0.001\n")
        (tmp_path / ".lynkr.toml").write_text("[budget]\nday_usd = 100\n")
        assert [asks(clean_machine, tmp_path).out[:3] for _ in range(2)] == ["200", "400"]
        profile(clean_machine, "work", LANE.format(url=up.url) + "[budget]\nday_usd = 100\n")
        (tmp_path / ".lynkr.toml").write_text("[budget]\nday_usd = 0.001\n")
        assert asks(clean_machine, tmp_path).out[:3] == "400"


def test_a_budget_that_cannot_see_a_price_says_so(clean_machine: Path, tmp_path: Path) -> None:
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", LANE.format(url=up.url).replace("claude-opus-5-5", "made-up-9"))
        ran = asks(clean_machine, tmp_path, "--budget", "1")
    assert ran.out.strip() == "200"
    assert "the budget cannot see what lane main costs" in ran.err
