"""Writing configuration: what `lynkr use`, `profile new` and `init` change, with the user's own words left alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions

from lynkr.errors import ConfigError
from lynkr.paths import Paths, replace_private
from lynkr.profile import check_name
from lynkr.profiles import LOCAL_FILE, find


def use(name: str, where: Paths) -> None:
    """Makes `name` the profile that is used where nothing else is said. Raises ConfigError."""
    _write(where.used, f"{name}\n")


def use_here(name: str, folder: Path) -> Path:
    """Makes `name` the profile of a project; the file that says so. Other things in it stay as they are."""
    path = folder / LOCAL_FILE
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    except (OSError, UnicodeDecodeError, tomlkit.exceptions.TOMLKitError) as error:
        raise ConfigError(f"{path} cannot be read, so nothing was changed: {error}") from error
    document["profile"] = name
    _write(path, tomlkit.dumps(document))
    return path


def new(name: str, text: str, where: Paths) -> Path:
    """Writes a profile of the user's; its file. Raises ConfigError where there is one of that name already."""
    check_name(name)
    path = where.profiles / f"{name}.toml"
    if path.exists():
        raise ConfigError(f"there is a profile {name!r} already: {path}; change it with: lynkr profile edit {name}")
    _write(path, text)
    return path


def own(name: str, where: Paths) -> Path:
    """The user's own file of a profile; a shipped one is copied first. Raises ConfigError where there is none."""
    path = find(name, where)
    if path is None:
        raise ConfigError(f"there is no profile {name!r}; make one with: lynkr profile new {name}")
    if path.parent == where.profiles:
        return path
    mine = where.profiles / path.name
    _write(mine, path.read_text("utf-8"))
    return mine


def profile_text(description: str, tiers: Mapping[str, list[str]], lanes: Mapping[str, Mapping[str, Any]]) -> str:
    """A profile as TOML, with a word on each part for whoever opens it later."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Change anything here, then: lynkr profile check"))
    document["description"] = description
    table = tomlkit.table()
    for tier, names in tiers.items():
        table[tier] = names
    table.comment("preferred lane first, then those that serve when it cannot")
    document["tiers"] = table
    sections = tomlkit.table(is_super_table=True)
    for name, values in lanes.items():
        section = tomlkit.table()
        for key, value in values.items():
            section[key] = value
        sections[name] = section
    document["lanes"] = sections
    return tomlkit.dumps(document)


def _write(path: Path, text: str) -> None:
    """Writes a file in one step, so that it is never half there."""
    try:
        replace_private(path, text, mode=path.stat().st_mode if path.exists() else None)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
