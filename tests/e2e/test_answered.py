"""Real tools whose chores are answered without a model: they behave as they do when a model answers them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile, real_tool
from loops import loop
from real import claude_home, codex_home, with_tool
from scripts import codex_loop, unpacked, upstream
from terminal import terminal

pytestmark = pytest.mark.real

LANE = '[lanes.main]\nprovider = "{provider}"\nmodel = "{model}"\nbase_url = "{url}"\nkey_env = "LANE_KEY"\n'
SWITCHES = "[bypass]\ntitles = {switch}\nprobes = {switch}\n"
PROMPT = "please list the files in this folder"


def answered(home: Path) -> list[tuple[str | None, str | None]]:
    requests = json.loads(lynkr("report", "last", "--json", home=home).out)["requests"]
    return [(request["who"], request["answered"]) for request in requests if request["method"] == "POST"]


@pytest.mark.parametrize("switch", ["true", "false"])
def test_claude_code_names_its_session_with_a_model_or_without(clean_machine: Path, switch: str) -> None:
    project, env = claude_home(clean_machine)
    del env["ANTHROPIC_AUTH_TOKEN"]
    with upstream(loop("Bash", {"command": "ls", "description": "List"})["anthropic"]) as up:
        lane = LANE.format(provider="anthropic", model="claude-opus-5-5", url=up.url)
        profile(clean_machine, "work", lane + SWITCHES.format(switch=switch))
        variables = environment(clean_machine, PATH=with_tool(real_tool("claude")), LANE_KEY="sk-fake-lane", **env)
        with terminal(clean_machine, variables, project) as screen:
            screen.line(shlex.join(command_line("run", "-p", "work", "claude", "--allowedTools", "Bash")))
            screen.wait("? for shortcuts", "auto mode", "Try ")
            screen.line(PROMPT)
            screen.wait("All done.")
            screen.type("C-c")
            screen.type("C-c")
            screen.wait("lynkr report last")
        posts = up.posts("/v1/messages")
    chores = [asked for asked in posts if b'"json_schema"' in asked.body]
    assert len(posts) - len(chores) == 2, "the two steps of the main loop, either way"
    assert bool(chores) == (switch == "false")
    assert (
        (None, "bypass:title") in answered(clean_machine) or ("title", "bypass:title") in answered(clean_machine)
    ) == (switch == "true")


@pytest.mark.parametrize("switch", ["true", "false"])
def test_codex_names_its_thread_with_a_model_or_without(clean_machine: Path, switch: str) -> None:
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine)
        lane = LANE.format(provider="openai", model="gpt-5.5", url=f"{up.url}/v1")
        profile(clean_machine, "work", lane + SWITCHES.format(switch=switch))
        variables = environment(clean_machine, PATH=with_tool(real_tool("codex")), LANE_KEY="sk-fake-lane", **env)
        with terminal(clean_machine, variables, project) as screen:
            screen.line(shlex.join(command_line("run", "-p", "work", "codex")))
            screen.wait("context left", "›", "Ask Codex")
            screen.line(PROMPT)
            screen.wait("All done.")
            screen.line("/quit")
            screen.wait("lynkr: ")
        bodies = [unpacked(asked) for asked in up.posts("/responses")]
    assert any(b"thread_title" in body for body in bodies) == (switch == "false")
