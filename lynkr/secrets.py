"""Keys: found once, before the tool starts, and never printed.

A `Key` shows itself only to `reveal`, which has one caller: the header of the request that needs it. Looking in the OS
keyring comes before the environment as soon as there are commands that put a key there; until then it is the
environment alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from lynkr.errors import ConfigError
from lynkr.lane import Auth, Lane
from lynkr.upstream.catalog import PROVIDERS

_UNMISTAKABLE = 16


class Key:
    """A credential that cannot be shown by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The key itself."""
        return self._text

    def is_in(self, text: str) -> bool:
        """Whether `text` holds the key. A word such as `ollama`, which local servers take for one, is in much else."""
        return len(self._text) >= _UNMISTAKABLE and self._text in text

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key cannot be stored")


def variables(lane: Lane) -> tuple[str, ...]:
    """The environment variables that may hold the key of `lane`, first hit wins."""
    return (lane.key_env,) if lane.key_env else PROVIDERS[lane.provider].key_env


def find(lane: Lane, environ: Mapping[str, str]) -> Key | None:
    """The key of `lane`; None where the credential is the client's. Raises ConfigError where there is none."""
    if lane.auth is not Auth.KEY:
        return None
    for name in variables(lane):
        if text := environ.get(name, "").strip():
            if not text.isascii() or not text.isprintable():
                raise ConfigError(f"the key in {name} (lane {lane.name!r}) has characters that no header can carry")
            return Key(text)
    names = " or ".join(variables(lane))
    keyring = f"; the keyring entry {lane.key!r} is not looked up by this version" if lane.key else ""
    raise ConfigError(
        f"lane {lane.name!r} needs a key: set {names} in the environment, or name another variable with "
        f'key_env in the profile, or say auth = "client" to use the tool\'s own credential{keyring}'
    )
