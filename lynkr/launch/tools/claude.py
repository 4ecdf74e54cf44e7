"""Claude Code: a settings file of the session's own, named before the user's arguments.

A settings file's `env` beats the process environment, so the variables must come in one to be sure to count; of two
`--settings` the last one wins whole, so the user's is merged into ours and taken out of the arguments. The file and not
the JSON itself is passed because it holds the session's secret. Measured with Claude Code 2.1.329.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lynkr.errors import ConfigError, UsageError
from lynkr.lane import Auth, Format, Lane
from lynkr.launch.launch import PLACEHOLDER, STATUS, Call, Launch
from lynkr.launch.tools.reading import table, text, without

SPEAKS = (Format.ANTHROPIC,)
INSTALL = "npm install -g @anthropic-ai/claude-code"

# Each sends the traffic to a cloud by itself, past any base URL.
_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY", "CLAUDE_CODE_USE_MANTLE")
# A socket and a host's own provider choice compete with the base URL.
_COMPETING = ("ANTHROPIC_UNIX_SOCKET", "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST")
_MANAGED = (
    Path("/etc/claude-code/managed-settings.json"),
    Path("/Library/Application Support/ClaudeCode/managed-settings.json"),
)
# What Claude Code uses for titles and the like where it talks to Anthropic itself; behind another base URL it would
# send them to the main model.
_SMALL_MODEL = "claude-haiku-5-5"
_LEAST_WINDOW = 100_000


def launch(call: Call) -> Launch:
    """The launch of Claude Code. Raises UsageError, ConfigError."""
    arguments, theirs = _take_settings(call)
    managed, found = _variables(call, theirs)
    lane = call.lane(Format.ANTHROPIC)
    own_key = call.has_own_key(Format.ANTHROPIC)
    if lane is not None and lane.auth is Auth.CLIENT and lane.base_url is None:
        _refuse_clouds(found)
    env = {
        "ANTHROPIC_BASE_URL": call.url,
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        **dict.fromkeys(_CLOUDS, "0"),
        **({"ANTHROPIC_AUTH_TOKEN": PLACEHOLDER} if own_key else {}),
    }
    settings = {**theirs, "env": {**table(theirs.get("env")), **env}}
    notes = list(_notes(managed))
    if lane is not None and not call.gives_verdicts(lane):
        settings["permissions"] = {**table(theirs.get("permissions")), "disableAutoMode": "disable"}
        notes.append(
            f"auto mode is off: the model of lane '{lane.name}' judges no risky calls, so Claude Code asks you instead"
        )
    if call.status_line:
        if any("statusLine" in settings for settings in (*_users(call), *map(_quietly, _MANAGED), theirs)):
            notes.append("Claude Code shows a status line of yours, so lynkr's is not shown; see lynkr top")
        else:
            settings["statusLine"] = {"type": "command", "command": f"cat {shlex.quote(str(call.folder / STATUS))}"}
    path = call.folder / "claude-settings.json"
    origin = found.get("ANTHROPIC_BASE_URL", "").rstrip("/")
    translated = lane is not None and Format.ANTHROPIC not in lane.formats
    at_home = not origin and (lane is None or lane.base_url is None or translated)
    # These give way to the user's own settings, so they go into the environment and not into the file.
    gentle = {
        "ENABLE_TOOL_SEARCH": "true",
        **({"ANTHROPIC_DEFAULT_HAIKU_MODEL": _SMALL_MODEL} if at_home else {}),
        **({"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"} if translated else {}),
        **({"CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(window)} if (window := _window(lane)) else {}),
    }
    return Launch(
        argv=(call.argv[0], "--settings", str(path), *arguments),
        set={**{name: value for name, value in gentle.items() if name not in found}, **env},
        unset=(*_COMPETING, *(("ANTHROPIC_API_KEY",) if own_key else ())),
        files={path: json.dumps(settings, indent=1)},
        origins={"anthropic": origin} if origin else {},
        notes=tuple(notes),
    )


def _window(lane: Lane | None) -> int | None:
    """Where Claude Code is to begin to compact, where the profile says how much fits. Less than the least it takes is
    of no use: then the lane's error makes it compact."""
    return lane.context if lane is not None and (lane.context or 0) >= _LEAST_WINDOW else None


def _take_settings(call: Call) -> tuple[list[str], dict[str, Any]]:
    """The user's arguments without `--settings`, and what that held."""
    arguments, given = without(call.argv[1:], "--settings")
    theirs = [_read_settings(call, one) for one in given]
    return arguments, theirs[-1] if theirs else {}


def _read_settings(call: Call, text: str) -> dict[str, Any]:
    # Only a path is named in an error: the JSON itself may hold a key.
    inline = text.lstrip().startswith("{")
    what = "the JSON after claude's --settings" if inline else f"claude's --settings {text}"
    try:
        value = json.loads(text if inline else (call.cwd / Path(text).expanduser()).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{what} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{what} must be an object")
    return value


def _variables(call: Call, theirs: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """(the variables of managed settings, all variables as Claude Code would see them without us)."""
    managed = {name: value for path in _MANAGED for name, value in _env(_quietly(path)).items()}
    found = dict(call.environ)
    for settings in (*_users(call), theirs):
        found |= _env(settings)
    return managed, found | managed


def _users(call: Call) -> Iterator[dict[str, Any]]:
    """The settings of the user and of the project."""
    folder = Path(call.environ.get("CLAUDE_CONFIG_DIR") or call.home / ".claude")
    project = call.cwd / ".claude"
    yield from map(_quietly, (folder / "settings.json", project / "settings.json", project / "settings.local.json"))


def _quietly(path: Path) -> dict[str, Any]:
    try:
        return table(json.loads(text(path)))
    except ValueError:
        return {}


def _env(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in table(settings.get("env")).items()}


def _refuse_clouds(found: Mapping[str, str]) -> None:
    for name in _CLOUDS:
        if found.get(name, "").lower() in ("1", "true", "yes", "on"):
            cloud = name.rpartition("_")[2].capitalize()
            raise ConfigError(
                f"Claude Code is set to use {cloud} ({name}), which signs its requests for {cloud} itself; "
                f"a lane that uses the tool's own credential cannot carry them. Unset {name}, or name a lane with a key"
            )


def _notes(managed: Mapping[str, str]) -> tuple[str, ...]:
    fixed = [name for name in ("ANTHROPIC_BASE_URL", *_CLOUDS) if managed.get(name)]
    if not fixed:
        return ()
    return (f"managed settings of this machine fix {', '.join(fixed)}; Claude Code may not come through lynkr",)
