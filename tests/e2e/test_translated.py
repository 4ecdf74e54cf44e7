"""The real tools on lanes of other formats: each completes its two-step loop there as it does at home."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import Ran, command_line, environment, lynkr, profile, real_tool
from loops import anthropic_says, loop
from real import claude_home, codex_home, gemini_home, with_tool
from scripts import Asked, Step, upstream
from terminal import terminal

pytestmark = pytest.mark.real
LANES = {
    "openai-chat": ("openai", "some-local-model"),
    "openai-responses": ("openai", "gpt-5.5"),
    "gemini": ("gemini", "gemini-3-pro-preview"),
    "ollama": ("ollama", "qwen3:8b"),
    "bedrock-converse": ("bedrock", "amazon.nova-pro-v1:0"),
    "bedrock-invoke": ("bedrock", "us.anthropic.claude-opus-4-8"),
    "anthropic": ("anthropic", "claude-sonnet-5"),
}
# Where each format's requests are posted to.
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-3-pro-preview:streamGenerateContent",
    "ollama": "/api/chat",
    "bedrock-converse": "/model/amazon.nova-pro-v1:0/converse-stream",
    "bedrock-invoke": "/model/us.anthropic.claude-opus-4-8/invoke-with-response-stream",
    "anthropic": "/v1/messages",
}


def lane(home: Path, spoken: str, url: str) -> None:
    """A profile `other` with one lane that speaks `spoken`."""
    provider, model = LANES[spoken]
    key = "" if provider == "ollama" else 'key_env = "LANE_KEY"\n'
    base = url + "/v1" if provider == "openai" else url
    text = f'[lanes.other]\nprovider = "{provider}"\nformat = "{spoken}"\nbase_url = "{base}"\nmodel = "{model}"\n{key}'
    profile(home, "other", text)


def seen(asked: list[Asked]) -> list[Asked]:
    """The posts of the main loop: those with a tool, that is, with the longest bodies."""
    return [post for post in asked if len(post.body) > 20_000]


@pytest.mark.parametrize(
    "spoken", ["openai-chat", "openai-responses", "gemini", "ollama", "bedrock-converse", "bedrock-invoke"]
)
def test_claude_code_completes_its_loop(clean_machine: Path, spoken: str) -> None:
    project, env = claude_home(clean_machine)
    del env["ANTHROPIC_AUTH_TOKEN"]
    script = loop("Bash", {"command": "ls", "description": "Lists files"})[spoken]
    with upstream(script) as up:
        lane(clean_machine, spoken, up.url)
        ran = lynkr("run", "-p", "other", "claude", "-p", "list the files", "--allowedTools", "Bash", home=clean_machine,
                    cwd=project, PATH=with_tool(real_tool("claude")), LANE_KEY="sk-lane", **env)  # fmt: skip
    check(ran, up.posts(PATHS[spoken]), "claude")
    if spoken == "gemini":
        # The signature of its call came back to Gemini on that call.
        assert b'"thoughtSignature":"CiQB0e2Kb3NpZ25lZA=="' in up.posts(PATHS[spoken])[1].body
    if spoken == "openai-responses":
        # And OpenAI's own reasoning to OpenAI.
        assert b'"encrypted_content":"gAAAAABn"' in up.posts(PATHS[spoken])[1].body


@pytest.mark.parametrize("spoken", ["anthropic", "openai-chat", "gemini", "ollama"])
@pytest.mark.parametrize("model", ["gpt-5.5", "qwen3"])
def test_codex_completes_its_loop(clean_machine: Path, spoken: str, model: str) -> None:
    project, env = codex_home(clean_machine)
    with upstream(loop("exec_command", {"cmd": "ls"})[spoken]) as up:
        lane(clean_machine, spoken, up.url)
        ran = lynkr("run", "-p", "other", "codex", "-m", model, "exec", "--skip-git-repo-check", "list the files",
                    home=clean_machine, cwd=project, PATH=with_tool(real_tool("codex")), LANE_KEY="sk-lane", **env)  # fmt: skip
    posts = up.posts(PATHS[spoken])
    check(ran, posts, "codex")


def test_codex_runs_its_freeform_tool_on_another_maker_s_model(clean_machine: Path) -> None:
    project, env = codex_home(clean_machine)
    code = 'const r = await tools.exec_command({cmd:"ls"}); text(r.output);'
    with upstream(loop("functions__exec", {"input": code})["anthropic"]) as up:
        lane(clean_machine, "anthropic", up.url)
        ran = lynkr("run", "-p", "other", "codex", "exec", "--skip-git-repo-check", "list the files",
                    home=clean_machine, cwd=project, PATH=with_tool(real_tool("codex")), LANE_KEY="sk-lane", **env)  # fmt: skip
    check(ran, up.posts(PATHS["anthropic"]), "codex")
    again = up.posts(PATHS["anthropic"])[1].json["messages"]
    blocks = [block for message in again if message["role"] == "assistant" for block in message["content"]]
    # The model's own thoughts came back to it, signed as it had signed them.
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]
    assert blocks[0] == {"type": "thinking", "thinking": "A listing is wanted.", "signature": "EqQBCgIYAhIM"}
    assert blocks[2]["input"] == {"input": code}


@pytest.mark.parametrize("spoken", ["anthropic", "openai-chat"])
def test_gemini_cli_completes_its_loop(clean_machine: Path, spoken: str) -> None:
    project, env = gemini_home(clean_machine)
    script = loop("run_shell_command", {"command": "ls", "description": "Lists files"})[spoken]
    with upstream(script) as up:
        lane(clean_machine, spoken, up.url)
        ran = lynkr("run", "-p", "other", "--", "gemini", "-m", "gemini-3-pro-preview", "-p", "list the files", "--yolo",
                    home=clean_machine, cwd=project, PATH=with_tool(real_tool("gemini")), LANE_KEY="sk-lane", **env)  # fmt: skip
    check(ran, up.posts(PATHS[spoken]), "gemini")


def check(ran: Ran, posts: list[Asked], tool: str) -> None:
    """The loop was completed: the command ran here, its output went back, the end was printed, all of it is reported."""
    assert (ran.status, ran.out.strip().splitlines()[-1:]) == (0, ["All done."]), ran.err + ran.out
    main = seen(posts)
    assert len(main) == 2
    assert b"seen-by-the-tool.txt" in main[1].body
    report = ran.report()
    assert report["session"]["tool"] == tool
    served = [request for request in report["requests"] if request["lane"] == "other" and request["status"] == 200]
    assert len(served) == len(posts)
    assert all(request["output_tokens"] for request in served)
    assert not any(request["estimated"] for request in served)
    assert json.dumps(served).count('"what"') > 0


def test_codex_compacts_its_history_on_another_maker_s_model(clean_machine: Path) -> None:
    project, env = codex_home(clean_machine)
    full = {"input_tokens": 300_000, "output_tokens": 1}
    asked: list[Asked] = []

    def script(request: Asked) -> list[Step]:
        asked.append(request)
        if len(asked) == 1:
            # With this the window counts as full, and Codex asks for a summary.
            return anthropic_says(request, "", ("exec_command", {"cmd": "ls"}), full)
        return anthropic_says(request, "The user wanted a listing; it was made.", None)

    with upstream(script) as up:
        lane(clean_machine, "anthropic", up.url)
        ran = lynkr("run", "-p", "other", "codex", "-m", "gpt-5.5", "-c", "model_auto_compact_token_limit=2000", "exec",
                    "--skip-git-repo-check", "list the files", home=clean_machine, cwd=project,
                    PATH=with_tool(real_tool("codex")), LANE_KEY="sk-lane", **env)  # fmt: skip
    assert ran.status == 0, ran.err
    assert "context compacted" in ran.err
    last = json.dumps(up.posts("/v1/messages")[-1].json["messages"])
    assert "What was said before, summed up" in last
    assert "The user wanted a listing; it was made." in last
    assert "tool_result" not in last


def test_claude_code_asks_the_user_where_no_model_can_judge_a_risky_call(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    script = loop("Bash", {"command": "rm -rf build", "description": "Removes"})["openai-chat"]
    with upstream(script) as up:
        lane(clean_machine, "openai-chat", up.url)
        env = environment(clean_machine, PATH=with_tool(real_tool("claude")), LANE_KEY="sk-lane", **env)
        with terminal(clean_machine, env, project) as screen:
            screen.line(shlex.join(command_line("run", "-p", "other", "claude")))
            screen.wait("for shortcuts", "❯")
            screen.line("remove the build")
            shown = screen.wait("Do you want to proceed?")
            screen.type("Escape")
            screen.wait("❯")
            screen.line("/exit")
            screen.wait("lynkr report last")
    assert "auto mode is off: the model of lane 'other'" in shown
    assert len(up.posts()) >= 1


def test_auto_mode_is_left_alone_where_the_model_can_judge(clean_machine: Path) -> None:
    project, _ = claude_home(clean_machine)
    lane(clean_machine, "anthropic", "http://127.0.0.1:9")
    for name in ("direct", "other"):
        shown = lynkr("run", "-p", name, "--dry-run", "claude", home=clean_machine, cwd=project,
                      LANE_KEY="sk-lane", PATH=with_tool(real_tool("claude"))).out  # fmt: skip
        assert "claude-settings.json" in shown
        assert "disableAutoMode" not in shown
    lane(clean_machine, "ollama", "http://127.0.0.1:9")
    shown = lynkr("run", "-p", "other", "--dry-run", "claude", home=clean_machine, cwd=project,
                  PATH=with_tool(real_tool("claude"))).out  # fmt: skip
    assert '"disableAutoMode": "disable"' in shown
