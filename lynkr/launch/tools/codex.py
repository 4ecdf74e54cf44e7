"""Codex: `-c` flags only.

Two ways lead Codex to another address (measured with 0.169.0):
- its built-in provider with `openai_base_url`. Threads stay the user's own: `codex resume` finds those of earlier runs,
  with and without lynkr. It costs one WebSocket attempt a session, which the proxy turns down at once (426).
- a provider of our own. No such attempt, but threads belong to their provider: `resume --last` would silently begin a
  new one, and `resume ID` refuses.
So the built-in one it is, and for a provider of the user's own, that one with its address changed. Only someone without
any login, on a lane with a key, gets a provider of ours, because the built-in one would show a login screen.

Flags can be read by everybody (`ps`), so the secret is not in the address: the built-in provider sends the variable
OPENAI_PROJECT as a header, which carries the secret to the proxy, where the user's own value is put back.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lynkr.errors import ConfigError
from lynkr.lane import Format
from lynkr.launch.launch import PLACEHOLDER, Call, Launch
from lynkr.launch.tools import reading

SPEAKS = (Format.OPENAI_RESPONSES,)
INSTALL = "npm install -g @openai/codex"

BUILT_IN = "openai"
OURS = "lynkr"
# Header of the built-in provider → the variable that it is filled from.
_CARRIERS = {"OpenAI-Project": "OPENAI_PROJECT", "OpenAI-Organization": "OPENAI_ORGANIZATION"}
# The variable that holds the bare secret, which goes into that header.
_SECRET_VARIABLE = "LYNKR_SECRET"  # noqa: S105 - a variable's name
_OWN_HEADER = "x-lynkr-session"
_KEY_VARIABLE = "LYNKR_KEY"
# Built-in providers whose address cannot be changed.
_FIXED = ("oss", "ollama", "lmstudio", "amazon-bedrock")


def carriers(environ: Mapping[str, str]) -> tuple[tuple[str, str | None], ...]:
    """The headers that may hold the secret, each with what it holds without lynkr."""
    return (*((header, environ.get(variable)) for header, variable in _CARRIERS.items()), (_OWN_HEADER, None))


def launch(call: Call) -> Launch:
    """The launch of Codex. Raises ConfigError."""
    config = _Config.read(call)
    base = f"{call.bare_url}/v1"
    own_key = call.has_own_key(*SPEAKS)
    key = {"CODEX_API_KEY": PLACEHOLDER} if own_key and "exec" in config.arguments else {}
    if config.provider in _FIXED:
        raise ConfigError(
            f"Codex is set to its built-in provider {config.provider!r}, whose address cannot be changed; choose "
            f"another with: -c model_provider=openai"
        )
    if config.provider != BUILT_IN:
        at = f"model_providers.{config.provider}"
        # What stands in the user's file stays there: a flag can be read by everybody.
        flags: dict[str, Any] = {f"{at}.{name}": said for name, said in config.table.items()}
        headers = reading.table(flags.pop(f"{at}.env_http_headers", None))
        flags |= {f"{at}.base_url": base}
        flags |= {f"{at}.env_http_headers.{name}": said for name, said in headers.items()}
        flags |= {f"{at}.env_http_headers.{_OWN_HEADER}": _SECRET_VARIABLE}
        return _launch(call, config, flags, {_SECRET_VARIABLE: call.secret, **key}, (_OWN_HEADER, None))
    if own_key and not key and not config.logged_in:
        provider = {
            "name": OURS,
            "base_url": base,
            "wire_api": "responses",
            "env_key": _KEY_VARIABLE,
            "env_http_headers": {_OWN_HEADER: _SECRET_VARIABLE},
        }
        variables = {_SECRET_VARIABLE: call.secret, _KEY_VARIABLE: PLACEHOLDER}
        flags = {"model_provider": OURS, f"model_providers.{OURS}": provider}
        return _launch(call, config, flags, variables, (_OWN_HEADER, None))
    header, variable = config.carrier()
    flags = {"openai_base_url": base, "shell_environment_policy.exclude": [*config.excluded, variable]}
    return _launch(call, config, flags, {variable: call.secret, **key}, (header, call.environ.get(variable)))


def _launch(
    call: Call, config: _Config, flags: Mapping[str, Any], variables: Mapping[str, str], carrier: tuple[str, str | None]
) -> Launch:
    words = [word for name, value in flags.items() for word in ("-c", f"{name}={_toml(value)}")]
    origins = {"openai": config.origin.rstrip("/")} if config.origin else {}
    return Launch(argv=(call.argv[0], *words, *config.arguments), set=variables, carrier=carrier, origins=origins)


def _toml(value: object) -> str:
    """A value as TOML on one line; its strings and lists are JSON's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


class _Config(NamedTuple):
    """What the user's own configuration and arguments say.

    `arguments` are the user's without those that say where requests go; `table` is what such flags said of the
    provider, to be passed on with our address; `origin` is where requests go without us.
    """

    arguments: tuple[str, ...]
    provider: str
    table: dict[str, Any]
    origin: str | None
    excluded: tuple[str, ...]
    logged_in: bool
    dotenv: str

    @classmethod
    def read(cls, call: Call) -> _Config:
        home = Path(call.environ.get("CODEX_HOME") or call.home / ".codex")
        given, named = _words(call.argv[1:])
        config = _quietly(home / "config.toml")
        chosen = named or config.get("profile")
        if isinstance(chosen, str):
            profile = reading.table(reading.table(config.get("profiles")).get(chosen))
            config = {**config, **profile, **_quietly(home / f"{chosen}.config.toml")}
        flags: dict[str, Any] = {}
        for word in given:
            if word.setting:
                _put(config, word.setting.key, word.setting.value)
                _put(flags, word.setting.key, word.setting.value)
        provider = str(config.get("model_provider") or BUILT_IN)
        table = reading.table(reading.table(config.get("model_providers")).get(provider))
        url = config.get("openai_base_url") if provider == BUILT_IN else table.get("base_url")
        excluded = reading.table(config.get("shell_environment_policy")).get("exclude")
        # What says where requests go is ours to say; a flag after ours would undo it.
        ours = ("openai_base_url", f"model_providers.{provider}")
        kept = [w for w in given if not (w.setting and f"{w.setting.key}.".startswith(tuple(f"{o}." for o in ours)))]
        return cls(
            arguments=tuple(text for word in kept for text in word.texts),
            provider=provider,
            table=reading.table(reading.table(flags.get("model_providers")).get(provider)),
            origin=str(url) if url else None,
            excluded=tuple(str(name) for name in excluded) if isinstance(excluded, list) else (),
            logged_in=(home / "auth.json").is_file() or config.get("cli_auth_credentials_store") in ("keyring", "auto"),
            dotenv=reading.text(home / ".env"),
        )

    def carrier(self) -> tuple[str, str]:
        """The header and the variable that carry the secret: one that Codex's own .env file does not set."""
        for header, variable in _CARRIERS.items():
            if variable not in self.dotenv:
                return header, variable
        raise ConfigError(f"the file .env in Codex's home sets {' and '.join(_CARRIERS.values())}; lynkr needs one")


class _Setting(NamedTuple):
    """A `-c KEY=VALUE`."""

    key: str
    value: Any


class _Word(NamedTuple):
    """One of the user's arguments, with its value if it takes one."""

    texts: tuple[str, ...]
    setting: _Setting | None = None


def _words(arguments: tuple[str, ...]) -> tuple[list[_Word], str | None]:
    """(the user's arguments, the profile that they name); a flag's value may be attached or follow."""
    words, profile, given = list[_Word](), None, list(arguments)
    while given:
        text = given.pop(0)
        if text == "--":
            return [*words, _Word((text, *given))], profile
        name, value = _split(text)
        if name not in ("-c", "--config", "-p", "--profile"):
            words.append(_Word((text,)))
            continue
        texts: tuple[str, ...] = (text,)
        if value is None and given:
            value = given.pop(0)
            texts = (text, value)
        if name in ("-p", "--profile"):
            profile = value
        key, _, raw = (value or "").partition("=")
        words.append(_Word(texts, _Setting(key.strip(), _value(raw)) if name in ("-c", "--config") else None))
    return words, profile


def _split(text: str) -> tuple[str, str | None]:
    """A flag and the value attached to it: `--config=a=1`, `-ca=1`, `-c=a=1`."""
    if text.startswith("--"):
        name, mark, value = text.partition("=")
        return name, value if mark else None
    if text[:2] in ("-c", "-p") and len(text) > 2:
        return text[:2], text[2:].removeprefix("=")
    return text, None


def _value(text: str) -> Any:
    """What Codex makes of a value: TOML, or else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text.strip()


def _put(config: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    for name in path:
        config[name] = dict(reading.table(config.get(name)))
        config = config[name]
    config[last] = value


def _quietly(path: Path) -> dict[str, Any]:
    """A configuration file that is Codex's to complain about."""
    try:
        return tomllib.loads(reading.text(path))
    except (ValueError, RecursionError):
        return {}
