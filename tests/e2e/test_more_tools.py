"""aider, Copilot, Cline, pi and Continue through lynkr: a lane's key is enough, a lane wins, `direct` changes nothing.

Each tool completes its two-step loop for somebody who has nothing but lynkr and a lane's key; on a lane of another
format, although the tool is set to go elsewhere with a key of its own; and with its own key to its own address. aider
has no tools: its loop is an edit and the commit message for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import TOOLS, Ran, environment, lynkr, profile, real_tool
from loops import _chat, _converse, _gemini, anthropic_says, loop
from real import with_tool
from scripts import Asked, Script, Step, upstream, whole
from test_direct import network

pytestmark = pytest.mark.real

LANE_KEY, OWN_KEY = "sk-of-the-lane", "sk-of-the-user"
PLACEHOLDER = "lynkr-holds-the-key"
# What the tool is told to run, and what only running it says.
COMMAND, OUTPUT = r"printf 'it-ran-%s\n' 42", b"it-ran-42"
NOWHERE = "http://127.0.0.1:9"
EDIT = "note.txt\n```\n<<<<<<< SEARCH\nhello\n=======\ngoodbye\n>>>>>>> REPLACE\n```\n"
COMMIT = "chore: say goodbye"


@dataclass(frozen=True)
class Tool:
    """How a tool is asked for its loop without a terminal; `call` is how its model runs a command."""

    words: tuple[str, ...]
    call: tuple[str, dict[str, Any]] | None
    env: Mapping[str, str] = field(default_factory=dict)


NAMES = {
    "aider": Tool(("--yes-always", "--no-check-update", "--no-analytics", "--edit-format", "diff",
                   "--message", "say goodbye", "note.txt"), None),
    "copilot": Tool(("-p", "run it", "--allow-all-tools"), ("bash", {"command": COMMAND, "description": "Says it"}),
                    {"COPILOT_OFFLINE": "true", "COPILOT_CACHE_HOME": str(TOOLS / "copilot-cache")}),
    "cline": Tool(("run it",), ("run_commands", {"commands": [COMMAND]})),
    "pi": Tool(("-p", "run it"), ("bash", {"command": COMMAND}), {"PI_OFFLINE": "1"}),
    "cn": Tool(("-p", "run it", "--auto"), ("Bash", {"command": COMMAND})),
}  # fmt: skip
# Format of a lane → provider, model, what its paths end in, the header that holds its key.
LANES = {
    "openai-chat": ("openai", "some/local-model:8b", "/v1/chat/completions", "Bearer "),
    "openai-responses": ("openai", "gpt-5.5", "/v1/responses", "Bearer "),
    "anthropic": ("anthropic", "claude-sonnet-5", "/v1/messages", "x-api-key"),
    "gemini": ("gemini", "gemini-3-flash", "/v1beta/models/gemini-3-flash:", "x-goog-api-key"),
    "bedrock-converse": ("bedrock", "amazon.nova-pro-v1:0", "/model/amazon.nova-pro-v1:0/converse", "Bearer "),
}


def script(name: str, spoken: str) -> Script:
    """The upstream of a tool's loop in a format."""
    call = NAMES[name].call
    return loop(*call)[spoken] if call else edits(spoken)


def edits(spoken: str) -> Script:
    """aider's upstream: an edit, then what to write to it in the history."""
    say = {"anthropic": anthropic_says, "gemini": _gemini, "bedrock-converse": _converse}.get(spoken, _chat)

    def says(asked: Asked) -> Iterable[Step]:
        if asked.method != "POST":
            return whole({"error": {"message": "no such path"}}, 404)
        return say(asked, EDIT if b"SEARCH/REPLACE" in asked.body else COMMIT, None)

    return says


def lane(home: Path, spoken: str, url: str) -> None:
    """A profile `other` with one lane that speaks `spoken`, with a key of its own."""
    provider, model, *_ = LANES[spoken]
    base = url + "/v1" if provider == "openai" else url
    profile(home, "other", f'[lanes.other]\nprovider = "{provider}"\nformat = "{spoken}"\nbase_url = "{base}"\n'
                           f'model = "{model}"\nkey_env = "LANE_KEY"\n')  # fmt: skip


def path_of(name: str) -> str:
    """Where a tool is; aider is in a Python environment of its own."""
    own = TOOLS / name / "bin" / name
    return str(own) if own.exists() else real_tool(name)


def run(home: Path, name: str, *options: str, words: tuple[str, ...] = (), **env: str) -> Ran:
    """Runs the tool in a repository, where nothing reaches the world."""
    tool, project = NAMES[name], home / "project"
    project.mkdir(exist_ok=True)
    (project / "note.txt").write_text("hello\n")
    git = "git init -q && git config user.email me@example.org && git config user.name Me && "
    subprocess.run(git + "git add note.txt && git commit -qm first", shell=True, cwd=project, check=True)
    return lynkr("run", *options, name, *words, *tool.words, home=home, cwd=project,
                 PATH=with_tool(path_of(name)), **{"HTTPS_PROXY": NOWHERE, **tool.env, **env})  # fmt: skip


def check(ran: Ran, name: str, posts: list[Asked], key: str, header: str, served: int = 2) -> None:
    """The loop was completed and `served` of it reported, each request with `key` in `header` and no other."""
    said = ran.err + ran.out
    assert ran.status == 0, said
    assert len(posts) == 2, said
    if NAMES[name].call:
        assert ran.out.strip().splitlines()[-1:] == ["All done."], said
        assert [OUTPUT in post.body for post in posts] == [False, True]
    else:
        project = ran.home / "project"
        log = subprocess.run(["git", "log", "--format=%s"], cwd=project, capture_output=True, text=True, check=True)
        assert ((project / "note.txt").read_text(), log.stdout.split("\n")[0]) == ("goodbye\n", COMMIT)
    bearer = header == "Bearer "
    for post in posts:
        assert post.header("authorization" if bearer else header) == (f"Bearer {key}" if bearer else key)
        assert not any(other in json.dumps(post.headers) for other in {LANE_KEY, OWN_KEY, PLACEHOLDER} - {key})
    report = ran.report()
    assert report["session"]["tool"] == name
    assert [request["status"] for request in report["requests"]] == [200] * served


@pytest.mark.parametrize(
    ("name", "spoken"),
    [("aider", "openai-chat"), ("aider", "anthropic"), ("aider", "gemini"), ("copilot", "openai-chat"),
     ("copilot", "openai-responses"), ("copilot", "anthropic"), ("cline", "openai-chat"), ("cline", "anthropic"),
     ("cline", "openai-responses"), ("cline", "gemini"), ("pi", "anthropic"), ("pi", "openai-responses"),
     ("cn", "openai-chat"), ("cn", "anthropic")],
)  # fmt: skip
def test_a_lane_s_key_is_enough_for_somebody_who_never_set_the_tool_up(
    clean_machine: Path, name: str, spoken: str
) -> None:
    _, model, path, header = LANES[spoken]
    with upstream(script(name, spoken)) as up:
        lane(clean_machine, spoken, up.url)
        ran = run(clean_machine, name, "-p", "other", LANE_KEY=LANE_KEY)
    check(ran, name, up.posts(), LANE_KEY, header)
    assert all(post.path.startswith(path) for post in up.posts())
    assert spoken == "gemini" or {post.json["model"] for post in up.posts()} == {model}


def providers(which: str, url: str, **more: str) -> dict[str, Any]:
    """Cline's file of somebody who uses one provider."""
    settings = {"provider": which, "baseUrl": url, **more}
    entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    said = {"version": 1, "lastUsedProvider": which, "modes": {}, "providers": {which: entry}}
    return {".cline/data/settings/providers.json": said}


def models(provider: str, url: str, model: str) -> dict[str, Any]:
    """Continue's file of somebody who uses one model, and has a rule."""
    text = f"""name: mine
version: 1.0.0
schema: v1
models:
  - name: Main
    provider: {provider}
    model: {model}
    apiKey: {OWN_KEY}
    apiBase: {url}
    roles: [chat]
rules:
  - Always be kind to lynxes.
"""
    return {".continue/config.yaml": text}


def pi_extension(url: str) -> str:
    return f'export default function (pi) {{ pi.registerProvider("anthropic", {{ baseUrl: "{url}" }}); }}\n'


KEYS = {"ANTHROPIC_API_KEY": OWN_KEY, "OPENAI_API_KEY": OWN_KEY, "GEMINI_API_KEY": OWN_KEY}
DOTENV = f"ANTHROPIC_API_BASE={NOWHERE}\nOPENAI_API_BASE={NOWHERE}\nOPENAI_API_KEY={OWN_KEY}\n"
# What the tool is set to → (tool, its arguments, the user's files, the user's variables).
ELSEWHERE: dict[str, tuple[str, tuple[str, ...], dict[str, Any], dict[str, str]]] = {
    "aider, by the project's .env": ("aider", (), {"project/.env": DOTENV}, {}),
    "aider, by a file that it is told of": ("aider", ("--env-file", "../mine.env"), {"mine.env": DOTENV}, {}),
    "aider, by its own settings": (
        "aider", (), {".aider.conf.yml": f"openai-api-base: {NOWHERE}\nopenai-api-key: {OWN_KEY}\nmodel: gpt-4o\n"}, {},
    ),
    "aider, by an argument": ("aider", ("--model", "gpt-4o", "--openai-api-base", NOWHERE), {}, KEYS),
    "Copilot, by variables": (
        "copilot", (), {".copilot/settings.json": {"model": "claude-opus-5"}},
        {"COPILOT_PROVIDER_BASE_URL": NOWHERE, "COPILOT_PROVIDER_API_KEY_COMMAND": f"echo {OWN_KEY}",
         "COPILOT_PROVIDER_BEARER_TOKEN": OWN_KEY, "COPILOT_PROVIDER_WIRE_MODEL": "mine"},
    ),
    "Cline, by its file": ("cline", (), providers("anthropic", NOWHERE, apiKey=OWN_KEY, model="claude-opus-4-6"), KEYS),
    "pi, by its files": (
        "pi", (), {".pi/agent/models.json": {"providers": {"anthropic": {"baseUrl": NOWHERE}}},
                   ".pi/agent/auth.json": {"anthropic": {"type": "api_key", "key": OWN_KEY}},
                   ".pi/agent/settings.json": {"defaultProvider": "openai", "defaultModel": "gpt-5"}}, KEYS,
    ),
    "pi, by an extension": ("pi", (), {".pi/agent/extensions/mine.ts": pi_extension(NOWHERE)}, KEYS),
    "Continue, by its file": ("cn", (), models("anthropic", NOWHERE, "claude-opus-4-6"), KEYS),
    "Continue, by a file that it is told of": (
        "cn", ("--config", "../.continue/config.yaml"), models("anthropic", NOWHERE, "claude-opus-4-6"), KEYS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_lane_of_another_format_wins_over_what_the_tool_is_set_to(clean_machine: Path, case: str) -> None:
    name, words, files, env = ELSEWHERE[case]
    written = write(clean_machine, files)
    *_, path, header = LANES["bedrock-converse"]
    with upstream(script(name, "bedrock-converse")) as up:
        lane(clean_machine, "bedrock-converse", up.url)
        ran = run(clean_machine, name, "-p", "other", words=words, LANE_KEY=LANE_KEY, **env)
    check(ran, name, up.posts(), LANE_KEY, header)
    assert all(post.path.startswith(path) for post in up.posts())
    assert changed(written) == []


def write(home: Path, files: Mapping[str, Any]) -> dict[Path, bytes]:
    """Writes the user's own files; what is in them."""
    written = {}
    for name, value in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
        written[path] = path.read_bytes()
    return written


def changed(written: Mapping[Path, bytes]) -> list[str]:
    return [path.name for path, before in written.items() if path.read_bytes() != before]


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
    words: tuple[str, ...] = ()
    served: int = 2


CHAT, MESSAGES, RESPONSES = "/team/v1/chat/completions", "/team/v1/messages", "/team/v1/responses"
GEMINI = "/team/v1beta/models/gemini-3-pro-preview:"
AIDER_OPENAI = (CHAT, "Bearer ", "some-model")
OWN = {
    "aider, from variables": Own(
        "aider", "anthropic", MESSAGES, "x-api-key", "claude-sonnet-4-5", {},
        {"ANTHROPIC_API_KEY": OWN_KEY, "ANTHROPIC_API_BASE": "THERE"},
        ("--model", "sonnet", "--weak-model", "sonnet"),
    ),
    "aider, from the project's .env": Own(
        "aider", "openai-chat", *AIDER_OPENAI,
        {"project/.env": f"OPENAI_API_KEY={OWN_KEY}\nOPENAI_API_BASE=THERE/v1\nAIDER_MODEL=openai/some-model\n"},
    ),
    "aider, from a file that it is told of": Own(
        "aider", "openai-chat", *AIDER_OPENAI,
        {"mine.env": f"OPENAI_API_KEY={OWN_KEY}\nOPENAI_API_BASE=THERE/v1\n"}, {},
        ("--env-file", "../mine.env", "--model", "openai/some-model"),
    ),
    "aider, from its own settings": Own(
        "aider", "openai-chat", *AIDER_OPENAI,
        {".aider.conf.yml": f"model: openai/some-model\nopenai-api-key: {OWN_KEY}\nopenai-api-base: THERE/v1\n"},
    ),
    "aider, from arguments": Own(
        "aider", "openai-chat", *AIDER_OPENAI, {}, {"OPENAI_API_KEY": OWN_KEY},
        ("--model", "openai/some-model", "--openai-api-base", "THERE/v1"),
    ),
    "aider, from two names of one address, of which it heeds this": Own(
        "aider", "openai-chat", *AIDER_OPENAI, {".aider.conf.yml": f"openai-api-base: {NOWHERE}/v1\n"},
        {"OPENAI_API_KEY": OWN_KEY, "OPENAI_BASE_URL": "THERE/v1"}, ("--model", "openai/some-model"),
    ),
    "aider, Gemini": Own(
        "aider", "gemini", GEMINI, "x-goog-api-key", "", {},
        {"GEMINI_API_KEY": OWN_KEY, "GEMINI_API_BASE": "THERE/v1beta"},
        ("--model", "gemini/gemini-3-pro-preview", "--weak-model", "gemini/gemini-3-pro-preview"),
    ),
    "Copilot, a provider of Anthropic's format": Own(
        "copilot", "anthropic", MESSAGES, "x-api-key", "claude-sonnet-4-5", {".copilot/settings.json": {"theme": "dim"}},
        {"COPILOT_PROVIDER_BASE_URL": "THERE", "COPILOT_PROVIDER_TYPE": "anthropic",
         "COPILOT_PROVIDER_API_KEY": OWN_KEY, "COPILOT_MODEL": "claude-sonnet-4-5"},
    ),
    "Copilot, a provider of OpenAI's format": Own(
        "copilot", "openai-responses", RESPONSES, "Bearer ", "gpt-5", {},
        {"COPILOT_PROVIDER_BASE_URL": "THERE/v1", "COPILOT_PROVIDER_WIRE_API": "responses",
         "COPILOT_PROVIDER_API_KEY": OWN_KEY}, ("--model", "gpt-5"),
    ),
    "Cline, Anthropic with the key in its file": Own(
        "cline", "anthropic", MESSAGES, "x-api-key", "claude-opus-4-6",
        {**providers("anthropic", "THERE/v1", apiKey=OWN_KEY, model="claude-opus-4-6"),
         ".cline/data/settings/cline_mcp_settings.json": {"mcpServers": {}}},
    ),
    "Cline, OpenAI with the key in a variable": Own(
        "cline", "openai-responses", RESPONSES, "Bearer ", "gpt-5",
        providers("openai-native", "THERE/v1", model="gpt-5"), {"OPENAI_API_KEY": OWN_KEY},
    ),
    "Cline, a compatible provider and another model": Own(
        "cline", "openai-chat", CHAT, "Bearer ", "another",
        providers("openai-compatible", "THERE/v1", apiKey=OWN_KEY, model="some-model"), {}, ("-m", "another"),
    ),
    "Cline, Gemini": Own(
        "cline", "gemini", GEMINI, "x-goog-api-key", "",
        providers("gemini", "THERE", apiKey=OWN_KEY, model="gemini-3-pro-preview"),
    ),
    "pi, with an address of its own": Own(
        "pi", "anthropic", MESSAGES, "x-api-key", "claude-sonnet-4-5",
        {".pi/agent/models.json": {"providers": {"anthropic": {"baseUrl": "THERE"}}},
         ".pi/agent/auth.json": {"anthropic": {"type": "api_key", "key": OWN_KEY}}}, {},
        ("--model", "anthropic/claude-sonnet-4-5"),
    ),
    # Its own file says where it goes, and that is past lynkr.
    "Continue": Own(
        "cn", "openai-chat", CHAT, "Bearer ", "some-model", models("openai", "THERE/v1/", "some-model"), served=0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OWN)
def test_direct_takes_the_tools_own_key_and_model_to_its_own_address(clean_machine: Path, case: str) -> None:
    own = OWN[case]
    with upstream(script(own.name, own.spoken)) as up:
        filled = json.dumps([own.files, own.env, own.words]).replace("THERE", f"{up.url}/team")
        files, env, words = json.loads(filled)
        written = write(clean_machine, files)
        ran = run(clean_machine, own.name, words=tuple(words), **env)
    check(ran, own.name, up.posts(), OWN_KEY, own.header, own.served)
    assert all(post.path.startswith(own.path) for post in up.posts())
    assert not own.model or {post.json["model"] for post in up.posts()} == {own.model}
    assert changed(written) == []


PI_HOME: dict[str, tuple[str, str, str, str, dict[str, Any], dict[str, str]]] = {
    "a key in a variable": ("anthropic/claude-sonnet-4-5", "anthropic", "api.anthropic.com", "x-api-key", {},
                            {"ANTHROPIC_API_KEY": OWN_KEY}),
    "OpenAI's key": ("openai/gpt-5", "openai-responses", "api.openai.com", "Bearer ", {}, {"OPENAI_API_KEY": OWN_KEY}),
    "Google's key": ("google/gemini-2.5-pro", "gemini", "generativelanguage.googleapis.com", "x-goog-api-key", {},
                     {"GEMINI_API_KEY": OWN_KEY}),
}  # fmt: skip


@pytest.mark.parametrize("case", PI_HOME)
def test_pi_with_nothing_but_a_key_reaches_its_provider_through_lynkr(clean_machine: Path, case: str) -> None:
    model, spoken, host, header, files, env = PI_HOME[case]
    written = write(clean_machine, files)
    with network(script("pi", spoken), clean_machine) as world:
        # pi itself does not trust this authority: what arrives came through lynkr.
        ran = run(clean_machine, "pi", words=("--model", model), HTTPS_PROXY=f"http://127.0.0.1:{world.port}",
                  SSL_CERT_FILE=world.authority, **env)  # fmt: skip
        check(ran, "pi", world.asked(host), OWN_KEY, header)
    assert changed(written) == []


@pytest.mark.parametrize("words", [("list",), ("install", "--help")])
def test_pi_s_own_commands_are_still_commands(clean_machine: Path, words: tuple[str, ...]) -> None:
    path = with_tool(path_of("pi"))
    ran = lynkr("run", "pi", *words, home=clean_machine, PATH=path, PI_OFFLINE="1")
    plain = subprocess.run(["pi", *words], env={"PATH": path, "HOME": str(clean_machine), "PI_OFFLINE": "1"},
                           capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert (ran.status, ran.out) == (0, plain.stdout), ran.err


@pytest.mark.parametrize(
    ("words", "files"),
    [(("--set-env", f"ANTHROPIC_API_BASE={NOWHERE}"), {}),
     ((), {".aider.conf.yml": f"set-env:\n  - OPENAI_BASE_URL={NOWHERE}\n"})],
)  # fmt: skip
def test_an_address_of_aider_s_that_cannot_be_changed_is_refused_before_it_starts(
    clean_machine: Path, words: tuple[str, ...], files: dict[str, str]
) -> None:
    write(clean_machine, files)
    lane(clean_machine, "anthropic", NOWHERE)
    ran = run(clean_machine, "aider", "-p", "other", words=words, LANE_KEY=LANE_KEY)
    assert (ran.status, ran.out) == (78, "")
    assert "set-env" in ran.err


def test_a_message_to_aider_that_speaks_of_an_address_is_no_setting(clean_machine: Path) -> None:
    ran = lynkr("run", "--dry-run", "aider", "--message", "say what OPENAI_API_BASE=x does", home=clean_machine,
                PATH=with_tool(path_of("aider")))  # fmt: skip
    assert ran.status == 0, ran.err


def daemons(home: Path) -> list[int]:
    """The hub daemons of Cline's that a project of this home has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"--cline-hub-daemon" in words and str(home / "project").encode() in words:
                found.append(int(path.parent.name))
    return found


@pytest.fixture
def ended(clean_machine: Path) -> Iterator[None]:
    """Ends what daemons of Cline's a test leaves behind."""
    yield
    for pid in daemons(clean_machine):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("ended")
def test_no_daemon_of_cline_s_is_left_behind(clean_machine: Path) -> None:
    with upstream(script("cline", "anthropic")) as up:
        lane(clean_machine, "anthropic", up.url)
        check(run(clean_machine, "cline", "-p", "other", LANE_KEY=LANE_KEY), "cline", up.posts(), LANE_KEY, "x-api-key")
    assert daemons(clean_machine) == []


@pytest.mark.usefixtures("ended")
def test_a_daemon_of_cline_s_from_before_does_not_take_the_session_elsewhere(clean_machine: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    project = clean_machine / "project"
    project.mkdir()
    with upstream(script("cline", "anthropic")) as before, upstream(script("cline", "anthropic")) as up:
        write(clean_machine, providers("anthropic", f"{before.url}/v1", apiKey=OWN_KEY, model="claude-opus-4-6"))
        env = environment(clean_machine, PATH=with_tool(path_of("cline")), CLINE_HUB_PORT=port)
        subprocess.run(["cline", "run it"], env=env, cwd=project, stdin=subprocess.DEVNULL, timeout=120, check=True)
        assert len(before.posts()) == 2
        assert len(daemons(clean_machine)) == 1
        lane(clean_machine, "anthropic", up.url)
        ran = run(clean_machine, "cline", "-p", "other", LANE_KEY=LANE_KEY)
        check(ran, "cline", up.posts(), LANE_KEY, "x-api-key")
        assert len(before.posts()) == 2
