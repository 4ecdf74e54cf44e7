"""gemini-cli, opencode, Qwen Code and kilo through lynkr: a lane's key is enough, a lane wins, `direct` changes nothing.

Each tool completes its two-step loop three times: for somebody who has nothing but lynkr and a lane's key; on a lane of
another format, although the tool is set to go elsewhere with a key of its own; and with its own key to its own address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Ran, lynkr, profile, real_tool
from loops import loop
from real import with_tool
from scripts import Asked, Script, upstream
from test_direct import network

pytestmark = pytest.mark.real

LANE_KEY, OWN_KEY = "sk-of-the-lane", "sk-of-the-user"
# What the tool is told to run, and what only running it says; of a command that ends at once tools may miss the output.
COMMAND, OUTPUT = r"sleep 0.3; printf 'it-ran-%s\n' 42", b"it-ran-42"
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Tool:
    """How a tool is asked for its loop without a terminal; `call` is how its model runs a command."""

    words: tuple[str, ...]
    call: tuple[str, dict[str, Any]]
    env: Mapping[str, str] = field(default_factory=dict)


SHELL = {"command": COMMAND, "description": "Says it"}
TOOLS = {
    "gemini": Tool(("-m", "gemini-3-pro-preview", "-p", "run it", "--yolo"), ("run_shell_command", SHELL),
                   {"GEMINI_CLI_TRUST_WORKSPACE": "true"}),
    "opencode": Tool(("run", "run it"), ("bash", SHELL)),
    "qwen": Tool(("-p", "run it", "--yolo"), ("run_shell_command", {**SHELL, "is_background": False})),
    "kilo": Tool(("run", "--auto", "run it"), ("bash", SHELL)),
}  # fmt: skip
# Format of a lane → provider, model, what its paths end in, the header that holds its key.
LANES = {
    "openai-chat": ("openai", "some/local-model:8b", "/v1/chat/completions", "Bearer "),
    "anthropic": ("anthropic", "claude-sonnet-5", "/v1/messages", "x-api-key"),
    "gemini": ("gemini", "gemini-3-flash", "/v1beta/models/gemini-3-flash:streamGenerateContent", "x-goog-api-key"),
    "bedrock-converse": ("bedrock", "amazon.nova-pro-v1:0", "/model/amazon.nova-pro-v1:0/converse-stream", "Bearer "),
}


def lane(home: Path, spoken: str, url: str) -> None:
    """A profile `other` with one lane that speaks `spoken`, with a key of its own."""
    provider, model, *_ = LANES[spoken]
    base = url + "/v1" if provider == "openai" else url
    profile(home, "other", f'[lanes.other]\nprovider = "{provider}"\nformat = "{spoken}"\nbase_url = "{base}"\n'
                           f'model = "{model}"\nkey_env = "LANE_KEY"\n')  # fmt: skip


def run(home: Path, name: str, *options: str, **env: str) -> Ran:
    """Runs the tool in a project, where nothing reaches the world; some leave megabytes among temporary files."""
    tool = TOOLS[name]
    project, temporary = home / "project", home / "tmp"
    project.mkdir(exist_ok=True)
    temporary.mkdir()
    env = {"HTTPS_PROXY": NOWHERE, "TMPDIR": str(temporary), "PATH": with_tool(real_tool(name)), **tool.env, **env}
    return lynkr("run", *options, name, *tool.words, home=home, cwd=project, **env)


def compact(script: Script) -> Script:
    """The script for a request without white space: Qwen Code lays its JSON out."""

    def compacted(asked: Asked) -> Any:
        body = json.dumps(asked.json, separators=(",", ":")).encode() if asked.body else b""
        return script(replace(asked, body=body))

    return compacted


def check(ran: Ran, name: str, posts: list[Asked], key: str, header: str) -> list[Asked]:
    """The loop was completed and reported, each request with `key` in `header` and no other; the main ones of them."""
    assert (ran.status, ran.out.strip().splitlines()[-1:]) == (0, ["All done."]), ran.err + ran.out
    main = [post for post in posts if len(post.body) > 20_000]
    assert [OUTPUT in post.body for post in main] == [False, True]
    bearer = header == "Bearer "
    for post in posts:
        assert post.header("authorization" if bearer else header) == (f"Bearer {key}" if bearer else key)
        said = json.dumps(post.headers)
        assert not any(other in said for other in {LANE_KEY, OWN_KEY, "lynkr-holds-the-key"} - {key})
    report = ran.report()
    assert report["session"]["tool"] == name
    assert [request["status"] for request in report["requests"]] == [200] * len(posts)
    return main


@pytest.mark.parametrize(
    ("name", "spoken"),
    [("gemini", "gemini"), ("opencode", "openai-chat"), ("opencode", "anthropic"), ("qwen", "openai-chat"),
     ("qwen", "anthropic"), ("kilo", "openai-chat")],
)  # fmt: skip
def test_a_lane_s_key_is_enough_for_somebody_who_never_set_the_tool_up(
    clean_machine: Path, name: str, spoken: str
) -> None:
    *_, path, header = LANES[spoken]
    with upstream(compact(loop(*TOOLS[name].call)[spoken])) as up:
        lane(clean_machine, spoken, up.url)
        ran = run(clean_machine, name, "-p", "other", LANE_KEY=LANE_KEY)
    main = check(ran, name, up.posts(), LANE_KEY, header)
    assert {post.path for post in main} == {path}


def opencode(kind: str, url: str, **more: Any) -> dict[str, Any]:
    """The files of somebody who uses Anthropic with a key, at `url`, in opencode or what descends from it."""
    options = {"baseURL": url + "/v1", "apiKey": OWN_KEY}
    config = {"$schema": "https://opencode.ai/config.json", "model": "anthropic/claude-sonnet-4-5", **more}
    folder = f".config/{kind}"
    return {
        f"{folder}/{kind}.json": {**config, "provider": {"anthropic": {"options": options}}},
        # kilo adds to the file at its first start, which was long ago.
        f"{folder}/.bash-permission-migrated": "",
    }


def qwen(url: str) -> dict[str, Any]:
    """The file of somebody who connected a provider with Qwen Code's /auth."""
    listed = {"id": "qwen3-coder-plus", "name": "Plus", "baseUrl": url, "envKey": "MINE"}
    return {
        ".qwen/settings.json": {
            "$version": 4,
            "security": {"auth": {"selectedType": "openai"}},
            "env": {"MINE": OWN_KEY},
            "model": {"name": "qwen3-coder-plus"},
            "modelProviders": {"openai": [listed]},
        }
    }


CHATGPT = {"type": "oauth", "access": OWN_KEY, "refresh": OWN_KEY, "expires": 4_900_000_000_000}
ELSEWHERE: dict[str, tuple[str, str, dict[str, Any], dict[str, str]]] = {
    "gemini-cli with a Google login": (
        "gemini",
        "anthropic",
        {".gemini/settings.json": {"security": {"auth": {"selectedType": "oauth-personal"}}}},
        {"GEMINI_API_KEY": OWN_KEY, "GOOGLE_API_KEY": OWN_KEY, "GOOGLE_GEMINI_BASE_URL": NOWHERE},
    ),
    "opencode with a key": (
        "opencode",
        "bedrock-converse",
        opencode("opencode", NOWHERE, enabled_providers=["anthropic"]),
        {"ANTHROPIC_API_KEY": OWN_KEY, "ANTHROPIC_BASE_URL": NOWHERE},
    ),
    "opencode with a ChatGPT login": (
        "opencode",
        "bedrock-converse",
        {".local/share/opencode/auth.json": {"openai": CHATGPT}},
        {},
    ),
    "qwen with a provider of its list": ("qwen", "bedrock-converse", qwen(NOWHERE), {"OPENAI_API_KEY": OWN_KEY}),
    "kilo with a key": ("kilo", "bedrock-converse", opencode("kilo", NOWHERE), {"ANTHROPIC_API_KEY": OWN_KEY}),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_lane_of_another_format_wins_over_what_the_tool_is_set_to(clean_machine: Path, case: str) -> None:
    name, spoken, files, env = ELSEWHERE[case]
    written = write(clean_machine, files)
    *_, path, header = LANES[spoken]
    with upstream(loop(*TOOLS[name].call)[spoken]) as up:
        lane(clean_machine, spoken, up.url)
        ran = run(clean_machine, name, "-p", "other", LANE_KEY=LANE_KEY, **env)
    main = check(ran, name, up.posts(), LANE_KEY, header)
    assert {post.path for post in main} == {path}
    assert unchanged(written)


def write(home: Path, files: Mapping[str, Any]) -> dict[Path, bytes]:
    """Writes the user's own files; what is in them."""
    written = {}
    for name, value in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=2))
        written[path] = path.read_bytes()
    return written


def unchanged(written: Mapping[Path, bytes]) -> bool:
    return all(path.read_bytes() == before for path, before in written.items())


@dataclass(frozen=True)
class Own:
    """A tool's own way: what the user set, and what the upstream is to see. THERE stands for the upstream's."""

    name: str
    spoken: str
    path: str
    header: str
    model: str
    files: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


BY_KEY = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
OWN = {
    "gemini-cli": Own(
        "gemini", "gemini", "/team/v1beta/models/gemini-3.1-pro-preview:streamGenerateContent", "x-goog-api-key", "",
        {".gemini/settings.json": BY_KEY}, {"GEMINI_API_KEY": OWN_KEY, "GOOGLE_GEMINI_BASE_URL": "THERE"},
    ),
    "opencode, from its file": Own(
        "opencode", "anthropic", "/team/v1/messages", "x-api-key", "claude-sonnet-4-5", opencode("opencode", "THERE"),
    ),
    "opencode, from variables": Own(
        "opencode", "openai-responses", "/team/v1/responses", "Bearer ", "gpt-5",
        {".config/opencode/opencode.jsonc": {"$schema": "https://opencode.ai/config.json", "model": "openai/gpt-5"}},
        {"OPENAI_API_KEY": OWN_KEY, "OPENAI_BASE_URL": "THERE/v1"},
    ),
    "opencode, from its file, which names a variable": Own(
        "opencode", "anthropic", "/team/v1/messages", "x-api-key", "claude-sonnet-4-5",
        opencode("opencode", "{env:GATEWAY}"), {"GATEWAY": "THERE"},
    ),
    "opencode, from the project's folder": Own(
        "opencode", "anthropic", "/team/v1/messages", "x-api-key", "claude-sonnet-4-5",
        {"project/.opencode/opencode.json": next(iter(opencode("opencode", "THERE").values()))},
    ),
    "qwen, from variables": Own(
        "qwen", "openai-chat", "/team/v1/chat/completions", "Bearer ", "some-model",
        {}, {"OPENAI_API_KEY": OWN_KEY, "OPENAI_BASE_URL": "THERE/v1", "OPENAI_MODEL": "some-model"},
    ),
    "qwen, from its list": Own(
        "qwen", "openai-chat", "/team/compatible-mode/v1/chat/completions", "Bearer ", "qwen3-coder-plus",
        qwen("THERE/compatible-mode/v1"),
    ),
    "qwen, from variables in its file": Own(
        "qwen", "openai-chat", "/team/v1/chat/completions", "Bearer ", "some-model",
        {".qwen/settings.json": {"$version": 4, "security": {"auth": {"selectedType": "openai"}},
                                 "model": {"name": "some-model"},
                                 "env": {"OPENAI_API_KEY": OWN_KEY, "OPENAI_BASE_URL": "THERE/v1"}}},
    ),
    "qwen, as it once wrote its file": Own(
        "qwen", "openai-chat", "/team/v1/chat/completions", "Bearer ", "some-model",
        {".qwen/settings.json": {"$version": 4, "model": {"name": "some-model"}, "security": {"auth": {
            "selectedType": "openai", "apiKey": OWN_KEY, "baseUrl": "THERE/v1"}}}},
    ),
    "qwen, at a gateway of Anthropic's format": Own(
        "qwen", "anthropic", "/team/v1/messages", "Bearer ", "claude-sonnet-4-5", {},
        {"ANTHROPIC_API_KEY": OWN_KEY, "ANTHROPIC_BASE_URL": "THERE", "ANTHROPIC_MODEL": "claude-sonnet-4-5"},
    ),
    "kilo": Own("kilo", "anthropic", "/team/v1/messages", "x-api-key", "claude-sonnet-4-5", opencode("kilo", "THERE")),
}  # fmt: skip


@pytest.mark.parametrize("case", OWN)
def test_direct_takes_the_tools_own_key_and_model_to_its_own_address(clean_machine: Path, case: str) -> None:
    own = OWN[case]
    with upstream(compact(loop(*TOOLS[own.name].call)[own.spoken])) as up:
        files, env = json.loads(json.dumps([own.files, own.env]).replace("THERE", f"{up.url}/team"))
        written = write(clean_machine, files)
        ran = run(clean_machine, own.name, **env)
    main = check(ran, own.name, up.posts(), OWN_KEY, own.header)
    assert {post.path for post in main} == {own.path}
    if own.model:
        assert {post.json["model"] for post in main} == {own.model}
    assert unchanged(written)


def test_gemini_cli_with_nothing_but_a_key_in_a_variable_works_as_it_does_without_lynkr(clean_machine: Path) -> None:
    # With a base URL beside it, such a key is refused by gemini-cli itself, unless its settings say what it is.
    with network(loop(*TOOLS["gemini"].call)["gemini"], clean_machine) as world:
        proxy = f"http://127.0.0.1:{world.port}"
        ran = run(clean_machine, "gemini", GEMINI_API_KEY=OWN_KEY, HTTPS_PROXY=proxy, SSL_CERT_FILE=world.authority)
        check(ran, "gemini", world.asked("generativelanguage.googleapis.com"), OWN_KEY, "x-goog-api-key")
