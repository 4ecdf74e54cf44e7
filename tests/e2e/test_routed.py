"""Real tools on profiles with several lanes: small work goes to the small model, and what fails is stepped in for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Ran, lynkr, profile, real_tool
from loops import loop
from real import claude_home, codex_home, with_tool
from scripts import Asked, Script, Step, Upstream, unpacked, upstream, whole
from terminal import terminal

pytestmark = pytest.mark.real

SIMPLE = "what does this file say?"
HARD = (
    "Implement the following plan: refactor the authentication of the whole service, migrate every session to the new "
    "store, add tests for each module and update the documentation. Think hard about the migration."
)
LANE = '[lanes.{name}]\nprovider = "{provider}"\nmodel = "{model}"\nbase_url = "{url}"\nkey_env = "LANE_KEY"\n'
BASH = {"command": "ls", "description": "List"}


@contextmanager
def two_lanes(home: Path, small: Script, large: Script, more: str = "") -> Iterator[tuple[Upstream, Upstream]]:
    """A small model that speaks Chat Completions, and a large one at Anthropic's."""
    with upstream(small) as first, upstream(large) as second:
        lanes = LANE.format(name="small", provider="openrouter", model="deepseek-chat", url=f"{first.url}/v1")
        lanes += 'format = "openai-chat"\nprice = { input = 0.3, output = 1.2, cache_read = 0.006 }\n'
        lanes += LANE.format(name="large", provider="anthropic", model="claude-opus-5-5", url=second.url)
        tiers = '[tiers]\nsimple = ["small"]\nmedium = ["small"]\ncomplex = ["large", "small"]\n'
        profile(home, "work", tiers + lanes + more)
        yield first, second


def claude(home: Path, project: Path, env: dict[str, str], prompt: str, *more: str) -> Ran:
    return lynkr("run", "-p", "work", *more, "claude", "-p", prompt, "--allowedTools", "Bash", home=home, cwd=project,
                 PATH=with_tool(real_tool("claude")), LANE_KEY="sk-fake-lane", **env)  # fmt: skip


def overloaded_after(times: int, script: Script) -> Script:
    """Serves so many requests of the main loop, then says that it is overloaded."""
    served = 0

    def scripted(asked: Asked) -> Iterable[Step]:
        nonlocal served
        if asked.method == "POST" and b'"Bash"' in asked.body:
            served += 1
            if served > times:
                body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
                return whole(body, 529)
        return script(asked)

    return scripted


@pytest.fixture
def claude_project(clean_machine: Path) -> tuple[Path, dict[str, str]]:
    project, env = claude_home(clean_machine)
    del env["ANTHROPIC_AUTH_TOKEN"]
    return project, env


def test_claude_code_sends_small_work_to_the_small_model(
    clean_machine: Path, claude_project: tuple[Path, dict[str, str]]
) -> None:
    scripts = loop("Bash", BASH)
    with two_lanes(clean_machine, scripts["openai-chat"], scripts["anthropic"]) as (small, large):
        easy = claude(clean_machine, *claude_project, SIMPLE)
        assert (easy.status, easy.out.strip()) == (0, "All done."), easy.err
        assert len(small.posts("/chat/completions")) == 2
        assert not large.posts()
        hard = claude(clean_machine, *claude_project, HARD)
        assert (hard.status, hard.out.strip()) == (0, "All done."), hard.err
        assert len(large.posts("/v1/messages")) == 2
    report = hard.report()
    assert {(r["who"], r["lane"], r["tier"]) for r in report["requests"] if r["method"] == "POST"} <= {
        ("main", "large", "complex"), ("main", "large", "reasoning")}  # fmt: skip
    assert len({r["conversation"] for r in report["requests"] if r["method"] == "POST"}) == 1


def test_another_maker_s_model_goes_on_in_the_middle_of_claude_code_s_conversation(
    clean_machine: Path, claude_project: tuple[Path, dict[str, str]]
) -> None:
    scripts = loop("Bash", BASH)
    with two_lanes(clean_machine, scripts["openai-chat"], overloaded_after(1, scripts["anthropic"])) as (small, _):
        ran = claude(clean_machine, *claude_project, HARD)
    assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
    sent = small.posts("/chat/completions")
    assert len(sent) == 1
    assert b"EqQBCgIYAhIM" not in sent[0].body, "what the first maker sealed is not for the second"
    last = [request for request in ran.report()["requests"] if request["method"] == "POST"][-1]
    assert last["lane"] == "small"
    assert {(attempt["lane"], attempt["status"], attempt["why"]) for attempt in last["tried"]} == {
        ("large", 529, "overloaded")
    }
    assert last["switch"]["kind"] == "fallback"


def test_a_tier_that_the_prompt_names_is_taken_and_the_word_for_it_is_not_sent(
    clean_machine: Path, claude_project: tuple[Path, dict[str, str]]
) -> None:
    scripts = loop("Bash", BASH)
    with two_lanes(clean_machine, scripts["openai-chat"], scripts["anthropic"]) as (small, large):
        ran = claude(clean_machine, *claude_project, f"{SIMPLE} /tier complex")
        assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
        sent = large.posts("/v1/messages")
        assert len(sent) == 2
        assert not small.posts()
    assert all(SIMPLE.encode() in asked.body and b"/tier" not in asked.body for asked in sent)
    assert "/tier complex" in ran.report()["requests"][-1]["why"]


def test_claude_code_s_titles_go_to_the_small_model(
    clean_machine: Path, claude_project: tuple[Path, dict[str, str]]
) -> None:
    project, env = claude_project
    scripts = loop("Bash", BASH)
    by_a_model = "[bypass]\ntitles = false\n"
    with two_lanes(clean_machine, scripts["openai-chat"], scripts["anthropic"], by_a_model) as (small, _):
        variables = {"PATH": with_tool(real_tool("claude")), "HOME": str(clean_machine), "LANE_KEY": "sk-fake-lane",
                     "LYNKR_HOME": str(clean_machine / "lynkr"), "TERM": "xterm-256color", **env}  # fmt: skip
        with terminal(clean_machine, variables, project) as term:
            term.line(f"{sys.executable} -m lynkr run -p work claude --allowedTools Bash")
            term.wait("? for shortcuts", "auto mode", "Try ")
            term.line(HARD)
            term.wait("All done.")
            term.type("C-c")
            term.type("C-c")
            term.wait("lynkr report last")
    requests = lynkr("report", "last", "--json", home=clean_machine)
    found = {(r["who"], r["lane"]) for r in json.loads(requests.out)["requests"] if r["method"] == "POST"}
    assert ("title", "small") in found
    assert len(small.posts("/chat/completions")) == 1
    assert ("main", "large") in found
    assert ("main", "small") not in found


def test_a_spent_budget_stops_claude_code_with_a_sentence_that_says_how_to_go_on(
    clean_machine: Path, claude_project: tuple[Path, dict[str, str]]
) -> None:
    scripts = loop("Bash", BASH)
    with two_lanes(clean_machine, scripts["openai-chat"], scripts["anthropic"]) as (_, large):
        ran = claude(clean_machine, *claude_project, HARD, "--budget", "0.0001")
    assert ran.status != 0
    assert len(large.posts("/v1/messages")) == 1
    assert "--budget" in ran.out
    assert "lynkr report" in ran.err
    refused = ran.report()["requests"][-1]
    assert (refused["outcome"], refused["error"], refused["cost_usd"]) == ("refused", "budget", 0.0)


def test_codex_goes_on_with_another_model_when_its_own_is_overloaded(clean_machine: Path) -> None:
    scripts = loop("exec_command", {"cmd": "ls"})
    served = 0

    def gpt(asked: Asked) -> Iterable[Step]:
        nonlocal served
        if asked.method != "POST":
            return whole({"models": [], "data": []})
        served += 1
        if served > 1:
            return whole(
                {"error": {"message": "slow down", "type": "server_error", "code": "server_is_overloaded"}}, 503
            )
        return scripts["openai-responses"](
            Asked(asked.method, asked.target, asked.headers, unpacked(asked), asked.server_name)
        )

    with upstream(gpt) as first, upstream(scripts["anthropic"]) as second:
        project, env = codex_home(clean_machine)
        lanes = LANE.format(name="gpt", provider="openai", model="gpt-5.5", url=f"{first.url}/v1")
        lanes += LANE.format(name="claude", provider="anthropic", model="claude-opus-5-5", url=second.url)
        profile(clean_machine, "work", f'[tiers]\ncomplex = ["gpt", "claude"]\n{lanes}')
        ran = lynkr("run", "-p", "work", "codex", "exec", "-m", "gpt-5.5", "--skip-git-repo-check",
                    "--dangerously-bypass-approvals-and-sandbox", "list the files", home=clean_machine, cwd=project,
                    PATH=with_tool(real_tool("codex")), LANE_KEY="sk-fake-lane", **env)  # fmt: skip
    assert ran.status == 0, ran.err
    assert "All done." in ran.out
    assert len(second.posts("/v1/messages")) == 1
    posts = [
        request
        for request in ran.report()["requests"]
        if request["path"].endswith("/responses") and request["method"] == "POST"
    ]
    assert [request["lane"] for request in posts] == ["gpt", "claude"]
    assert posts[-1]["tried"][0]["lane"] == "gpt"
