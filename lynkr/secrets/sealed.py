"""Keys in a file that only a passphrase opens, for machines without a keyring.

The whole of it is one Fernet token (AES-128 in CBC mode with HMAC-SHA256, of the library `cryptography`) whose key is
made of the passphrase by scrypt; not even the names can be read. It is read and written whole, under a lock, and put in
place in one step, so that neither two sessions nor a power cut can lose a key.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lynkr.errors import ConfigError
from lynkr.paths import private_folder, write_private
from lynkr.secrets.key import Key

# 32 MiB of memory and some 80 ms, once a run (RFC 7914; OWASP's password storage cheat sheet, 2026).
_COST = {"n": 2**15, "r": 8, "p": 1}
_VERSION = 1


class Passphrase(Protocol):
    """Where the passphrase comes from; `twice` where it is a new one. Raises ConfigError."""

    def __call__(self, *, twice: bool) -> str: ...


class Sealed:
    """The keys in one file. The passphrase is asked for once."""

    def __init__(self, path: Path, passphrase: Passphrase, *, make: bool = False) -> None:
        self._path, self._passphrase, self._make = path, passphrase, make
        self._opened: tuple[bytes, Fernet] | None = None

    def get(self, name: str) -> Key | None:
        """The key called `name`. Raises ConfigError where the file cannot be opened."""
        found = self._read().get(name)
        return Key.read(found, f"{self._path} ({name})") if isinstance(found, str) else None

    def keep(self, name: str, key: Key) -> None:
        """Keeps a key. Raises ConfigError."""
        with self._locked():
            self._write({**self._read(), name: key.reveal()})

    def forget(self, name: str) -> bool:
        """Forgets a key; whether there was one."""
        with self._locked():
            entries = self._read()
            found = entries.pop(name, None) is not None
            if found:
                self._write(entries)
        return found

    def _read(self) -> dict[str, Any]:
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path} cannot be read: {error}") from error
        try:
            outer = json.loads(text)
            if outer["version"] != _VERSION:
                raise ConfigError(f"{self._path} was written by a later version of lynkr; upgrade this one")
            fernet = self._fernet(base64.b64decode(outer["salt"]), twice=False)
            entries = json.loads(fernet.decrypt(outer["sealed"].encode()))
        except InvalidToken:
            raise ConfigError(f"that passphrase does not open {self._path}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self._path} is damaged; move it away and store the keys again") from error
        assert isinstance(entries, dict)
        return entries

    def _write(self, entries: dict[str, Any]) -> None:
        salt = self._opened[0] if self._opened else os.urandom(16)
        sealed = self._fernet(salt, twice=self._make and not self._path.exists()).encrypt(json.dumps(entries).encode())
        outer = {"version": _VERSION, "salt": base64.b64encode(salt).decode(), "sealed": sealed.decode()}
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            write_private(beside, json.dumps(outer))
            beside.replace(self._path)
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}") from error

    def _fernet(self, salt: bytes, *, twice: bool) -> Fernet:
        if self._opened is None or self._opened[0] != salt:
            phrase = self._passphrase(twice=twice)
            key = Scrypt(salt=salt, length=32, **_COST).derive(phrase.encode())
            self._opened = salt, Fernet(base64.urlsafe_b64encode(key))
        return self._opened[1]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            private_folder(self._path.parent)
            with self._path.with_suffix(".lock").open("w") as lock:
                _lock(lock.fileno())
                yield
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}") from error


def _lock(fd: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two writers at once are not guarded against there
        return
    fcntl.flock(fd, fcntl.LOCK_EX)
