"""`lynkr init`: a short interview that writes a first profile and stores keys.

Nothing is written before the last question is answered.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from lynkr.cli.speak import asking, say, show
from lynkr.errors import ConfigError, LynkrError, UsageError
from lynkr.paths import paths

if TYPE_CHECKING:
    from lynkr.lane import Lane
    from lynkr.secrets.store import Store

# What each provider is to a person, in the order in which they are offered.
_OFFERED = {
    "own": "the login or key that the tool already has (nothing to set up)",
    "anthropic": "Claude, with an Anthropic API key",
    "openai": "GPT, with an OpenAI API key",
    "gemini": "Gemini, with a Google API key",
    "openrouter": "any model, through OpenRouter",
    "azure-anthropic": "Claude on Azure AI Foundry",
    "azure-openai": "GPT on Azure",
    "bedrock": "Claude or others on Amazon Bedrock",
    "vertex": "Claude or Gemini on Google Vertex AI",
    "databricks": "Claude or others on Databricks",
    "deepseek": "DeepSeek",
    "moonshot": "Kimi, from Moonshot",
    "zai": "GLM, from Z.ai",
    "minimax": "MiniMax",
    "groq": "open models, on Groq",
    "xai": "Grok, from xAI",
    "mistral": "Mistral",
    "custom": "another server that speaks one of these formats",
}
_SUGGESTED = {
    "anthropic": "claude-opus-5-5",
    "openai": "gpt-5.5",
    "gemini": "gemini-3.8-flash",
    "openrouter": "anthropic/claude-opus-5.5",
    "azure-anthropic": "claude-opus-4-8",
    "azure-openai": "gpt-5.5",
    "bedrock": "us.anthropic.claude-opus-4-8",
    "vertex": "claude-opus-4-8",
    "databricks": "databricks-claude-opus-4-8",
    "deepseek": "deepseek-v4-pro",
    "moonshot": "kimi-k3",
    "zai": "glm-5.3",
    "minimax": "MiniMax-M3",
    "groq": "openai/gpt-oss-120b",
    "xai": "grok-4.6",
    "mistral": "devstral-medium-latest",
}


@click.command(short_help="A short interview that writes a first profile.")
def command() -> None:
    """Answer a few questions; get a profile, a stored key, and a working `lynkr run`.

    Nothing is written before the last answer. For a profile without questions: lynkr profile new NAME --from EXAMPLE.
    """
    from lynkr import editing, profiles
    from lynkr.launch.tools import TOOLS
    from lynkr.local import look
    from lynkr.secrets.store import Store

    ask = asking()
    if ask is None or not sys.stdin.isatty():
        raise UsageError("init asks questions, and there is no terminal; use: lynkr profile new NAME --from EXAMPLE")
    where = paths(os.environ)
    store = Store(where, os.environ, say, ask)
    tools = [name for name in TOOLS if shutil.which(name)]
    _tell(f"found: {', '.join(tools) or 'none of the tools that lynkr knows'}")
    say("looking for model servers on this machine …")
    servers = {server.provider: server for server in look(os.environ)}
    for server in servers.values():
        _tell(f"found: {server.provider} at {server.url}: {', '.join(server.models[:5]) or 'no model'}")
    offered = {**{name: f"{name} on this machine" for name in servers}, **_OFFERED}
    main = _choose("What should do the work?", offered, "own")
    lanes: dict[str, dict[str, Any]] = {}
    keys: dict[str, str] = {}
    if main != "own":
        lanes["main"] = _lane(main, {n: list(s.models) for n, s in servers.items()}, store, keys)
    name = _name("How should the profile be called?", "mine", where.profiles)
    if main == "own":
        text = profiles.load("direct", where).path.read_text("utf-8")
    else:
        text = editing.profile_text(_OFFERED.get(main, main), {"complex": ["main"]}, lanes)
    path = editing.new(name, text, where)
    try:
        for entry, key in keys.items():
            _store(store, entry, key)
        profile = profiles.load(name, where)
    except (LynkrError, click.Abort, KeyboardInterrupt):
        path.unlink()
        raise
    editing.use(name, where)
    say(f"{path} is written, and used from now on")
    for lane in profile.lanes.values():
        _try(lane, store)
    show([f"Start with: lynkr run {tools[0] if tools else 'claude'}"])


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _choose(question: str, offered: Mapping[str, str], default: str) -> str:
    _tell(f"\n{question}")
    names = list(offered)
    for number, name in enumerate(names, 1):
        _tell(f"  {number:2}  {offered[name]}")
    while True:
        said = str(click.prompt("number", default=str(names.index(default) + 1), err=True)).strip()
        if said.isdigit() and 1 <= int(said) <= len(names):
            return names[int(said) - 1]
        if said in names:
            return said
        _tell(f"{said!r} is not on the list; a number from 1 to {len(names)}")


def _lane(provider: str, models: Mapping[str, list[str]], store: Store, keys: dict[str, str]) -> dict[str, Any]:
    """The section of a lane, asked for piece by piece; keys that were given go to `keys`."""
    from lynkr.lane import Format
    from lynkr.local import base_of
    from lynkr.upstream.catalog import check_url
    from lynkr.upstream.providers import PROVIDERS

    entry = PROVIDERS[provider]
    said: dict[str, Any] = {"provider": provider}
    if provider in models and base_of(provider, os.environ) != entry.ways[0].host + entry.ways[0].path:
        said["base_url"] = base_of(provider, os.environ)
    if not entry.ways[0].host:
        while "base_url" not in said:
            url = str(click.prompt(f"its address, such as {entry.example}", err=True)).strip()
            try:
                check_url(url, "address")
                said["base_url"] = url
            except ConfigError as error:
                _tell(error.sentence)
    if provider == "custom":
        said["format"] = _choose("What does it speak?", {str(f): str(f) for f in Format}, str(Format.OPENAI_CHAT))
    places = "".join(way.host + way.path for way in entry.ways)
    if "{project}" in places:
        said["project"] = str(click.prompt("project", default=os.environ.get("GOOGLE_CLOUD_PROJECT"), err=True))
    if "{region}" in places:
        region = os.environ.get("AWS_REGION") if entry.cloud == "aws" else entry.region
        said["region"] = str(click.prompt("region", default=region or "us-east-1", err=True))
    _key(provider, store, said, keys)
    known = models.get(provider, [])
    default = known[0] if known else _SUGGESTED.get(provider)
    said["model"] = str(click.prompt("model", default=default, err=True)).strip()
    return said


def _key(provider: str, store: Store, said: dict[str, Any], keys: dict[str, str]) -> None:
    from lynkr.upstream.providers import PROVIDERS

    entry = PROVIDERS[provider]
    names = [name for name in entry.key_env if os.environ.get(name)]
    if names:
        _tell(f"the key in {names[0]} will be used")
        return
    if provider == "custom" and not click.confirm("does it ask for a key?", default=False, err=True):
        return
    if not entry.key_env and provider != "custom":
        return
    if store.get(provider):
        _tell(f"the key {provider!r} that is stored will be used")
        return
    if entry.cloud and not click.confirm(f"use an API key? (no: your login at {entry.cloud})", default=True, err=True):
        said["auth"] = "cloud"
        return
    made = f", made at {entry.console}" if entry.console else ""
    keys[provider] = _given(f"the key{made} (it is not shown)")
    if provider == "custom":
        said["key"] = provider


def _given(question: str) -> str:
    from lynkr.secrets import Key

    while True:
        said = str(click.prompt(question, hide_input=True, err=True)).strip()
        try:
            if Key.read(said, "what was given"):
                return said
        except ConfigError as error:
            _tell(error.sentence)


def _name(question: str, default: str, folder: Any) -> str:
    from lynkr.profile import check_name

    while True:
        name = str(click.prompt(f"\n{question}", default=default, err=True)).strip()
        try:
            check_name(name)
        except ConfigError as error:
            _tell(error.sentence)
            continue
        if not (folder / f"{name}.toml").exists():
            return name
        _tell(f"there is a profile {name!r} already; another name?")


def _store(store: Store, name: str, key: str) -> None:
    from lynkr.secrets import Key

    read = Key.read(key, "what was given")
    if read is None:
        return
    to_file = False
    if store.ring() is None and not store.path.exists():
        _tell(store.problem)
        to_file = click.confirm("keep the key in a file that is encrypted with a passphrase?", default=True, err=True)
        if not to_file:
            _tell(f"not stored; set it in the environment, or later: lynkr key set {name}")
            return
    while True:
        try:
            store.keep(name, read, to_file=to_file)
        except ConfigError as error:
            _tell(error.sentence)
            if not click.confirm("try again?", default=True, err=True):
                _tell(f"not stored; set it in the environment, or later: lynkr key set {name}")
                return
        else:
            return


def _try(lane: Lane, store: Store) -> None:
    """Whether the lane serves; that it does not is said, and no reason to throw the profile away."""
    from lynkr import credentials
    from lynkr.lane import Auth
    from lynkr.probe import probe

    if lane.auth is Auth.CLIENT or not click.confirm(f"try it with one short word to {lane.provider}?", default=True,
                                                     err=True):  # fmt: skip
        return
    try:
        held = credentials.find(lane, store, os.environ)
    except ConfigError as error:
        say(error.sentence)
        return
    found = probe(lane, held.credential, os.environ)
    if found.problem is None:
        say(f"it serves, in {found.ms:.0f} ms")
    else:
        say(f"it does not serve yet: {found.problem}; change the profile with: lynkr profile edit")
    sys.stderr.flush()
