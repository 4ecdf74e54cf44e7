"""Keys in a file that only a passphrase opens, for machines without a keyring.

Each key is sealed by itself with AES-256-GCM, bound to its name; the sealing key is made of the passphrase by scrypt.
Names can be read without it, so that nobody is asked for a passphrase where the file has nothing for them. The file is
written under a lock and put in place in one step: neither two sessions nor a power cut lose a key.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from lynkr.errors import ConfigError
from lynkr.paths import private_folder, replace_private
from lynkr.secrets.key import Key

# 64 MiB of memory and a third of a second, once a run (RFC 7914; OWASP's password storage cheat sheet, 2026).
_N, _R, _P = 2**16, 8, 2
_VERSION = 1
# Sealed like a key, under a name that none can have: whether a passphrase is the right one.
_CHECK = " check"


class Passphrase(Protocol):
    """Where the passphrase comes from; `new` where it is to be chosen. Raises ConfigError."""

    def __call__(self, *, new: bool) -> str: ...


class Sealed:
    """The keys in one file. The passphrase is asked for at most once."""

    def __init__(self, path: Path, passphrase: Passphrase) -> None:
        self._path, self._passphrase = path, passphrase
        self._opened: tuple[bytes, bytes] | None = None

    def names(self) -> set[str]:
        """The names of the keys in it. Raises ConfigError where it cannot be read."""
        return set(self._read()["keys"]) - {_CHECK}

    def get(self, name: str) -> Key | None:
        """The key called `name`. Raises ConfigError where the file cannot be opened."""
        outer = self._read()
        if name not in outer["keys"]:
            return None
        return Key.read(self._unsealed(outer, name), f"{self._path} ({name})")

    def keep(self, name: str, key: Key) -> None:
        """Keeps a key. Raises ConfigError."""
        with self._changing():
            outer = self._read()
            if _CHECK in outer["keys"]:
                self._unsealed(outer, _CHECK)
            else:
                outer["keys"][_CHECK] = self._sealed(outer, _CHECK, _CHECK, new=True)
            outer["keys"][name] = self._sealed(outer, name, key.reveal())
            self._write(outer)

    def forget(self, name: str) -> bool:
        """Forgets a key; whether there was one. It takes no passphrase: whoever can write the file can do that."""
        with self._changing():
            outer = self._read()
            found = outer["keys"].pop(name, None) is not None
            if found:
                self._write(outer)
        return found

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with locked(self._path):
                yield
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}") from error

    def _read(self) -> dict[str, Any]:
        try:
            outer = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {"version": _VERSION, "salt": base64.b64encode(os.urandom(16)).decode(), "keys": {}}
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be read: {error.strerror}") from error
        except ValueError:
            outer = None
        if not isinstance(outer, dict) or not isinstance(outer.get("keys"), dict) or not _salt(outer):
            raise ConfigError(f"{self._path} is damaged; move it away and store the keys again")
        if outer.get("version") != _VERSION:
            raise ConfigError(f"{self._path} was written by another version of lynkr; upgrade this one")
        return outer

    def _write(self, outer: dict[str, Any]) -> None:
        try:
            replace_private(self._path, json.dumps(outer, indent=1), sync=True)
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}") from error

    def _sealed(self, outer: dict[str, Any], name: str, text: str, *, new: bool = False) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        sealed = AESGCM(self._key(outer, new=new)).encrypt(nonce, text.encode(), name.encode())
        return base64.b64encode(nonce + sealed).decode()

    def _unsealed(self, outer: dict[str, Any], name: str) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            sealed = base64.b64decode(outer["keys"][name])
            return AESGCM(self._key(outer)).decrypt(sealed[:12], sealed[12:], name.encode()).decode()
        except InvalidTag:
            self._opened = None
            raise ConfigError(f"that passphrase does not open {self._path}") from None
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self._path} is damaged; move it away and store the keys again") from error

    def _key(self, outer: dict[str, Any], *, new: bool = False) -> bytes:
        salt = _salt(outer)
        if self._opened is None or self._opened[0] != salt:
            phrase = self._passphrase(new=new).encode()
            import hashlib  # OpenSSL with it; most never come here

            key = hashlib.scrypt(phrase, salt=salt, n=_N, r=_R, p=_P, maxmem=256 * 1024 * 1024, dklen=32)
            self._opened = salt, key
        return self._opened[1]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes of lynkr's from changing `path` meanwhile. Raises OSError."""
    private_folder(path.parent)
    with os.fdopen(os.open(path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        _lock(lock.fileno())
        yield


def _salt(outer: dict[str, Any]) -> bytes:
    """The salt; empty where there is none that can be read."""
    try:
        return base64.b64decode(str(outer.get("salt", "")), validate=True)
    except ValueError:
        return b""


def _lock(fd: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two writers at once are not guarded against there
        return
    fcntl.flock(fd, fcntl.LOCK_EX)
