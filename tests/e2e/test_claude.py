"""The real Claude Code through `lynkr run`: its two-step loop, printed and interactive, byte for byte."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile, real_tool
from real import claude_home, sent_bodies, snapshot, with_tool
from scripts import (
    ANTHROPIC_USAGE,
    STREAM_HEAD,
    Asked,
    Cut,
    Step,
    anthropic,
    anthropic_events,
    chunk,
    claude_loop,
    upstream,
    whole,
)
from terminal import terminal

pytestmark = pytest.mark.real
ASK = ("-p", "list the files", "--allowedTools", "Bash")


def test_print_mode_completes_its_loop_and_is_reported(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    before = snapshot(clean_machine)
    with upstream(claude_loop("ls")) as up:
        ran = lynkr("run", "claude", *ASK, home=clean_machine, cwd=project, PATH=with_tool(real_tool("claude")),
                    ANTHROPIC_BASE_URL=up.url, **env)  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "All done.")
    assert ran.err.splitlines()[-1].startswith("lynkr: ")
    main = [asked for asked in up.posts("/v1/messages") if b"Bash" in asked.body]
    assert len(main) == 2
    results = [b for m in main[1].json["messages"] if isinstance(m["content"], list) for b in m["content"]]
    assert any("seen-by-the-tool.txt" in json.dumps(b) for b in results if b["type"] == "tool_result")
    assert {asked.header("authorization") for asked in up.posts()} == {"Bearer sk-fake-token"}
    assert main[0].header("x-claude-code-request-class") == "main"
    assert snapshot(clean_machine) == before

    report = ran.report()
    assert report["session"]["tool"] == "claude"
    assert report["session"]["exit_status"] == 0
    assert report["totals"]["requests"] == len(up.asked)
    assert report["totals"]["cache_read_tokens"] == 4000 * len(up.posts("/v1/messages"))
    assert report["totals"]["estimated"] is False


def test_what_claude_code_sends_arrives_byte_for_byte(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    record = clean_machine / "tapped"
    wrapper = clean_machine / "bin" / "claude"
    wrapper.parent.mkdir()
    tap = Path(__file__).parent / "tap.py"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {tap} {record} -- {real_tool("claude")} "$@"\n')
    wrapper.chmod(0o755)
    with upstream(claude_loop("ls")) as up:
        ran = lynkr("run", "claude", *ASK, home=clean_machine, cwd=project, PATH=with_tool(str(wrapper)),
                    ANTHROPIC_BASE_URL=up.url, **env)  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "All done.")
    sent = sent_bodies(record)
    assert len(sent) >= 2
    assert sent == sorted(asked.sha256 for asked in up.posts())


def test_the_users_own_settings_are_kept_and_cannot_bypass_the_proxy(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    (clean_machine / ".claude").mkdir()
    with upstream(claude_loop("ls")) as up:
        settings = {"env": {"ANTHROPIC_BASE_URL": up.url, "CLAUDE_CODE_USE_BEDROCK": "0", "FROM_USER": "1"}}
        (clean_machine / ".claude" / "settings.json").write_text(json.dumps(settings))
        given = json.dumps({"env": {"FROM_FLAG": "yes"}, "permissions": {"allow": ["Bash"]}})
        looped = claude_loop('echo "$FROM_USER-$FROM_FLAG-$LYNKR_SESSION"')
        up.script = looped
        ran = lynkr("run", "claude", "--settings", given, "-p", "list the files", home=clean_machine, cwd=project,
                    PATH=with_tool(real_tool("claude")), **env)  # fmt: skip
    assert ran.status == 0, ran.err
    assert b"1-yes-01" in up.posts("/v1/messages")[-1].body
    assert ran.report()["totals"]["requests"] == len(up.asked)


def test_a_lane_with_its_own_key_hides_it_from_the_tool(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    del env["ANTHROPIC_AUTH_TOKEN"]
    with upstream(claude_loop("env")) as up:
        profile(
            clean_machine,
            "work",
            f'[lanes.corp]\nprovider = "anthropic"\nbase_url = "{up.url}"\nkey_env = "CORP_KEY"\n',
        )
        ran = lynkr("run", "-p", "work", "claude", *ASK, home=clean_machine, cwd=project, CORP_KEY="sk-corp-own",
                    PATH=with_tool(real_tool("claude")), **env)  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "All done.")
    assert {asked.header("x-api-key") for asked in up.posts()} == {"sk-corp-own"}
    assert all(b"sk-corp-own" not in asked.body for asked in up.asked)
    assert {asked.header("authorization") for asked in up.posts()} == {None}


def test_an_unreachable_lane_ends_claude_at_once_with_a_sentence(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    ran = lynkr("run", "claude", *ASK, home=clean_machine, cwd=project, PATH=with_tool(real_tool("claude")),
                ANTHROPIC_BASE_URL="http://127.0.0.1:9", timeout=60, **env)  # fmt: skip
    assert ran.status == 1
    assert "lane 'anthropic': nothing listens at 127.0.0.1:9" in ran.out


def test_a_stream_that_is_cut_once_is_recovered_from(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    cuts = []

    def script(asked: Asked) -> list[Step]:
        if asked.method == "POST" and not cuts:
            cuts.append(asked)
            events = anthropic_events(
                [{"type": "text", "text": "half"}], "end_turn", ANTHROPIC_USAGE, "claude-opus-5-5"
            )
            return [STREAM_HEAD, chunk(b"".join(events[:4])), Cut()]
        return list(anthropic()(asked))

    with upstream(script) as up:
        ran = lynkr("run", "claude", "-p", "say it", home=clean_machine, cwd=project, PATH=with_tool(real_tool("claude")),
                    ANTHROPIC_BASE_URL=up.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1", **env)  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "All done.")
    assert [request["outcome"] for request in ran.report()["requests"]] == ["cut", "ok"]


def test_interactive_claude_answers_and_leaves(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    with upstream(claude_loop("ls")) as up:
        env = environment(clean_machine, PATH=with_tool(real_tool("claude")), ANTHROPIC_BASE_URL=up.url, **env)
        with terminal(clean_machine, env, project) as screen:
            screen.line(shlex.join(command_line("run", "claude", "--allowedTools", "Bash")))
            screen.wait("for shortcuts", "auto mode", "❯")
            screen.line("list the files")
            screen.wait("All done.")
            screen.line("/exit")
            shown = screen.wait("lynkr: ")
            screen.line("echo status=$?")
            screen.wait("status=0")
    assert "tokens in" in shown
    assert len([asked for asked in up.posts("/v1/messages") if b'"tool_result"' in asked.body]) >= 1


def test_titles_go_to_the_small_model_where_claude_talks_to_anthropic(clean_machine: Path) -> None:
    project, _ = claude_home(clean_machine)
    preview = lynkr("run", "--dry-run", "claude", home=clean_machine, cwd=project, PATH=with_tool(real_tool("claude")))
    assert "ANTHROPIC_DEFAULT_HAIKU_MODEL=claude-haiku" in preview.out
    elsewhere = lynkr("run", "--dry-run", "claude", home=clean_machine, cwd=project,
                      PATH=with_tool(real_tool("claude")), ANTHROPIC_BASE_URL="https://gateway.example")  # fmt: skip
    assert "ANTHROPIC_DEFAULT_HAIKU_MODEL" not in elsewhere.out


def test_errors_of_the_provider_reach_claude_unchanged(clean_machine: Path) -> None:
    project, env = claude_home(clean_machine)
    refusal = {"type": "error", "error": {"type": "permission_error", "message": "the wording that tools match on"}}
    with upstream(lambda _: whole(refusal, 403)) as up:
        ran = lynkr("run", "claude", *ASK, home=clean_machine, cwd=project, PATH=with_tool(real_tool("claude")),
                    ANTHROPIC_BASE_URL=up.url, **env)  # fmt: skip
    assert ran.status == 1
    assert "the wording that tools match on" in ran.out
