"""The real Codex through `lynkr run`: its two-step loop, printed and interactive, byte for byte, and its threads."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile, real_tool
from real import codex_home, sent_bodies, snapshot, with_tool
from scripts import codex_loop, upstream
from terminal import terminal

pytestmark = pytest.mark.real
ASK = ("exec", "--skip-git-repo-check", "list the files")


@pytest.mark.parametrize("model", [(), ("-m", "gpt-5.5")])
def test_exec_completes_its_loop_and_is_reported(clean_machine: Path, model: tuple[str, ...]) -> None:
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine, up.url + "/v1")
        before = snapshot(clean_machine)
        ran = lynkr(
            "run", "codex", *model, *ASK, home=clean_machine, cwd=project, PATH=with_tool(real_tool("codex")), **env
        )
    assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
    posts = up.posts("/v1/responses")
    assert len(posts) == 2
    assert b"seen-by-the-tool.txt" in posts[1].body
    assert {asked.header("authorization") for asked in posts} == {"Bearer sk-fake-codex"}
    assert {asked.header("openai-project") for asked in posts} == {None}
    assert snapshot(clean_machine) == before

    report = ran.report()
    assert report["totals"]["input_tokens"] == 2 * 360
    assert report["totals"]["cache_read_tokens"] == 2 * 640
    assert [request["status"] for request in report["requests"]] == [426, 200, 200]
    assert report["totals"]["unpriced_requests"] == 0


def test_what_codex_sends_arrives_byte_for_byte_and_its_arguments_hold_no_secret(clean_machine: Path) -> None:
    record, seen = clean_machine / "tapped", clean_machine / "argv"
    wrapper = clean_machine / "bin" / "codex"
    wrapper.parent.mkdir()
    tap = Path(__file__).parent / "tap.py"
    wrapper.write_text(
        f'#!/bin/sh\necho "$LYNKR_URL $*" > {seen}\nexec {sys.executable} {tap} {record} -- {real_tool("codex")} "$@"\n'
    )
    wrapper.chmod(0o755)
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine, up.url + "/v1")
        ran = lynkr("run", "codex", *ASK, home=clean_machine, cwd=project, PATH=with_tool(str(wrapper)), **env)
    assert ran.status == 0, ran.err
    assert len(up.posts()) == 2
    assert sent_bodies(record) == sorted(asked.sha256 for asked in up.posts())
    url, _, arguments = seen.read_text().partition(" ")
    assert url.rpartition("/")[2] not in arguments
    assert "openai_base_url" in arguments


def test_threads_are_found_again_with_and_without_lynkr(clean_machine: Path) -> None:
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine, up.url + "/v1")
        path = with_tool(real_tool("codex"))
        for words in (ASK, ("exec", "--skip-git-repo-check", "resume", "--last", "and again")):
            ran = lynkr("run", "codex", *words, home=clean_machine, cwd=project, PATH=path, **env)
            assert ran.status == 0, ran.err
    last = up.posts("/v1/responses")[-1]
    assert b"list the files" in last.body
    assert b"and again" in last.body


def test_a_provider_of_the_users_own_keeps_its_name_and_goes_through_lynkr(clean_machine: Path) -> None:
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine)
        config = clean_machine / ".codex" / "config.toml"
        own = f'[model_providers.corp]\nname = "corp"\nbase_url = "{up.url}/corp/v1"\nenv_key = "CORP_KEY"\n'
        config.write_text('model_provider = "corp"\n' + config.read_text() + own)
        ran = lynkr("run", "codex", *ASK, home=clean_machine, cwd=project, CORP_KEY="sk-corp",
                    PATH=with_tool(real_tool("codex")), **env)  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
    assert {(a.path, a.header("authorization")) for a in up.posts()} == {("/corp/v1/responses", "Bearer sk-corp")}
    assert all(asked.header("x-lynkr-session") is None for asked in up.asked)
    assert "provider: corp" in ran.err


def test_a_provider_in_the_arguments_cannot_pass_lynkr_by(clean_machine: Path) -> None:
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine)
        table = (
            f'model_providers.corp={{name="corp",base_url="{up.url}/corp/v1",wire_api="responses",env_key="CORP_KEY"}}'
        )
        flags = ("-c", table, '-cmodel_provider="corp"')
        path = with_tool(real_tool("codex"))
        ran = lynkr(
            "run",
            "codex",
            *ASK[:2],
            *flags,
            ASK[2],
            home=clean_machine,
            cwd=project,
            CORP_KEY="sk-corp",
            PATH=path,
            **env,
        )
    assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
    assert {asked.path for asked in up.posts()} == {"/corp/v1/responses"}
    assert ran.report()["totals"]["requests"] == 2


def test_a_lane_with_its_own_key_serves_somebody_without_a_login(clean_machine: Path) -> None:
    with upstream(codex_loop("env")) as up:
        project, env = codex_home(clean_machine)
        (clean_machine / ".codex" / "auth.json").unlink()
        profile(
            clean_machine,
            "work",
            f'[lanes.corp]\nprovider = "openai"\nbase_url = "{up.url}/v1"\nkey_env = "CORP_KEY"\n',
        )
        path = with_tool(real_tool("codex"))
        ran = lynkr(
            "run",
            "-p",
            "work",
            "codex",
            *ASK,
            home=clean_machine,
            cwd=project,
            CORP_KEY="sk-corp-own",
            PATH=path,
            **env,
        )
        assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
        assert {asked.header("authorization") for asked in up.posts()} == {"Bearer sk-corp-own"}
        assert all(b"sk-corp-own" not in asked.body for asked in up.asked)
        env = environment(clean_machine, PATH=path, CORP_KEY="sk-corp-own", **env)
        with terminal(clean_machine, env, project) as screen:
            screen.line(shlex.join(command_line("run", "-p", "work", "codex")))
            screen.wait("context left", "›", "Ask Codex")
            assert "Sign in" not in screen.screen()


def test_interactive_codex_answers_and_leaves(clean_machine: Path) -> None:
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine, up.url + "/v1")
        env = environment(clean_machine, PATH=with_tool(real_tool("codex")), **env)
        with terminal(clean_machine, env, project) as screen:
            screen.line(shlex.join(command_line("run", "codex")))
            screen.wait("context left", "›", "Ask Codex")
            screen.line("list the files")
            screen.wait("All done.")
            screen.line("/quit")
            shown = screen.wait("lynkr: ")
            screen.line("echo status=$?")
            screen.wait("status=0")
    assert "tokens in" in shown
    assert any(b"seen-by-the-tool.txt" in asked.body for asked in up.posts("/v1/responses"))


def test_codex_on_a_lane_that_does_not_speak_its_format_is_refused_before_it_starts(clean_machine: Path) -> None:
    project, env = codex_home(clean_machine)
    profile(clean_machine, "work", '[lanes.a]\nprovider = "anthropic"\nauth = "client"\n')
    ran = lynkr(
        "run", "-p", "work", "codex", *ASK, home=clean_machine, cwd=project, PATH=with_tool(real_tool("codex")), **env
    )
    assert ran.status == 78
    assert "codex speaks openai-responses" in ran.err


def test_compressed_bodies_of_a_chatgpt_login_are_understood(clean_machine: Path) -> None:
    import base64

    def part(data: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    claims = {"exp": 4102444800, "email": "a@example.com", "https://api.openai.com/auth": {
        "chatgpt_account_id": "acc-1", "chatgpt_plan_type": "pro", "chatgpt_user_id": "u1"}}  # fmt: skip
    token = f"{part({'alg': 'none'})}.{part(claims)}.sig"
    login = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "last_refresh": "2026-11-20T00:00:00Z",
             "tokens": {"id_token": token, "access_token": token, "refresh_token": "r", "account_id": "acc-1"}}  # fmt: skip
    with upstream(codex_loop("ls")) as up:
        project, env = codex_home(clean_machine)
        (clean_machine / ".codex" / "auth.json").write_text(json.dumps(login))
        profile(
            clean_machine, "here", f'[lanes.here]\nprovider = "openai"\nauth = "client"\nbase_url = "{up.url}/v1"\n'
        )
        ran = lynkr(
            "run",
            "-p",
            "here",
            "codex",
            *ASK,
            home=clean_machine,
            cwd=project,
            PATH=with_tool(real_tool("codex")),
            **env,
        )
    assert (ran.status, ran.out.strip()) == (0, "All done."), ran.err
    posts = up.posts("/responses")
    assert {asked.header("content-encoding") for asked in posts} == {"zstd"}
    assert {asked.header("chatgpt-account-id") for asked in posts} == {"acc-1"}
    models = {request["asked_model"] for request in ran.report()["requests"] if request["format"]}
    assert len(models) == 1
    assert None not in models
