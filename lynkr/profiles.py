"""Which profile is used, who says so, and where profiles are found: the user's own before those that come along."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lynkr.errors import ConfigError
from lynkr.paths import Paths, shipped
from lynkr.profile import Profile, Reader, check_name, nearest, read
from lynkr.routing.settings import Budget

DEFAULT = "direct"
LOCAL_FILE = ".lynkr.toml"


class Choice(NamedTuple):
    """The name of the profile to use, and who said so; `budget` is what the nearest .lynkr.toml allows at most."""

    name: str
    source: str
    budget: Budget | None = None


def chosen(name: str | None, environ: Mapping[str, str], folder: Path, where: Paths) -> Choice:
    """What is to be used: `name`, LYNKR_PROFILE, the nearest .lynkr.toml from `folder` up, `lynkr use`, `direct`."""
    if said := (name and "--profile") or (environ.get("LYNKR_PROFILE") and "LYNKR_PROFILE"):
        try:
            local = _local(folder)
        except ConfigError:  # it has no say in what was chosen
            local = None
        return Choice(name or environ["LYNKR_PROFILE"], said, local.budget if local else None)
    local = _local(folder)
    budget = local.budget if local else None
    if local and local.profile:
        return Choice(local.profile, str(local.path), budget)
    if name := _used(where):
        return Choice(name, "lynkr use", budget)
    return Choice(DEFAULT, "nothing else was chosen", budget)


def choose(name: str | None, environ: Mapping[str, str], folder: Path, where: Paths) -> Profile:
    """The profile to use, read. Raises ConfigError."""
    choice = chosen(name, environ, folder, where)
    try:
        profile = load(choice.name, where)
    except ConfigError as error:
        if find(choice.name, where) or choice.source == "--profile":
            raise
        # Whoever named it is where it can be mended.
        raise ConfigError(f"{choice.source} names a profile that is not there: {error.sentence}") from error
    return profile._replace(budget=profile.budget.lowered(choice.budget)) if choice.budget else profile


def load(name: str, where: Paths) -> Profile:
    """The profile called `name`, the user's own before a shipped one. Raises ConfigError."""
    check_name(name)
    if path := find(name, where):
        return read(path, name)
    known = names(where)
    raise ConfigError(
        f"there is no profile {name!r}{nearest(name, known)}; known: {', '.join(known)}; "
        f"your own go to {where.profiles}"
    )


def find(name: str, where: Paths) -> Path | None:
    """The file of the profile called `name`, the user's own before a shipped one."""
    places = (folder / f"{name}.toml" for folder in (where.profiles, shipped("profiles")))
    return next((path for path in places if path.is_file()), None)


def names(where: Paths) -> list[str]:
    """All profiles that can be named, sorted."""
    folders = (where.profiles, shipped("profiles"))
    found = [path for folder in folders if folder.is_dir() for path in folder.glob("*.toml")]
    return sorted({path.stem for path in found if path.is_file()})


class _Local(NamedTuple):
    """What a .lynkr.toml says."""

    path: Path
    profile: str | None
    budget: Budget | None


def _local(folder: Path) -> _Local | None:
    """The nearest .lynkr.toml. It may name a profile and lower a budget, nothing that sends traffic elsewhere."""
    path = next((parent / LOCAL_FILE for parent in (folder, *folder.parents) if (parent / LOCAL_FILE).is_file()), None)
    if path is None:
        return None
    try:
        text = path.read_text("utf-8")
        data = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if unknown := sorted(set(data) - {"profile", "budget"}):
        may = 'it may say profile = "NAME" and lower a budget'
        raise ConfigError(f"{path}: {unknown[0]!r} cannot stand here; {may}")
    named = data.get("profile")
    if named is not None and not isinstance(named, str):
        raise ConfigError(f"{path}: profile must be a name in quotes")
    reader = Reader(path, LOCAL_FILE, text)
    budget = reader.budget(data)
    if "on_exceed" in data.get("budget", {}):
        raise reader.mistake(
            ("budget", "on_exceed"), "it may lower a budget; what happens then is for the profile to say"
        )
    return _Local(path, named, budget if "budget" in data else None)


def _used(where: Paths) -> str | None:
    """What `lynkr use` chose."""
    try:
        return where.used.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
