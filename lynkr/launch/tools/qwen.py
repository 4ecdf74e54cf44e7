"""Qwen Code: a system settings file of the session's own, which beats the user's and leaves the rest of it in force.

Measured with 0.24.4. Its `modelProviders` have base URLs of their own that no variable changes; of that list the system
file's counts whole, so the user's is copied and its addresses are changed. Qwen Code writes into the file, so it is
ours alone. `$LYNKR_URL` in it is put in by Qwen Code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lynkr.lane import Format, Lane
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect
from lynkr.launch.tools.reading import dotenv, jsonc, merged, table, text, upward, values

SPEAKS = (Format.OPENAI_CHAT, Format.ANTHROPIC, Format.GEMINI, Format.OPENAI_RESPONSES)
INSTALL = "npm install -g @qwen-code/qwen-code"

_SYSTEM = "QWEN_CODE_SYSTEM_SETTINGS_PATH"
_DEFAULTS = "QWEN_CODE_SYSTEM_DEFAULTS_PATH"
_USUAL = (Path("/etc/qwen-code/settings.json"), Path("/Library/Application Support/QwenCode/settings.json"))
_KEY = "LYNKR_KEY"
# Its name of a protocol → (format, our provider, the variables of base URL (and what that ends in), key and model).
_PROTOCOLS = {
    "openai": (Format.OPENAI_CHAT, "openai", "OPENAI_BASE_URL", "/v1", "OPENAI_API_KEY", "OPENAI_MODEL"),
    "openai-responses": (Format.OPENAI_RESPONSES, "openai", "OPENAI_BASE_URL", "/v1", "OPENAI_API_KEY", "OPENAI_MODEL"),
    "anthropic": (Format.ANTHROPIC, "anthropic", "ANTHROPIC_BASE_URL", "", "ANTHROPIC_API_KEY", "ANTHROPIC_MODEL"),
    "gemini": (Format.GEMINI, "gemini", "GOOGLE_GEMINI_BASE_URL", "", "GEMINI_API_KEY", "GEMINI_MODEL"),
}
_COMPETING = ("OPENAI_MODEL", "QWEN_MODEL", "ANTHROPIC_MODEL", "GEMINI_MODEL", "GOOGLE_MODEL", "QWEN_OAUTH",
              "GOOGLE_GENAI_USE_VERTEXAI", "DASHSCOPE_PROXY_BASE_URL")  # fmt: skip


def launch(call: Call) -> Launch:
    """The launch of Qwen Code."""
    system = jsonc(text(_system_file(call)))
    if (lane := call.own_lane(*SPEAKS)) is not None:
        return _for_lane(call, lane, system)
    return _directed(call, system)


def _directed(call: Call, system: dict[str, Any]) -> Launch:
    """With the address of the user's own provider changed, where it is certain: else their key would go to another."""
    home = Path(call.environ.get("QWEN_HOME") or call.home / ".qwen")
    theirs = merged(jsonc(text(home / "settings.json")), jsonc(text(call.cwd / ".qwen" / "settings.json")))
    theirs = merged(theirs, system)
    said = {name: str(value) for name, value in table(theirs.get("env")).items()}
    found = {**said, **_dotenvs(call, home), **call.environ}
    past = Launch(call.argv, notes=("where Qwen Code's own key goes is not certain, so it goes past lynkr",))
    if _fixed_here(call):
        return past
    protocol = _chosen(call, theirs, found)
    if protocol is None:
        return past
    _, provider, variable, tail, _, model_variable = _PROTOCOLS[protocol]
    entries = table(theirs.get("modelProviders")).get(protocol)
    model = (
        next(iter(values(call.argv, "-m", "--model")), None)
        or table(theirs.get("model")).get("name")
        or found.get(model_variable)
    )
    entry = _entry(entries, model)
    if isinstance(entries, list) and entries and not entry:
        return past
    kept = table(table(theirs.get("security")).get("auth")).get("baseUrl")
    base = str(entry.get("baseUrl") or found.get(variable) or kept or "").rstrip("/")
    if (not base and protocol != "gemini") or "$" in base:
        return past
    if protocol == "anthropic" and "anthropic.com" in base:
        # To any other address than Anthropic's it sends the key as a bearer token, which Anthropic refuses.
        return past
    origins = {provider: base} if base else {}
    if not entry:
        return Launch(call.argv, {variable: call.url + tail}, origins=origins)
    changed = [
        {**one, "baseUrl": f"$LYNKR_URL{tail}"} if table(one).get("baseUrl") == entry.get("baseUrl") else one
        for one in entries or []
    ]
    lists = {**table(theirs.get("modelProviders")), protocol: changed}
    path = call.folder / "qwen-settings.json"
    file = json.dumps({"$version": 4, **system, "modelProviders": lists}, indent=1)
    return Launch(call.argv, {_SYSTEM: str(path), **_beside(call)}, files={path: file}, origins=origins)


def _for_lane(call: Call, lane: Lane, system: Mapping[str, Any]) -> Launch:
    speaking = {said: name for name, (said, *_) in _PROTOCOLS.items()}
    protocol = speaking[dialect(lane, speaking)]
    _, _, variable, tail, key, _ = _PROTOCOLS[protocol]
    model = lane.model or "default"
    size = {"generationConfig": {"contextWindowSize": lane.context}} if lane.context else {}
    entry = {"id": model, "name": model, "baseUrl": f"$LYNKR_URL{tail}", "envKey": _KEY, **size}
    ours = {"$version": 4, "security": {"auth": {"selectedType": protocol}}, "model": {"name": model},
            "modelProviders": {protocol: [entry]}}  # fmt: skip
    path = call.folder / "qwen-settings.json"
    # The variables are for a model that the user names on the command line.
    set_ = {_SYSTEM: str(path), **_beside(call), _KEY: PLACEHOLDER, variable: call.url + tail, key: PLACEHOLDER}
    return Launch(call.argv, set_, _COMPETING, {path: json.dumps(merged(system, ours), indent=1)})


def _system_file(call: Call) -> Path:
    named = call.environ.get(_SYSTEM)
    return Path(named) if named else next((path for path in _USUAL if path.is_file()), _USUAL[0])


def _beside(call: Call) -> dict[str, str]:
    """Its defaults, which it looks for beside the settings that we move."""
    path = _system_file(call).with_name("system-defaults.json")
    return {_DEFAULTS: str(path)} if path.is_file() and _DEFAULTS not in call.environ else {}


def _chosen(call: Call, theirs: Mapping[str, Any], found: Mapping[str, str]) -> str | None:
    """The protocol that it will speak, as it decides that itself; None for one that cannot be led."""
    if named := values(call.argv, "--auth-type"):
        return named[0] if named[0] in _PROTOCOLS else None
    selected = table(table(theirs.get("security")).get("auth")).get("selectedType")
    if isinstance(selected, str):
        return selected if selected in _PROTOCOLS else None
    for name, (_, _, _, _, key, model) in _PROTOCOLS.items():
        if found.get(key) and (found.get(model) or name == "gemini"):
            return name
    return "openai"


def _fixed_here(call: Call) -> bool:
    """Whether the project names an address. Qwen Code heeds that only where the user trusts the folder."""
    there = [call.cwd / ".qwen" / "settings.json", *upward(call.cwd, ".qwen/.env", ".env")]
    own = (call.home / ".env", call.home / ".qwen" / ".env", call.home / ".qwen" / "settings.json")
    return any(word in text(path) for path in there if path not in own for word in ("BASE_URL", "baseUrl"))


def _entry(entries: object, model: object) -> dict[str, Any]:
    """The entry of a list of models that is used: the one that is named, or where none is, the first."""
    listed = [table(entry) for entry in entries] if isinstance(entries, list) else []
    first = listed[0] if listed and not model else {}
    return next((entry for entry in listed if entry.get("id") == model), first)


def _dotenvs(call: Call, home: Path) -> dict[str, str]:
    """What the .env files say: those of the user, and the nearest of the project."""
    found: dict[str, str] = {}
    for path in (call.home / ".env", home / ".env", *upward(call.cwd, ".qwen/.env", ".env")[:1]):
        found |= dotenv(text(path))
    return found
