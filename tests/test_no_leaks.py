"""Credentials stay where they belong: attacks on a session, each tried as an attacker would, on loopback alone.

The lane's key is looked for wherever a tool, a terminal or the ledger can look; a tool's own, at every other host.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile
from proxied import SECRET, Answer, anthropic_lane, ask, openai_lane, proxy
from scripts import Asked, Script, Step, Upstream, stream, upstream, whole

from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.gate import Carrier, Gate
from lynkr.secrets import Key

KEY = "sk-none-of-your-business-0123456789"
LANE = '[lanes.a]\nprovider = "anthropic"\nmodel = "claude-haiku-5-5"\nbase_url = "{url}"\n'
MESSAGE = b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}'
CURL = f"curl -s -m 5 -d '{MESSAGE.decode()}' $LYNKR_URL/v1/messages"
ESCAPES = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b]0;gotcha\x07\x9b31m"


def says(body: dict[str, object], status: int = 200, *headers: str) -> Script:
    def script(_asked: Asked) -> list[Step]:
        return whole(body, status, *headers)

    return script


FINE = says({"object": "list", "data": []})


def tools(home: Path, **scripts: str) -> str:
    """Stand-ins for coding tools, as a PATH that has them first."""
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def on_a_terminal(words: Sequence[str], home: Path, **env: str) -> bytes:
    """What a command says on stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    subprocess.run(command_line(*words), env=environment(home, **env), cwd=home, stdin=subprocess.DEVNULL,
                   stdout=theirs, stderr=theirs, timeout=60, check=False)  # fmt: skip
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # that is how a terminal ends
        while more := os.read(ours, 65536):
            said += more
    os.close(ours)
    return said


def keyed(up: Upstream, script: Script, lane: Lane, path: str, body: bytes = MESSAGE) -> tuple[Answer, str]:
    """One request down a lane with a key: the answer, and the row of the ledger."""
    up.script = script
    with proxy(lane, keys={lane.name: Key(KEY)}) as found:
        answer = ask(found.port, path, body, method="POST" if body else "GET")
        assert KEY in str(up.asked[-1].headers)
        return answer, repr(found.row())


UNSEEN = pytest.mark.xfail(strict=True, reason="what cannot be told is taken for the only lane's")
ODD = ("authorization: bearer sk-x", "Authorization: Bearer gsk_x", "api-key: azures")


@pytest.mark.parametrize("shown", ["Authorization: Bearer sk-x", *(pytest.param(o, marks=UNSEEN) for o in ODD)])
def test_anothers_key_does_not_reach_the_only_lane_which_is_anthropics(shown: str) -> None:
    with upstream(FINE) as up, proxy(anthropic_lane(up.url)) as found:
        ask(found.port, "/v1/models", headers=[shown], method="GET")
        assert not up.asked


TRUSTING = {
    "gemini": ("GOOGLE_GEMINI_BASE_URL", {"selectedType": "gemini-api-key"}),
    "qwen": ("OPENAI_BASE_URL", {"selectedType": "openai", "baseUrl": "http://127.0.0.1:9/v1"}),
}


@pytest.mark.parametrize("tool", TRUSTING)
def test_a_project_that_the_user_does_not_trust_leads_nothing_elsewhere(clean_machine: Path, tool: str) -> None:
    """Real ones, measured: both read nothing of such a project's, so alone their key goes to the user's address."""
    variable, auth = TRUSTING[tool]
    project, folder = clean_machine / "repo", clean_machine / f".{tool}"
    project.mkdir()
    folder.mkdir()
    settings = {"security": {"auth": auth, "folderTrust": {"enabled": True}}}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "trustedFolders.json").write_text(json.dumps({str(project): "DO_NOT_TRUST"}))
    (project / ".env").write_text(f"{variable}=http://127.0.0.1:6666/v1\n")
    env = {"PATH": tools(clean_machine, **{tool: "true"}), "OPENAI_API_KEY": "sk-own", "GEMINI_API_KEY": "own"}
    ran = lynkr("run", "-v", "--dry-run", tool, home=clean_machine, cwd=project, **env)
    assert ran.status == 0
    assert "127.0.0.1:6666" not in ran.out


def test_a_joined_tools_key_does_not_go_to_the_first_tools_own_address(clean_machine: Path) -> None:
    again = " ".join(command_line("run", "--join", "pi"))
    sends = CURL.replace("-d", '-H "Authorization: Bearer $OPENAI_API_KEY" -d')
    path = tools(clean_machine, opencode=f"exec {again}", pi=sends.replace("/v1/messages", "/v1/responses"))
    with upstream(FINE) as first:
        config = clean_machine / ".config" / "opencode" / "opencode.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"provider": {"openai": {"options": {"baseURL": f"{first.url}/v1"}}}}))
        env = {"OPENAI_API_KEY": "sk-pis-own", "HTTPS_PROXY": "http://127.0.0.1:9", "PATH": path}
        ran = lynkr("run", "opencode", home=clean_machine, **env)
        assert "no way to api.openai.com" in ran.out
        assert not first.asked


def test_two_names_of_one_address_are_not_taken_for_each_other(clean_machine: Path) -> None:
    with upstream(FINE) as one, upstream(FINE) as other:
        bases = {"OPENAI_BASE_URL": f"{one.url}/v1", "OPENAI_API_BASE": f"{other.url}/v1"}
        lynkr("run", "--", "sh", "-c", "curl -s $OPENAI_API_BASE/embeddings", home=clean_machine, **bases)
        assert not one.asked


@pytest.mark.parametrize("tool", ["opencode", "aider", "codex", "pi"])
def test_a_subscription_serves_no_tool_that_claude_starts(clean_machine: Path, tool: str) -> None:
    again = " ".join(command_line("run", "--join", tool))
    path = tools(clean_machine, claude=again, **{tool: "echo started"})
    profile(clean_machine, "sub", '[lanes.c]\nprovider = "claude"\n')
    ran = lynkr("run", "claude", home=clean_machine, PATH=path, LYNKR_PROFILE="sub")
    assert "started" not in ran.out
    assert "Claude Code alone" in ran.err


GATES = ("cf-aig-authorization", "x-portkey-api-key", "ocp-apim-subscription-key", "x-litellm-api-key", "helicone-auth")
LISTED = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "chatgpt-account-id")


@pytest.mark.parametrize("name", [*LISTED, *GATES])
def test_a_tools_credential_stays_off_a_lane_with_a_key(name: str) -> None:
    with upstream(FINE) as up, proxy(anthropic_lane(up.url, auth=Auth.KEY), keys={"main": Key(KEY)}) as found:
        ask(found.port, "/v1/messages", MESSAGE, [f"{name}: the-tools-own"])
        assert up.asked[0].header("x-api-key") == KEY
        assert "the-tools-own" not in str(up.asked[0].headers)


@pytest.mark.parametrize(("path", "body"), [("/v1beta/models/x:generateContent", b"{}"), ("/v1beta/models", b"")])
def test_a_key_in_the_query_stays_off_a_lane_with_a_key(path: str, body: bytes) -> None:
    with upstream(FINE) as up:
        keyed(up, FINE, Lane("g", "gemini", (Format.GEMINI,), Auth.KEY, up.url), f"{path}?key=the-tools-own", body)
        assert "the-tools-own" not in up.asked[0].target


def test_no_redirect_is_followed(clean_machine: Path) -> None:
    with upstream(FINE) as evil, upstream(says({}, 307, f"Location: {evil.url}/v1/messages")) as up:
        profile(clean_machine, "work", LANE.format(url=up.url))
        lynkr("key", "test", "anthropic", "-p", "work", home=clean_machine, ANTHROPIC_API_KEY=KEY)
        lynkr("run", "-p", "work", "--", "sh", "-c", CURL, home=clean_machine, ANTHROPIC_API_KEY=KEY)
        assert (len(up.asked), len(evil.asked)) == (2, 0)


def test_a_proxy_sees_a_tunnel_and_no_key(clean_machine: Path) -> None:
    with upstream(says({}, 502, "Connection: close")) as between:
        profile(clean_machine, "work", LANE.format(url="https://api.example.test"))
        env = {"ANTHROPIC_API_KEY": KEY, "HTTPS_PROXY": between.url.replace("//", "//me:hush-hush@")}
        ran = [lynkr("key", "test", "anthropic", "-p", "work", home=clean_machine, **env)]
        ran.append(lynkr("run", "-p", "work", "--", "sh", "-c", CURL, home=clean_machine, **env))
        assert {asked.method for asked in between.asked} == {"CONNECT"}
        assert KEY not in str(between.asked)
        assert "hush-hush" not in str(ran)


@pytest.mark.parametrize("target", ["@evil.example/x", "http://evil.example/x"])
def test_a_target_that_is_no_path_goes_nowhere(target: str) -> None:
    gate = Gate(SECRET, 4321, (Carrier("x-lynkr-session", None),))
    assert gate.admit(target, [(b"Host", b"127.0.0.1:4321"), (b"x-lynkr-session", SECRET.encode())]) == (401, "", [])


ECHO = {"message": f"Incorrect API key provided: {KEY}", "type": "invalid_request_error"}
CODE = {"message": "no", "type": "invalid_request_error", "code": f"bad {KEY}"}
CUT = {"message": "y" * (300 - len(KEY) + 1) + KEY, "type": "invalid_request_error"}
CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}'
GATEWAYS = [(CHAT, 400, ECHO), (CHAT, 401, ECHO), (b"", 401, ECHO), (CHAT, 400, CODE), (CHAT, 401, CUT)]


@pytest.mark.parametrize(("body", "status", "error"), GATEWAYS)
def test_a_gateway_that_repeats_the_key_tells_nobody(body: bytes, status: int, error: dict[str, object]) -> None:
    path = "/v1/chat/completions" if body else "/v1/models"
    with upstream(FINE) as up:
        answer, row = keyed(up, says({"error": error}, status), openai_lane(f"{up.url}/v1", auth=Auth.KEY), path, body)
        assert answer.status >= 400
        assert KEY[:-1] not in answer.body.decode() + row


@pytest.mark.xfail(strict=True, reason="only the body of what is tunnelled is cleaned, and only in clear")
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_tunnelled_repeats_the_key_nowhere(packed: bool) -> None:
    said = json.dumps({"error": ECHO}).encode() if packed else b"{}"
    with upstream(FINE) as up:
        lane, body = openai_lane(f"{up.url}/v1", auth=Auth.KEY), gzip.compress(said) if packed else said
        head = "Content-Encoding: gzip" if packed else f"X-Debug-Auth: {KEY}"
        answer, _row = keyed(up, lambda _asked: whole(body, 401, head), lane, "/v1/models", b"")
        clear = gzip.decompress(answer.body) if answer.header("content-encoding") == "gzip" else answer.body
        assert KEY not in str(answer.headers) + clear.decode()


def test_an_error_in_the_middle_of_a_stream_does_not_repeat_the_key() -> None:
    delta = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    chunks = [f"data: {json.dumps(one)}\n\n".encode() for one in (delta, {"error": CODE | ECHO})]
    with upstream(FINE) as up:
        lane = Lane("gpt", "openai", (Format.OPENAI_CHAT,), Auth.KEY, f"{up.url}/v1", model="gpt-5.5")
        asked = MESSAGE.replace(b'"m"', b'"m", "stream": true')
        answer, row = keyed(up, lambda _asked: stream(chunks), lane, "/v1/messages", asked)
        assert b"error" in answer.body
        assert KEY not in answer.body.decode() + row


def test_a_header_of_the_lane_that_cannot_be_sent_is_not_shown() -> None:
    with upstream(FINE) as up:
        lane = anthropic_lane(up.url, auth=Auth.KEY, headers={"x-gateway": "tok-hush-hush "})
        with proxy(lane, keys={"main": Key(KEY)}) as found:
            assert b"hush-hush" not in ask(found.port, "/v1/messages", MESSAGE).body


@pytest.mark.xfail(strict=True, reason="the environment that a process began with stays readable to its user")
def test_the_key_is_not_in_what_the_tool_can_read_of_lynkr(clean_machine: Path) -> None:
    profile(clean_machine, "work", LANE.format(url="http://127.0.0.1:9"))
    look = "tr '\\0' '\\n' < /proc/$PPID/environ"
    assert KEY not in lynkr("run", "-p", "work", "--", "sh", "-c", look, home=clean_machine, ANTHROPIC_API_KEY=KEY).out


def test_a_service_principals_secret_is_not_left_to_the_tool(clean_machine: Path) -> None:
    with upstream(says({"access_token": "dapi-token", "expires_in": 3600})) as up:
        lane = f'[lanes.d]\nprovider = "databricks"\nmodel = "databricks-claude-opus-4-8"\nbase_url = "{up.url}"\n'
        profile(clean_machine, "work", lane)
        login = {"DATABRICKS_CLIENT_ID": "me", "DATABRICKS_CLIENT_SECRET": "dose-hush-hush"}
        ran = lynkr("run", "-p", "work", "--", "env", home=clean_machine, **login)
        assert "LYNKR_SESSION" in ran.out
        assert "hush-hush" not in ran.out


def test_what_codexs_own_file_holds_does_not_become_an_argument(clean_machine: Path) -> None:
    config = clean_machine / ".codex" / "config.toml"
    config.parent.mkdir()
    said = 'base_url = "http://127.0.0.1:9/v1"\nexperimental_bearer_token = "sk-hush-hush"\n'
    config.write_text(f'model_provider = "corp"\n[model_providers.corp]\n{said}')
    words = ("run", "codex", "-c", "model_providers.corp.request_max_retries=1")
    ran = lynkr(*words, home=clean_machine, PATH=tools(clean_machine, codex='echo "$@"'))
    assert "model_providers.corp" in ran.out
    assert "hush-hush" not in ran.out


NAMES = pytest.mark.xfail(strict=True, reason="secrets are told by how their line begins")
LINES = ('OPENAI_API_KEY="sk-hush-hush"', "export OPENAI_API_KEY=sk-hush-hush", "OPENAI_API_KEY = sk-hush-hush")


@pytest.mark.parametrize("line", ["OPENAI_API_KEY=sk-hush-hush", *(pytest.param(one, marks=NAMES) for one in LINES)])
def test_a_dry_run_does_not_show_what_a_tools_own_files_hold(clean_machine: Path, line: str) -> None:
    (clean_machine / "own.env").write_text(f"{line}\n")
    words = ("run", "--dry-run", "aider", "--env-file", str(clean_machine / "own.env"))
    ran = lynkr(*words, home=clean_machine, PATH=tools(clean_machine, aider="true"))
    assert "AIDER_ENV_FILE" in ran.out
    assert "hush-hush" not in ran.out


def test_everything_is_the_owners_alone_whatever_the_umask(clean_machine: Path) -> None:
    before = os.umask(0)
    try:
        env = {"LYNKR_PASSPHRASE": "correct horse"}
        assert lynkr("key", "set", "anthropic", "--file", home=clean_machine, stdin=KEY, **env).status == 0
        lynkr("profile", "new", "mine", "--from", "direct", home=clean_machine)
        lynkr("run", "-q", "--", "true", home=clean_machine)
    finally:
        os.umask(before)
    root = clean_machine / "lynkr"
    assert (root / "data" / "keys.enc").stat().st_mode & 0o777 == 0o600
    assert not [path for path in (root, *root.rglob("*")) if path.stat().st_mode & 0o022]


TELLING = [("key", "test", "anthropic"), ("doctor", "--live"), ("run", "--", "sh", "-c", f"{CURL} >/dev/null")]


@pytest.mark.parametrize("words", TELLING)
def test_an_upstreams_words_do_nothing_to_the_terminal(clean_machine: Path, words: tuple[str, ...]) -> None:
    error = {"type": "permission_error", "message": f"no {ESCAPES}way"}
    with upstream(says({"type": "error", "error": error}, 403)) as up:
        profile(clean_machine, "work", LANE.format(url=up.url))
        said = on_a_terminal(words, clean_machine, ANTHROPIC_API_KEY=KEY, LYNKR_PROFILE="work")
    assert b"403" in said
    assert b"\x1b]" not in said
    assert b"\x1b[2J" not in said
    assert "\x9b" not in said.decode()
