"""Cline's command line: a file of providers of the session's own, and no hub.

Measured with 3.0.65. Cline starts a daemon that keeps the first session's environment for all that come later: their
keys would go to the first one's address, and after our session a plain `cline` would talk to a port that is gone. Where
the file that tells of that hub cannot exist, it does without. Logins that renew themselves stay where they are: renewed
in a copy, they would be lost to the user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lynkr.errors import UsageError
from lynkr.lane import Format, Lane
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect
from lynkr.launch.tools.reading import jsonc, table, text, values

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI)
INSTALL = "npm install -g cline"

_FILE = "CLINE_PROVIDER_SETTINGS_PATH"
# Its name of a provider → (format, our provider, what its base URL ends in).
_KNOWN = {
    "anthropic": (Format.ANTHROPIC, "anthropic", "/v1"),
    "openai-native": (Format.OPENAI_RESPONSES, "openai", "/v1"),
    "openai-compatible": (Format.OPENAI_CHAT, "openai", "/v1"),
    "gemini": (Format.GEMINI, "gemini", ""),
}
_COMPETING = ("CLINE_PROVIDER", "CLINE_MODEL", "CLINE_API_KEY", "CLINE_SANDBOX")
# A day is a member that it wants, and that says nothing here.
_ENTRY = {"updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}


def launch(call: Call) -> Launch:
    """The launch of Cline. Raises UsageError."""
    if values(call.argv, "--data-dir"):
        raise UsageError("cline's --data-dir leads past lynkr's settings; set CLINE_DATA_DIR to that folder instead")
    path = call.folder / "cline-providers.json"
    # Below a file there can be none, so nothing is found there and nothing is left behind.
    alone = {"CLINE_HUB_DISCOVERY_PATH": str(path / "hub"), "CLINE_SESSION_BACKEND_MODE": "local"}
    if (lane := call.own_lane(*SPEAKS)) is not None:
        file = json.dumps(_for_lane(call, lane), indent=1)
        return Launch(call.argv, {_FILE: str(path), **alone}, _COMPETING, {path: file})
    theirs = jsonc(text(_theirs(call)))
    named = values(call.argv, "-P", "--provider")
    used = named[-1] if named else theirs.get("lastUsedProvider")
    entry = table(table(theirs.get("providers")).get(str(used)))
    if used not in _KNOWN or table(entry.get("settings")).get("auth"):
        note = f"Cline's provider {used or 'cline'!r} goes to its maker, past lynkr; name a lane with a key"
        return Launch(call.argv, alone, files={path: "{}"}, notes=(note,))
    return _directed(call, theirs, str(used), entry, {_FILE: str(path), **alone}, path)


def _directed(
    call: Call, theirs: Mapping[str, Any], used: str, entry: Mapping[str, Any], set_: dict[str, str], path: Path
) -> Launch:
    """With the address of the user's own provider changed."""
    _, ours, tail = _KNOWN[used]
    settings = table(entry.get("settings"))
    base = str(settings.get("baseUrl") or "").rstrip("/")
    origins = {ours: base if ours == "openai" else base.removesuffix("/v1").removesuffix("/v1beta")} if base else {}
    changed = {**_ENTRY, **entry, "settings": {"provider": used, **settings, "baseUrl": call.url + tail}}
    said = {"version": 1, **theirs, "providers": {**table(theirs.get("providers")), used: changed}}
    return Launch(call.argv, set_, files={path: json.dumps(said, indent=1)}, origins=origins)


def _for_lane(call: Call, lane: Lane) -> dict[str, Any]:
    speaking = {spoken: name for name, (spoken, _, _) in _KNOWN.items()}
    last = speaking[dialect(lane, speaking)]
    providers = {}
    for name, (_, _, tail) in _KNOWN.items():
        settings = {
            "provider": name,
            "apiKey": PLACEHOLDER,
            "baseUrl": call.url + tail,
            "model": lane.model or "default",
        }
        providers[name] = {"settings": settings, **_ENTRY}
    return {"version": 1, "lastUsedProvider": last, "providers": providers}


def _theirs(call: Call) -> Path:
    """The user's own file of providers."""
    if named := call.environ.get(_FILE):
        return Path(named)
    home = Path(call.environ.get("CLINE_DIR") or call.home / ".cline")
    return Path(call.environ.get("CLINE_DATA_DIR") or home / "data") / "settings" / "providers.json"
