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
from lynkr.paths import Paths, private_folder, write_private
from lynkr.secrets.key import Key
from lynkr.secrets.sealed import Sealed

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "lynkr"
# Opens the encrypted file where nobody can be asked. The tool does not get it.
PASSPHRASE = "LYNKR_PASSPHRASE"  # noqa: S105 - a variable's name
# A keyring may ask the user to unlock it, in a window that nobody sees (over ssh), and then never answers.
WAIT_S = 30.0
_SLOW_S = 2.0
# Backends of `keyring` and its companions that keep nothing, or keep it readable.
_NOT_THESE = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.file.Plaintext", "keyrings.alt.file_base")
T = TypeVar("T")


class Store:
    """The keys of one user. `name` is where they are, in words, and `problem` why that is not where they should be."""

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
    def name(self) -> str:
        """Where keys are, in words."""
        return "the keyring" if self.ring() else f"the encrypted file {self.path}"

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

    def get(self, name: str) -> Key | None:
        """The key called `name`, None where there is none. A keyring that fails is a `problem`, no reason to stop."""
        ring = self.ring()
        if ring is not None:
            try:
                text = self._in_time(lambda: ring.get_password(SERVICE, name), "read the keyring")
            except ConfigError as error:
                self.problem = error.sentence
                text = None
            if text and (key := Key.read(text, f"the keyring entry {name!r}")):
                return key
        return self.file().get(name) if self.path.exists() else None

    def keep(self, name: str, key: Key, *, to_file: bool = False) -> None:
        """Keeps a key. Raises ConfigError where it cannot be kept."""
        ring = None if to_file else self.ring()
        if ring is not None:
            self._in_time(lambda: ring.set_password(SERVICE, name, key.reveal()), "write to the keyring")
            # Some backends take everything and keep nothing.
            if self._in_time(lambda: ring.get_password(SERVICE, name), "read the keyring") != key.reveal():
                raise ConfigError(f"the keyring ({type(ring).__name__}) did not keep the key; nothing was stored")
        elif to_file or self.path.exists():
            self.file().keep(name, key)
        else:
            raise ConfigError(self.no_ring(name))
        self._note({*self.names(), name})

    def forget(self, name: str) -> bool:
        """Forgets a key; whether there was one."""
        found, ring = False, self.ring()
        if ring is not None and self._in_time(lambda: ring.get_password(SERVICE, name), "read the keyring") is not None:
            self._in_time(lambda: ring.delete_password(SERVICE, name), "write to the keyring")
            found = True
        if self.path.exists():
            found = self.file().forget(name) or found
        self._note(self.names() - {name})
        return found

    def names(self) -> set[str]:
        """The names of the keys that lynkr has stored."""
        try:
            value = json.loads(self.index.read_text("utf-8"))
        except (OSError, ValueError):
            value = []
        listed = {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()
        return listed | (self.file().names() if self.path.exists() else set())

    def file(self) -> Sealed:
        """The encrypted file."""
        if self._file is None:
            self._file = Sealed(self.path, self._passphrase)
        return self._file

    def no_ring(self, name: str) -> str:
        """What to do where there is no keyring."""
        return (
            f"the key cannot be kept: {self.problem}. Three ways out: `lynkr key set {name} --file` keeps it in a file "
            f"that is encrypted with a passphrase of yours; a variable in your environment needs no storing; "
            f"or install and unlock a keyring (GNOME Keyring, KWallet) and try again"
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

    def _note(self, names: set[str]) -> None:
        try:
            private_folder(self.index.parent)
            write_private(self.index, json.dumps(sorted(names)))
        except OSError as error:
            raise ConfigError(f"{self.index} cannot be written: {error.strerror}") from error

    def _in_time(self, work: Callable[[], T], what: str) -> T:
        """Does `work` in a thread that can be left behind. Raises ConfigError: it failed, or takes for ever."""
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
            raise ConfigError(f"the keyring did not answer within {self._wait_s:g} s; is it locked?")
        if problem:
            words = " ".join(str(problem[0]).split()) or type(problem[0]).__name__
            raise ConfigError(f"lynkr could not {what}: {words[:200]}")
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
