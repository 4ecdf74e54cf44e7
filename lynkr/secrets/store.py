"""Where keys are kept: the OS keyring, and where there is none, a file that is encrypted with a passphrase.

The keyring is the one that the `keyring` library finds, so the user's own choice of it counts (PYTHON_KEYRING_BACKEND,
keyringrc.cfg). Entries are of the service `lynkr`, by the name that a lane's `key` has. No keyring can be listed, so
the names (never the keys) are also kept in a file of ours. A plain-text file is never written, and one that a keyring
library offers is not used.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lynkr.errors import ConfigError
from lynkr.paths import Paths, replace_private
from lynkr.secrets.key import Key

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from lynkr.secrets.sealed import Sealed

SERVICE = "lynkr"
# Opens the encrypted file where nobody can be asked. The tool does not get it.
PASSPHRASE = "LYNKR_PASSPHRASE"  # noqa: S105 - a variable's name
_RING = "the keyring"
# A keyring may ask the user to unlock it, in a window that nobody sees (over ssh), and then never answers.
WAIT_S = 30.0
_SLOW_S = 2.0
# Backends of `keyring` and its companions that keep nothing, or keep it readable.
_NOT_THESE = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.file.Plaintext", "keyrings.alt.file_base")
T = TypeVar("T")


class Store:
    """The keys of one user. `problem` is why the keyring could not be used."""

    def __init__(
        self,
        where: Paths,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        ask: Callable[[str], str] | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        """`say` tells the user that something takes its time, `ask` asks for a passphrase; None where nobody can be
        asked."""
        self._where, self._environ, self._say, self._ask, self._wait_s = where, environ, say, ask, wait_s
        self._ring: KeyringBackend | None = None
        self._looked = False
        self._file: Sealed | None = None
        self.problem = ""

    @property
    def _file_name(self) -> str:
        return f"the encrypted file {self.path}"

    @property
    def path(self) -> Path:
        """The encrypted file."""
        return self._where.data / "keys.enc"

    @property
    def index(self) -> Path:
        """The file with the names of the entries."""
        return self._where.data / "keys.json"

    def ring(self) -> KeyringBackend | None:
        """The OS keyring; None where there is none that can be used, and `problem` then says why."""
        if not self._looked:
            self._looked = True
            try:
                self._ring = self._in_time(_find_ring, "look for the keyring")
            except ConfigError as error:
                self.problem = error.sentence
            if self._ring is None and not self.problem:
                self.problem = "this machine has no keyring that can be used"
        return self._ring

    def get(self, name: str) -> tuple[Key, str] | None:
        """The key called `name` and, in words, where it was; None where there is none.

        A keyring that fails is a `problem`, no reason to stop.
        """
        text = self._rung(name)
        if text and (key := Key.read(text, f"the keyring entry {name!r}")):
            return key, _RING
        key = self.file().get(name) if self.path.exists() else None
        return (key, self._file_name) if key else None

    def place(self, name: str) -> str | None:
        """Where the key called `name` is, in words, without opening anything; None where it is not."""
        if self._rung(name):
            return _RING
        return self._file_name if self.path.exists() and name in self.file().names() else None

    def keep(self, name: str, key: Key, *, to_file: bool = False) -> str:
        """Keeps a key; where, in words. Raises ConfigError where it cannot be kept."""
        ring = None if to_file else self.ring()
        if ring is not None:
            self._ring_it(ring, name, key)
        elif to_file or self.path.exists():
            self.file().keep(name, key)
        else:
            raise ConfigError(self.no_ring(name))
        self._note(name, there=True)
        return self._file_name if ring is None else _RING

    def forget(self, name: str) -> bool:
        """Forgets a key; whether there was one. Raises ConfigError."""
        found = self.path.exists() and self.file().forget(name)
        ring = self.ring()
        try:
            if ring is not None and self._in_time(lambda: ring.get_password(SERVICE, name), "read the keyring"):
                self._in_time(lambda: ring.delete_password(SERVICE, name), "write to the keyring")
                found = True
        except ConfigError:
            # A keyring that is locked is no reason to keep what is in the file.
            if not found:
                raise
        if found or name in self.names():
            self._note(name, there=False)
        return found

    def readable(self) -> bool:
        """Whether the keyring can be read now; `problem` says why it cannot."""
        self._rung("lynkr")
        return not self.problem

    def _rung(self, name: str) -> str | None:
        """What the keyring holds under `name`."""
        ring = self.ring()
        if ring is None:
            return None
        try:
            return self._in_time(lambda: ring.get_password(SERVICE, name), "read the keyring")
        except ConfigError as error:
            self.problem = error.sentence
            return None

    def _ring_it(self, ring: KeyringBackend, name: str, key: Key) -> None:
        try:
            self._in_time(lambda: ring.set_password(SERVICE, name, key.reveal()), "write to the keyring", key)
            # Some backends take everything and keep nothing.
            kept = self._in_time(lambda: ring.get_password(SERVICE, name), "read the keyring", key) == key.reveal()
        except ConfigError as error:
            self.problem = error.sentence
            raise ConfigError(self.no_ring(name)) from error
        if not kept:
            raise ConfigError(f"the keyring ({type(ring).__name__}) did not keep the key; nothing was stored")

    def names(self) -> set[str]:
        """The names of the keys that lynkr has stored."""
        return self._listed() | (self.file().names() if self.path.exists() else set())

    def file(self) -> Sealed:
        """The encrypted file."""
        if self._file is None:
            from lynkr.secrets.sealed import Sealed  # most have a keyring, or no key at all

            self._file = Sealed(self.path, self._passphrase)
        return self._file

    def no_ring(self, name: str) -> str:
        """What to do where there is no keyring, or it is locked."""
        return (
            f"the key cannot be kept: {self.problem}. Ways out: `lynkr key set {name} --file` keeps it in a file that "
            f"is encrypted with a passphrase of yours; a variable in your environment needs no storing; or "
            f"{'unlock the keyring' if self._ring else 'install and unlock a keyring (GNOME Keyring, KWallet)'} and "
            f"try again"
        )

    def _passphrase(self, *, new: bool) -> str:
        if phrase := self._environ.get(PASSPHRASE):
            return phrase
        if self._ask is None:
            raise ConfigError(
                f"{self.path} is locked, and there is no terminal to ask for its passphrase; set {PASSPHRASE}"
            )
        phrase = self._ask("a new passphrase for lynkr's keys" if new else "the passphrase of lynkr's keys")
        if new and phrase != self._ask("the same once more"):
            raise ConfigError("the two passphrases differ; nothing was stored")
        if not phrase:
            raise ConfigError("an empty passphrase protects nothing; nothing was stored")
        return phrase

    def _note(self, name: str, *, there: bool) -> None:
        """Writes down whether there is a key of that name."""
        try:
            from lynkr.secrets.sealed import locked

            with locked(self.index):
                names = self._listed() | {name} if there else self._listed() - {name}
                replace_private(self.index, json.dumps(sorted(names)))
        except OSError as error:
            raise ConfigError(f"{self.index} cannot be written: {error.strerror}") from error

    def _listed(self) -> set[str]:
        try:
            value = json.loads(self.index.read_text("utf-8"))
        except (OSError, ValueError):
            return set()
        return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()

    def _in_time(self, work: Callable[[], T], what: str, key: Key | None = None) -> T:
        """Does `work`, which may hold `key`, in a thread that can be left behind.

        Raises ConfigError: it failed, or takes for ever.
        """
        result: list[Any] = []
        problem: list[Exception] = []

        def run() -> None:
            try:
                result.append(work())
            except Exception as error:  # noqa: BLE001 - raised below; backends raise what they like
                problem.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(min(_SLOW_S, self._wait_s))
        if thread.is_alive():
            self._say(f"waiting for the keyring; if it shows a window, unlock it there (at most {self._wait_s:g} s)")
            thread.join(max(0.0, self._wait_s - _SLOW_S))
        if thread.is_alive():
            self._ring = None  # nor will it answer what is asked next
            raise ConfigError(f"the keyring did not answer within {self._wait_s:g} s; is it locked?")
        if problem:
            words = " ".join(str(problem[0]).split()) or type(problem[0]).__name__
            words = key.hidden_in(words) if key else words
            raise ConfigError(f"it was not possible to {what} ({words[:200]})")
        return result[0]  # type: ignore[no-any-return]


def _find_ring() -> KeyringBackend | None:
    import keyring.backends.chainer  # 60 ms, and only lanes with a key need it
    import keyring.core

    # Some backends warn or print when they are looked at; that is not for a coding tool's terminal.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        # One that is picked by itself must be one that protects; who names another has chosen it.
        keyring.core.init_backend(keyring.core.recommended)
        found = keyring.get_keyring()
    if isinstance(found, keyring.backends.chainer.ChainerBackend):
        usable = [ring for ring in found.backends if _usable(ring)]
        return usable[0] if usable else None
    return found if _usable(found) else None


def _usable(ring: KeyringBackend) -> bool:
    kind = type(ring)
    return not f"{kind.__module__}.{kind.__qualname__}".startswith(_NOT_THESE)
