"""aider: an environment file of the session's own, the last that it reads.

Measured with 0.86.2. aider lets .env files beat the process environment, so a project's own would lead past us; of all
such files the one that AIDER_ENV_FILE names counts last. What the user named there, or with --env-file, goes into ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lynkr.errors import ConfigError
from lynkr.lane import Format, Lane
from lynkr.launch.launch import PLACEHOLDER, Call, Launch, dialect
from lynkr.launch.tools.reading import dotenv, text, upward, values, without

SPEAKS = (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI)
INSTALL = "pipx install aider-chat"

# variable → (what it adds to the proxy's URL, the provider whose base URL it is)
_URLS = {
    "OPENAI_API_BASE": ("/v1", "openai"),
    "OPENAI_BASE_URL": ("/v1", "openai"),
    "AIDER_OPENAI_API_BASE": ("/v1", "openai"),
    "ANTHROPIC_API_BASE": ("", "anthropic"),
    "ANTHROPIC_BASE_URL": ("", "anthropic"),
    "GEMINI_API_BASE": ("/v1beta", "gemini"),
}
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
# With one of these aider prefers a model of that provider's, and asks it for a list.
_COMPETING = ("OPENROUTER_API_KEY", "DEEPSEEK_API_KEY")
_FIXED = re.compile(r"\b((?:OPENAI|ANTHROPIC|GEMINI)_(?:API_BASE|BASE_URL))=")
_COMMENT = re.compile(r"(?:^|\s)#[^\n]*")
_OWN_BASE = re.compile(r"^\s*openai-api-base\s*:\s*(\S+)", re.MULTILINE)
_OWN_FLAG = re.compile(r"--openai-api-base[ =](\S+)")
# How aider names a model that it is to ask in a format.
_NAMED = {
    Format.ANTHROPIC: "anthropic/{model}",
    Format.OPENAI_RESPONSES: "openai/responses/{model}",
    Format.GEMINI: "gemini/{model}",
}


def launch(call: Call) -> Launch:
    """The launch of aider. Raises ConfigError."""
    arguments, named = without(call.argv[1:], "--env-file")
    given = named[-1] if named else call.environ.get("AIDER_ENV_FILE")
    theirs = text(call.cwd / Path(given).expanduser()) if given else ""
    found = {**call.environ, **_dotenvs(call), **dotenv(theirs), **_configured(call)}
    lane = call.own_lane(*SPEAKS)
    lines = {name: call.url + tail for name, (tail, _) in _URLS.items()}
    if lane is not None:
        lines |= dict.fromkeys(_KEYS, PLACEHOLDER) | _model(lane, arguments, found)
    path = call.folder / "aider.env"
    file = "\n".join([theirs.rstrip(), *(f"{name}={value}" for name, value in lines.items()), ""])
    return Launch(
        argv=(call.argv[0], *arguments),
        set={"AIDER_ENV_FILE": str(path)},
        unset=_COMPETING if lane is not None else (),
        files={path: file},
        origins=_origins(found),
        notes=_notes(call),
    )


def _model(lane: Lane, arguments: Sequence[str], found: Mapping[str, str]) -> dict[str, str]:
    """The model, unless the user names one."""
    if lane.model is None or found.get("AIDER_MODEL") or values(arguments, "--model"):
        return {}
    spoken = Format.OPENAI_CHAT if Format.OPENAI_CHAT in lane.formats else dialect(lane, _NAMED)
    name = _NAMED.get(spoken, "openai/{model}").format(model=lane.model)
    # It would offer a page on models that it does not know.
    return {"AIDER_MODEL": name, "AIDER_SHOW_MODEL_WARNINGS": "false"}


def _dotenvs(call: Call) -> dict[str, str]:
    """What the .env files say that aider reads by itself: home, the repository's root, here; the last counts."""
    roots = [path.parent for path in upward(call.cwd, ".git/HEAD")]
    found: dict[str, str] = {}
    for folder in (call.home, *(root.parent for root in roots[:1]), call.cwd):
        found |= dotenv(text(folder / ".env"))
    return found


def _configured(call: Call) -> dict[str, str]:
    """The address that a configuration file or a flag names. Raises ConfigError where one would beat ours."""
    said = "\n".join(text(folder / ".aider.conf.yml") for folder in (call.home, *reversed(call.cwd.parents), call.cwd))
    said = _COMMENT.sub("", said)
    flags = " ".join(call.argv[1:])
    given = values(call.argv, "--set-env")
    if fixed := _FIXED.search("\n".join([*given, *([said] if "set-env" in said else [])])):
        raise ConfigError(
            f"aider's set-env fixes {fixed[1]}, which leads past lynkr; set it in the environment instead"
        )
    named = [*_OWN_BASE.findall(said), *_OWN_FLAG.findall(flags)]
    return {"AIDER_OPENAI_API_BASE": named[-1].strip("\"'")} if named else {}


def _origins(found: Mapping[str, str]) -> dict[str, str]:
    """Where aider goes by itself: of several names for one provider's address, the one that counts comes last."""
    origins = {}
    for name in ("OPENAI_API_BASE", "AIDER_OPENAI_API_BASE", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL",
                 "ANTHROPIC_API_BASE", "GEMINI_API_BASE"):  # fmt: skip
        tail, provider = _URLS[name]
        if url := found.get(name, "").rstrip("/"):
            origins[provider] = url.removesuffix(tail) if provider == "gemini" else url
    return origins


def _notes(call: Call) -> tuple[str, ...]:
    places = [folder / ".aider.model.settings.yml" for folder in (call.home, call.cwd)]
    fixed = [str(path) for path in places if "api_base" in text(path)]
    return (f"{fixed[0]} fixes an address (api_base), which leads past lynkr",) if fixed else ()
