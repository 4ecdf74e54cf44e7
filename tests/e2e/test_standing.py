"""Real tools on a proxy that stands: the token as an API key, or in the address, and a lane with a key of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import profile, real_tool
from loops import loop
from real import claude_home, codex_home, with_tool
from scripts import codex_loop, upstream
from standing import serving

pytestmark = pytest.mark.real

LANE = '[lanes.main]\nprovider = "{provider}"\nbase_url = "{url}"\nkey_env = "LANE_KEY"\n'


def run(tool: str, *words: str, cwd: Path, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": with_tool(real_tool(tool)), "HOME": str(home), "TERM": os.environ.get("TERM", "dumb")}
    return subprocess.run([tool, *words], cwd=cwd, env={**known, **env}, capture_output=True, text=True, timeout=100,
                          stdin=subprocess.DEVNULL)  # fmt: skip


def test_claude_code_gives_the_token_as_its_key_and_the_lane_has_another(clean_machine: Path) -> None:
    with upstream(loop("Bash", {"command": "ls", "description": "List"})["anthropic"]) as up:
        profile(clean_machine, "work", LANE.format(provider="anthropic", url=up.url))
        project, env = claude_home(clean_machine)
        del env["ANTHROPIC_AUTH_TOKEN"]
        with serving(clean_machine, "-p", "work", LANE_KEY="sk-fake-lane") as stood:
            address = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{stood.port}", "ANTHROPIC_API_KEY": stood.token}
            ran = run("claude", "-p", "please list the files", "--allowedTools", "Bash", cwd=project,
                      home=clean_machine, **address, **env)  # fmt: skip
        posts = up.posts("/v1/messages")
    assert (ran.returncode, ran.stdout.strip()) == (0, "All done."), ran.stderr
    assert len(posts) == 2
    assert all(asked.header("x-api-key") == "sk-fake-lane" for asked in posts)
    assert not any(stood.token in str(asked.headers) for asked in up.asked)


def test_codex_has_the_token_in_its_address_and_goes_to_the_profile_that_stands_there(clean_machine: Path) -> None:
    with upstream(codex_loop("ls")) as up:
        profile(clean_machine, "first", LANE.format(provider="anthropic", url="http://127.0.0.1:9"))
        profile(clean_machine, "second", LANE.format(provider="openai", url=f"{up.url}/v1"))
        with serving(clean_machine, "-p", "first", "-p", "second", LANE_KEY="sk-fake-lane") as stood:
            url = f"http://127.0.0.1:{stood.port}/{stood.token}/p/second/v1"
            project, env = codex_home(clean_machine, url)
            ran = run("codex", "exec", "--skip-git-repo-check", "please list the files", cwd=project,
                      home=clean_machine, **env)  # fmt: skip
        posts = up.posts("/responses")
    assert (ran.returncode, ran.stdout.strip()) == (0, "All done."), ran.stderr
    assert len(posts) >= 2
    assert all(asked.header("authorization") == "Bearer sk-fake-lane" for asked in posts)
