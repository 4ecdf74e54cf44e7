"""What can be seen of a session while it runs: Claude Code's own status line, and `lynkr top` beside it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile, real_tool
from loops import loop
from real import claude_home, with_tool
from scripts import upstream
from terminal import terminal

pytestmark = pytest.mark.real

LANE = '[lanes.main]\nprovider = "anthropic"\nmodel = "claude-opus-5-5"\nbase_url = "{url}"\nkey_env = "LANE_KEY"\n'


def test_claude_code_shows_what_the_session_costs_and_top_shows_it_as_well(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    del env["ANTHROPIC_AUTH_TOKEN"]
    with upstream(loop("Bash", {"command": "ls", "description": "List"})["anthropic"]) as up:
        profile(clean_machine, "work", LANE.format(url=up.url) + "[show]\nstatus_line = true\n")
        variables = environment(clean_machine, PATH=with_tool(real_tool("claude")), LANE_KEY="sk-fake-lane", **env)
        with terminal(clean_machine, variables, project) as screen:
            screen.line(shlex.join(command_line("run", "-p", "work", "claude", "--allowedTools", "Bash")))
            screen.wait("lynkr work · no request yet")
            screen.line("please list the files")
            screen.wait("All done.")
            screen.wait("lynkr work · main claude-opus-5-5 · $")
            (now,) = json.loads(lynkr("top", "--json", home=clean_machine).out)
            screen.type("C-c")
            screen.type("C-c")
            screen.wait("lynkr report last")
    assert (now["tool"], now["profile"], now["lane"]) == ("claude", "work", "main")
    assert now["totals"]["requests"] >= 2
    assert json.loads(lynkr("top", "--json", home=clean_machine).out) == []


def test_a_status_line_of_the_users_own_stays(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    del env["ANTHROPIC_AUTH_TOKEN"]
    (clean_machine / ".claude").mkdir(exist_ok=True)
    settings = {"statusLine": {"type": "command", "command": "echo my own line"}}
    (clean_machine / ".claude" / "settings.json").write_text(json.dumps(settings))
    with upstream(loop("Bash", {"command": "ls", "description": "List"})["anthropic"]) as up:
        profile(clean_machine, "work", LANE.format(url=up.url))
        variables = environment(clean_machine, PATH=with_tool(real_tool("claude")), LANE_KEY="sk-fake-lane", **env)
        with terminal(clean_machine, variables, project) as screen:
            screen.line(shlex.join(command_line("run", "-p", "work", "--status-line", "claude")))
            screen.wait("my own line")
            assert "see lynkr top" in screen.screen()
            assert "no request yet" not in screen.screen()
            screen.type("C-c")
            screen.type("C-c")
            screen.wait("lynkr: ")
