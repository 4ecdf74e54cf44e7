"""opencode: one variable that holds configuration, which is merged last into the user's own.

Measured with 1.18.33. What it holds beats every file of the user's and leaves the rest of them in force. The secret
stands in LYNKR_URL alone, which opencode puts in where the configuration names it. With its own key at no provider
opencode would silently use hosted models of its own, so on a lane with a key it is told of a provider and a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lynkr.lane import Format, Lane
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect
from lynkr.launch.tools.reading import jsonc, merged, table, text, upward, values

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_RESPONSES, Format.OPENAI_CHAT, Format.GEMINI)
INSTALL = "npm install -g opencode-ai"

_URL = "{env:LYNKR_URL}"
# Its name of a provider → (ours, what its base URL ends in, the variables that hold its key).
_KNOWN = {
    "anthropic": ("anthropic", "/v1", ("ANTHROPIC_API_KEY",)),
    "openai": ("openai", "/v1", ("OPENAI_API_KEY",)),
    "google": ("gemini", "/v1beta", ("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")),
}
# The module of its that speaks a format, and what that module's base URL ends in.
_SPEAKERS = {
    Format.ANTHROPIC: ("@ai-sdk/anthropic", "/v1"),
    Format.OPENAI_RESPONSES: ("@ai-sdk/openai", "/v1"),
    Format.OPENAI_CHAT: ("@ai-sdk/openai-compatible", "/v1"),
    Format.GEMINI: ("@ai-sdk/google", "/v1beta"),
}
OURS = "lynkr"
_VARIABLE = re.compile(r"\{env:(\w+)\}")
# Folders of a project's that hold configuration too.
_FOLDERS = {"opencode": (".opencode",), "kilo": (".kilocode", ".kilo")}


def launch(call: Call) -> Launch:
    """The launch of opencode."""
    return launch_of(call, "opencode")


def launch_of(call: Call, name: str) -> Launch:
    """The launch of opencode, or of what was made of it (`name`), which differs in names only."""
    variable = f"{name.upper()}_CONFIG_CONTENT"
    given = jsonc(call.environ.get(variable, ""))
    theirs = merged(_configuration(call, name), given)
    stored = table(jsonc(text(_data(call) / name / "auth.json")))
    lane = call.own_lane(*SPEAKS)
    providers = _theirs(call, theirs, stored) | _named(call)
    if lane is None:
        where = {their: _origin(call, theirs, their) for their in sorted(providers)}
        ours = {their: _at(_KNOWN[their][1]) for their, url in where.items() if url is not None}
        origins = {_KNOWN[their][0]: url for their, url in where.items() if url}
        lost = ", ".join(their for their, url in where.items() if url is None)
        notes = [f"where {name} sends {lost} is not certain, so it goes past lynkr"] if lost else []
        if table(stored.get("openai")).get("type") == "oauth":
            notes.append(f"{name}'s ChatGPT login goes to ChatGPT by a way of its own, past lynkr")
        said = {variable: json.dumps(merged(given, {"provider": ours}))}
        return Launch(call.argv, said, origins=origins, notes=tuple(notes))
    config = _for_lane(lane, theirs, providers)
    set_ = {variable: json.dumps(merged(given, config))}
    if table(stored.get("openai")).get("type") == "oauth":
        set_[f"{name.upper()}_AUTH_CONTENT"] = json.dumps({k: v for k, v in stored.items() if k not in _KNOWN})
    return Launch(call.argv, set_, notes=_notes(name, theirs, {*providers, OURS}))


def _at(tail: str, key: str = "") -> dict[str, Any]:
    return {"options": {"baseURL": _URL + tail, **({"apiKey": key} if key else {})}}


def _for_lane(lane: Lane, theirs: Mapping[str, Any], providers: set[str]) -> dict[str, Any]:
    """Configuration for a lane with a credential of its own."""
    module, tail = _SPEAKERS[dialect(lane, _SPEAKERS)]
    model = lane.model or "default"
    limit = {"limit": {"context": lane.context, "output": min(32_000, lane.context // 2)}} if lane.context else {}
    ours = {"npm": module, "name": OURS, "models": {model: {"name": model, **limit}}, **_at(tail, PLACEHOLDER)}
    config: dict[str, Any] = {"provider": {OURS: ours}}
    for their in providers:
        config["provider"][their] = _at(_KNOWN[their][1], PLACEHOLDER)
    if not providers or _maker(theirs.get("model")) not in (None, *providers):
        config |= {"model": f"{OURS}/{model}", "small_model": f"{OURS}/{model}"}
    for name in ("enabled_providers", "disabled_providers"):
        listed = theirs.get(name)
        if isinstance(listed, list):
            wanted = {OURS, *providers}
            kept = [their for their in listed if their not in wanted]
            config[name] = [*kept, *sorted(wanted)] if name.startswith("enabled") else kept
    return config


def _theirs(call: Call, theirs: Mapping[str, Any], stored: Mapping[str, Any]) -> set[str]:
    """Those of the known providers that the user has a key or a configuration for."""
    configured = {*table(theirs.get("provider")), *stored}
    return {their for their, (_, _, names) in _KNOWN.items()
            if their in configured or any(call.environ.get(name) for name in names)}  # fmt: skip


def _named(call: Call) -> set[str]:
    """The known provider of a model that the user's arguments name."""
    return {maker for model in values(call.argv, "-m", "--model") if (maker := _maker(model)) in _KNOWN}


def _maker(model: object) -> str | None:
    return model.partition("/")[0] if isinstance(model, str) else None


def _origin(call: Call, theirs: Mapping[str, Any], provider: str) -> str | None:
    """Where the user's own configuration sends a provider's requests, as our catalog writes such a URL.

    Empty where it says nothing; None where it cannot be told, or is no address that ours could be put in place of.
    """
    _, tail, _ = _KNOWN[provider]
    url = table(table(table(theirs.get("provider")).get(provider)).get("options")).get("baseURL", "")
    url = _VARIABLE.sub(lambda found: call.environ.get(found[1], ""), url).rstrip("/") if isinstance(url, str) else "{"
    if not url:
        return ""
    if "{" in url or not url.endswith(tail):
        return None
    return url if provider == "openai" else url.removesuffix(tail)


def _notes(name: str, theirs: Mapping[str, Any], ours: set[str]) -> tuple[str, ...]:
    agents = {agent: _maker(table(said).get("model")) for agent, said in table(theirs.get("agent")).items()}
    past = sorted(agent for agent, maker in agents.items() if maker is not None and maker not in ours)
    if not past:
        return ()
    return (f"{name}'s agents {', '.join(past)} name models of other providers, which go past lynkr",)


def _configuration(call: Call, name: str) -> dict[str, Any]:
    """What the user's files say, as far as it matters here: the global ones, then the project's."""
    folder = Path(call.environ.get("XDG_CONFIG_HOME") or call.home / ".config") / name
    names = ("config.json", f"{name}.json", f"{name}.jsonc")
    there = [folder / one for one in names]
    if own := call.environ.get(f"{name.upper()}_CONFIG"):
        there.append(Path(own))
    inner = [f"{hidden}/{one}" for hidden in _FOLDERS[name] for one in names[1:]]
    there += reversed(upward(call.cwd, "opencode.json", *names[1:], *inner))
    if own := call.environ.get(f"{name.upper()}_CONFIG_DIR"):
        there += [Path(own) / one for one in names[1:]]
    found: dict[str, Any] = {}
    for path in there:
        found = merged(found, jsonc(text(path)))
    for their, variable in (("anthropic", "ANTHROPIC_BASE_URL"), ("openai", "OPENAI_BASE_URL")):
        if url := call.environ.get(variable):
            found = merged({"provider": {their: {"options": {"baseURL": url}}}}, found)
    return found


def _data(call: Call) -> Path:
    return Path(call.environ.get("XDG_DATA_HOME") or call.home / ".local" / "share")
