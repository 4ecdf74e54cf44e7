"""gemini-cli: one variable, and where its settings choose another way in, a home of the session's own.

Measured with 0.61.0. A base URL alone makes it choose a way in that it then refuses, unless its settings name one, and
the only handle on those is GEMINI_CLI_HOME. So that home mirrors the user's: the settings are a copy with the way in
changed, and all else beside them leads back to the user's own files. A Google login speaks a format of Google's own
behind another address and cannot pass; that is said, and it is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch
from lynkr.launch.tools.reading import dotenv, jsonc, merged, table, text, upward

SPEAKS = (Format.GEMINI,)
INSTALL = "npm install -g @google/gemini-cli"

_URL = "GOOGLE_GEMINI_BASE_URL"
_WITH_KEY = "gemini-api-key"
_OTHER_WAYS = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA")
# Each would choose another way in, another address, or send the key a second time.
_COMPETING = (
    "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA", "GOOGLE_VERTEX_BASE_URL",
    "GEMINI_API_KEY_AUTH_MECHANISM", "GOOGLE_GENAI_API_VERSION", "CODE_ASSIST_ENDPOINT",
)  # fmt: skip


def launch(call: Call) -> Launch:
    """The launch of gemini-cli."""
    home = Path(call.environ.get("GEMINI_CLI_HOME") or call.home)
    settings = jsonc(text(home / ".gemini" / "settings.json"))
    filled = _dotenv(call, home)
    chosen = _way_in(jsonc(text(call.cwd / ".gemini" / "settings.json"))) or _way_in(settings)
    if chosen is None and any(_is_on(call.environ.get(name) or filled.get(name)) for name in _OTHER_WAYS):
        chosen = "vertex-ai"
    own_key = call.has_own_key(Format.GEMINI)
    origin = (call.environ.get(_URL) or filled.get(_URL) or "").rstrip("/")
    origins = {"gemini": origin} if origin else {}
    if not own_key and chosen not in (None, _WITH_KEY):
        way = "a Google login" if chosen.startswith("oauth") else repr(chosen)
        return Launch(call.argv, notes=(f"gemini-cli is set to {way}, which cannot pass lynkr: it goes past it",))
    if not own_key and filled.get(_URL) and not call.environ.get(_URL) and _of_the_project(call, home):
        # gemini-cli heeds it only where the user trusts the folder.
        return Launch(call.argv, notes=("a .env file of this project names an address, so gemini-cli goes past lynkr",))
    set_: dict[str, str] = {_URL: call.url}
    if own_key:
        set_["GEMINI_API_KEY"] = PLACEHOLDER
    has_key = own_key or bool(call.environ.get("GEMINI_API_KEY") or filled.get("GEMINI_API_KEY"))
    files: dict[Path, str] = {}
    links: dict[Path, Path] = {}
    if chosen != _WITH_KEY and has_key:
        mirror = call.folder / "gemini"
        set_ |= {"GEMINI_CLI_HOME": str(mirror)}
        set_.setdefault("GEMINI_CLI_TRUSTED_FOLDERS_PATH", call.environ.get("GEMINI_CLI_TRUSTED_FOLDERS_PATH")
                        or str(home / ".gemini" / "trustedFolders.json"))  # fmt: skip
        files[mirror / ".gemini" / "settings.json"] = json.dumps(_with_key(settings), indent=1)
        links = _links(home / ".gemini", mirror / ".gemini")
    return Launch(call.argv, set_, _COMPETING if own_key else (), files, origins=origins, links=links)


def _way_in(settings: Mapping[str, Any]) -> str | None:
    """How the user's settings say that one gets in; None where they do not."""
    named = table(table(settings.get("security")).get("auth")).get("selectedType") or settings.get("selectedAuthType")
    return named if isinstance(named, str) else None


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("1", "true")


def _with_key(settings: Mapping[str, Any]) -> dict[str, Any]:
    changed = merged(settings, {"security": {"auth": {"selectedType": _WITH_KEY}}})
    changed["security"]["auth"].pop("enforcedType", None)
    changed.pop("selectedAuthType", None)
    return changed


def _dotenv(call: Call, home: Path) -> dict[str, str]:
    """The one .env file that gemini-cli reads; it fills what the environment leaves open."""
    there = upward(call.cwd, ".gemini/.env", ".env") or [home / ".gemini" / ".env", home / ".env"]
    found = next((path for path in there if path.is_file()), None)
    return dotenv(text(found)) if found else {}


def _of_the_project(call: Call, home: Path) -> bool:
    """Whether the .env file that counts is the project's and not the user's."""
    there = upward(call.cwd, ".gemini/.env", ".env")
    return bool(there) and there[0] not in (home / ".gemini" / ".env", home / ".env")


def _links(real: Path, mirror: Path) -> dict[Path, Path]:
    """Everything in the user's folder but the settings, to be found under the mirror."""
    if not real.is_dir():
        return {}
    return {mirror / path.name: path for path in real.iterdir() if path.name != "settings.json"}
