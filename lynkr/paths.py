"""Where things are: under LYNKR_HOME if it is set, else where the platform keeps them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lynkr.errors import ConfigError


class Paths(NamedTuple):
    """lynkr's four folders. None of them need exist."""

    config: Path
    data: Path
    cache: Path
    state: Path

    @property
    def profiles(self) -> Path:
        """The user's own profiles."""
        return self.config / "profiles"

    @property
    def used(self) -> Path:
        """The file that holds what `lynkr use` chose."""
        return self.config / "profile"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.data / "ledger.db"

    @property
    def unsaved(self) -> Path:
        """The folder of reports that the ledger did not take: beside it."""
        return self.data

    @property
    def kept(self) -> Path:
        """The folder of originals that compression left something out of."""
        return self.data / "kept"

    @property
    def shims(self) -> Path:
        """The folder of the tools' shims, to be put on PATH."""
        return self.data / "shims"

    @property
    def sessions(self) -> Path:
        """The folder of what sessions that run need on disk, one folder each."""
        return self.state / "sessions"

    @property
    def stands(self) -> Path:
        """The folder of notes that standing proxies leave, and of the token that opens them."""
        return self.state / "serve"

    @property
    def answers(self) -> Path:
        """The folder of answers that may be given again."""
        return self.cache / "answers"

    @property
    def healths(self) -> Path:
        """The folder of what sessions know of lanes that rest."""
        return self.state / "lanes"


def paths(environ: Mapping[str, str]) -> Paths:
    """lynkr's folders as `environ` wants them."""
    if home := environ.get("LYNKR_HOME"):
        try:
            root = Path(home).expanduser().absolute()
        except RuntimeError as error:
            raise ConfigError(f"LYNKR_HOME={home} names a user that is not there; give a folder") from error
        return Paths(*(root / name for name in ("config", "data", "cache", "state")))
    import platformdirs

    home_folder()
    found = platformdirs.PlatformDirs("lynkr", appauthor=False)
    return Paths(found.user_config_path, found.user_data_path, found.user_cache_path, found.user_state_path)


def home_folder(without: Path | None = None) -> Path:
    """The user's home, or `without` where there is none. Raises ConfigError where there is neither."""
    try:
        return Path.home()
    except RuntimeError as error:
        if without is not None:
            return without
        raise ConfigError(
            "this user has no home folder; set HOME, or LYNKR_HOME to where lynkr may keep things"
        ) from error


def shipped(name: str) -> Path:
    """A folder that comes with lynkr (`profiles`, …): inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "shipped" / name
    return inside if inside.is_dir() else package.parent / name


def private_folder(path: Path) -> Path:
    """`path`, made if need be, readable by its owner only."""
    for folder in (*reversed(path.parents), path):
        # One by one: of several that are made at once only the last would have the mode.
        if not folder.exists():
            folder.mkdir(exist_ok=True, mode=0o700)
            folder.chmod(0o700)
    return path


def write_private(path: Path, text: str, errors: str = "strict") -> None:
    """Writes a file that nobody else may read, whatever the umask. No line end is changed."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors=errors, newline="") as file:
        path.chmod(0o600)  # it may have been there, with another mode
        file.write(text)


def replace_private(
    path: Path, text: str, errors: str = "strict", *, mode: int | None = None, sync: bool = False
) -> None:
    """Writes such a file in one step: whoever reads it meanwhile gets the old one, or all of the new one.

    `mode` is what it has instead; `sync` waits until it is on the disk. Where it fails, nothing is left behind. Raises
    OSError.
    """
    part = private_folder(path.parent) / f".{path.name}.{os.urandom(4).hex()}.part"
    try:
        write_private(part, text, errors)
        if mode is not None:
            part.chmod(mode)
        if sync:
            with part.open("rb") as written:
                os.fsync(written.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
