"""Real tools on lanes with a key: their model runs tests, is sent the outcome without its chatter, and asks for the rest."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import lynkr, profile, real_tool
from real import claude_home, codex_home, with_tool
from scripts import Asked, Script, Step, anthropic, responses_events, said, stream, unpacked, upstream, whole

pytestmark = pytest.mark.real
STUB = re.compile(r"(\d+) passed tests[^;\]]*; all of it: lynkr expand ([0-9a-f]+)\]")
SCHEMA = '[lanes.{name}]\nprovider = "{provider}"\nmodel = "{model}"\nbase_url = "{url}"\n'


def project_with_tests(project: Path) -> str:
    """Forty tests of which one fails; the command that runs them."""
    tests = "\n".join(f"def test_{n}():\n    assert {n} != 17\n" for n in range(40))
    (project / "test_numbers.py").write_text(tests)
    return f"{shlex.quote(sys.executable)} -m pytest -v -p no:cacheprovider test_numbers.py"


def next_command(results: list[str], command: str) -> str | None:
    """What the model does: runs the tests, asks for what was left out, ends."""
    if not results:
        return command
    return f"lynkr expand {found[2]}" if len(results) == 1 and (found := STUB.search(results[0])) else None


def claude_results(body: dict[str, Any]) -> list[str]:
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    return [json.dumps(b["content"], ensure_ascii=False) for b in blocks if b.get("type") == "tool_result"]


def codex_results(body: dict[str, Any]) -> list[str]:
    return [str(item["output"]) for item in body["input"] if str(item.get("type", "")).endswith("_output")]


def claude_script(command: str) -> Script:
    def script(asked: Asked) -> Iterable[Step]:
        if asked.method != "POST" or not asked.path.endswith("/v1/messages"):
            return anthropic()(asked)
        results = claude_results(asked.json)
        run = next_command(results, command) if b'"Bash"' in asked.body else None
        if run is None:
            return anthropic("All done.")(asked)
        arguments = {"command": run, "description": "Run it"}
        return anthropic(
            "I look.", [{"type": "tool_use", "id": f"toolu_{len(results)}", "name": "Bash", "input": arguments}]
        )(asked)

    return script


def codex_script(command: str) -> Script:
    def script(asked: Asked) -> Iterable[Step]:
        if asked.method != "POST" or not asked.path.endswith("/responses"):
            return whole({"models": [], "data": []})
        body = json.loads(unpacked(asked))
        results = codex_results(body)
        run = next_command(results, command) if "exec_command" in json.dumps(body) else None
        if run is None:
            return stream(responses_events([said("All done.")]))
        call = {"type": "function_call", "id": f"fc_{len(results)}", "call_id": f"call_{len(results)}",
                "name": "exec_command", "arguments": json.dumps({"cmd": run})}  # fmt: skip
        return stream(responses_events([call]))

    return script


def check(last: list[str], before: str) -> None:
    """The two results as they were sent last; `before` is the first one in the request before."""
    assert len(last) == 2
    found = STUB.search(last[0])
    assert found and found[1] == "39"
    assert last[0] == before, "the next request repeats the same bytes"
    for fact in ("test_17 FAILED", "assert 17 != 17", "test_numbers.py:53", "1 failed, 39 passed"):
        assert fact in last[0]
    assert "test_39 PASSED" not in last[0]
    assert all(f"test_{n} PASSED" in last[1] for n in range(40) if n != 17), "the original came back whole"


def test_claude_code(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    command = project_with_tests(project)
    del env["ANTHROPIC_AUTH_TOKEN"]
    with upstream(claude_script(command)) as up:
        profile(
            clean_machine,
            "work",
            SCHEMA.format(name="main", provider="anthropic", model="claude-haiku-5-5", url=up.url),
        )
        ran = lynkr("run", "-p", "work", "claude", "-p", "mend it", "--allowedTools", "Bash", home=clean_machine, cwd=project,
                    PATH=with_tool(real_tool("claude")), ANTHROPIC_API_KEY="sk-fake-lane", **env)  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
    told = [results for asked in up.posts("/v1/messages") if (results := claude_results(asked.json))]
    check(told[-1], told[0][0])
    savings = ran.report()["savings"]
    assert savings["tokens_removed"] > 0
    assert {"chatter", "rulers"} <= {kind["kind"] for kind in savings["kinds"]}


def test_codex(clean_machine: Path) -> None:
    """Codex runs a login shell, which finds what the user's profile puts on PATH, and not what lynkr adds to it."""
    (clean_machine / ".profile").write_text(f'PATH="$PATH:{Path(sys.executable).parent}"\n')
    with upstream(codex_script("")) as up:
        project, env = codex_home(clean_machine)
        up.script = codex_script(project_with_tests(project))
        profile(
            clean_machine, "work", SCHEMA.format(name="main", provider="openai", model="gpt-5.5", url=f"{up.url}/v1")
        )
        ran = lynkr("run", "-p", "work", "codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
                    "mend it", home=clean_machine, cwd=project, PATH=with_tool(real_tool("codex")),
                    OPENAI_API_KEY="sk-fake-lane", **env)  # fmt: skip
    assert ran.status == 0, ran.err
    told = [results for asked in up.posts("/responses") if (results := codex_results(json.loads(unpacked(asked))))]
    check(told[-1], told[0][0])
    assert ran.report()["savings"]["tokens_removed"] > 0
