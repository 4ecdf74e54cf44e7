"""Cline's command line: a file of providers of the session's own. Measured with 3.0.65."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch
from lynkr.launch.tools.reading import jsonc, table, text

SPEAKS = (Format.OPENAI_CHAT, Format.ANTHROPIC)
INSTALL = "npm install -g cline"

_FILE = "CLINE_PROVIDER_SETTINGS_PATH"
# Its name of a provider → (ours, what its base URL ends in).
_KNOWN = {"anthropic": ("anthropic", "/v1"), "openai-native": ("openai", "/v1"), "openai-compatible": ("openai", "/v1")}


def launch(call: Call) -> Launch:
    """The launch of Cline."""
    usual = call.home / ".cline" / "data" / "settings" / "providers.json"
    theirs = jsonc(text(Path(call.environ.get(_FILE) or usual)))
    path = call.folder / "cline-providers.json"
    lane = call.lane(*SPEAKS)
    origins: dict[str, str] = {}
    if lane is None or not call.has_own_key(*SPEAKS):
        last = theirs.get("lastUsedProvider")
        if last not in _KNOWN:
            return Launch(call.argv, notes=("Cline's own login goes to its maker, past lynkr; name a lane with a key",))
        ours, tail = _KNOWN[last]
        entry = table(table(theirs.get("providers")).get(last))
        settings = table(entry.get("settings"))
        if base := str(settings.get("baseUrl") or "").rstrip("/"):
            origins[ours] = base.removesuffix("/v1") if ours == "anthropic" else base
        changed = {**entry, "settings": {**settings, "baseUrl": call.url + tail}}
        said: dict[str, Any] = {**theirs, "providers": {**table(theirs.get("providers")), last: changed}}
    else:
        settings = {
            "provider": "openai-compatible",
            "apiKey": PLACEHOLDER,
            "model": lane.model or "default",
            "baseUrl": f"{call.url}/v1",
        }
        # The day is a member that it wants, and that says nothing here.
        entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
        said = {"version": 1, "lastUsedProvider": "openai-compatible", "providers": {"openai-compatible": entry}}
    return Launch(call.argv, {_FILE: str(path)}, files={path: json.dumps(said, indent=1)}, origins=origins)
