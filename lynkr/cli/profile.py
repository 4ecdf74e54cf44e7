"""`lynkr profile`: list, show, make, edit and check profiles."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lynkr.cli.complete import profile_names
from lynkr.cli.speak import paint, say, show
from lynkr.errors import ConfigError, LynkrError
from lynkr.lane import Auth
from lynkr.paths import paths, shipped

if TYPE_CHECKING:
    from lynkr.profile import Profile

_NAME = click.argument("name", required=False, shell_complete=profile_names)
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group(name="profile", short_help="List, show, make, edit and check profiles.")
def command() -> None:
    """A profile is a TOML file that names lanes and says which of them serve what: docs/profiles.md.

    Yours are in the folder that `lynkr profile path` shows; the shipped ones are examples that can be used as they are.
    """


@command.command(name="list", short_help="All profiles, a line each.")
@_JSON
def list_(as_json: bool) -> None:
    """All profiles, yours and the shipped ones; the one in use is marked."""
    from lynkr import profiles

    where = paths(os.environ)
    try:
        current = profiles.chosen(None, os.environ, Path.cwd(), where).name
    except ConfigError as error:
        current = ""
        say(error.sentence)
    rows: list[dict[str, Any]] = []
    for name in profiles.names(where):
        path = profiles.find(name, where)
        assert path is not None
        row: dict[str, Any] = {
            "name": name,
            "used": name == current,
            "shipped": path.parent == shipped("profiles"),
            "path": str(path),
        }
        try:
            profile = profiles.load(name, where)
            row |= {"description": profile.description, "lanes": list(profile.lanes), "problem": None}
        except ConfigError as error:
            row |= {"description": "", "lanes": [], "problem": error.sentence}
        rows.append(row)
    if as_json:
        show([json.dumps(rows, indent=1)])
        return
    wide = max(len(row["name"]) for row in rows)
    for row in rows:
        mark, what = ("*" if row["used"] else " "), row["problem"] or row["description"]
        show([f"{mark} {paint(row['name'].ljust(wide), 'bold')}  {'shipped' if row['shipped'] else 'yours  '}  {what}"])


@command.command(name="show", short_help="What a profile says, in words.")
@_NAME
@_JSON
def show_(name: str | None, as_json: bool) -> None:
    """What the profile NAME says, or the one in use: its lanes, where they lead, and what serves each tier."""
    profile = _chosen(name)
    if as_json:
        show([json.dumps(_values(profile), indent=1)])
        return
    show([f"{paint(profile.name, 'bold')}  {profile.description}", str(profile.path), ""])
    for value in _values(profile)["lanes"]:
        details = [value["provider"], value["model"] or "the tool's model", *value["formats"]]
        show([f"lane {paint(value['lane'], 'bold')}: {', '.join(details)}", f"  {value['url']}", f"  {value['auth']}"])
        own = profile.lanes[value["lane"]].auth is Auth.CLIENT
        show([f"  compressed: {profile.compress.words(own_credential=own)}"])
    show(["", *(f"tier {tier}: {' → '.join(lanes)}" for tier, lanes in profile.tiers.items())])


@command.command(short_help="Make a profile of your own from a shipped one.")
@click.argument("name")
@click.option("--from", "source", metavar="PROFILE", default="direct", show_default=True,
              shell_complete=profile_names, help="The profile to begin with.")  # fmt: skip
def new(name: str, source: str) -> None:
    """Make the profile NAME, a copy of another with its comments, ready to be edited."""
    from lynkr import editing, profiles

    where = paths(os.environ)
    path = profiles.load(source, where).path
    made = editing.new(name, path.read_text("utf-8"), where)
    say(f"{made} is made after {source}; change it with: lynkr profile edit {name}; then: lynkr use {name}")


@command.command(short_help="Open a profile in your editor, and check it.")
@_NAME
def edit(name: str | None) -> None:
    """Open the profile NAME, or the one in use, in VISUAL or EDITOR, and check it afterwards.

    A shipped profile is copied to yours first, and yours counts from then on.
    """
    from lynkr import editing, profiles
    from lynkr.profile import read

    where = paths(os.environ)
    name = name or profiles.chosen(None, os.environ, Path.cwd(), where).name
    before = profiles.find(name, where)
    path = editing.own(name, where)
    if before != path:
        say(f"{path} is a copy of the shipped profile, and yours counts from now on")
    click.edit(filename=str(path))
    profile = read(path, name)
    say(f"profile {name} is in order: {', '.join(profile.lanes)}")


@command.command(short_help="Say what is wrong with profiles.")
@click.argument("names", nargs=-1, shell_complete=profile_names)
def check(names: tuple[str, ...]) -> int:
    """Check the profiles NAMES (names or files), or all there are. Exit status 78 where one has a mistake."""
    from lynkr import profiles
    from lynkr.profile import read

    where = paths(os.environ)
    wrong = False
    for name in names or profiles.names(where):
        try:
            file = Path(name)
            profile = read(file, file.stem) if file.suffix == ".toml" else profiles.load(name, where)
            say(f"profile {name} is in order: {', '.join(profile.lanes)}")
        except LynkrError as error:
            wrong = True
            say(error.sentence)
    return ConfigError.exit_status if wrong else 0


@command.command(short_help="Where a profile, or the folder of yours, is.")
@_NAME
def path(name: str | None) -> None:
    """The file of the profile NAME; without NAME the folder that yours are in."""
    from lynkr import profiles

    where = paths(os.environ)
    if name is None:
        show([str(where.profiles)])
        return
    found = profiles.find(name, where)
    if found is None:
        profiles.load(name, where)  # which says what there is
    show([str(found)])


def _chosen(name: str | None) -> Profile:
    from lynkr import profiles

    return profiles.choose(name, os.environ, Path.cwd(), paths(os.environ))


def _values(profile: Profile) -> dict[str, Any]:
    from lynkr import credentials
    from lynkr.lane import Auth
    from lynkr.upstream.catalog import base_url, entry

    lanes = []
    for lane in profile.lanes.values():
        names = " or ".join(credentials.variables(lane))
        auth = {
            Auth.CLIENT: "the tool's own credential",
            Auth.KEY: f"key {credentials.kept_as(lane)!r} of the keyring"
            + (f", or {names}" if names else "")
            + (", or your login there" if entry(lane.provider).cloud else ""),
            Auth.CLOUD: "your login at its cloud",
            Auth.NONE: "no credential",
        }[lane.auth]
        url = base_url(lane, lane.formats[0], {}, {})
        formats = [str(spoken) for spoken in lane.formats]
        lanes.append({"lane": lane.name, "provider": lane.provider, "model": lane.model, "formats": formats,
                      "url": url, "auth": auth})  # fmt: skip
    tiers = {tier: list(names) for tier, names in profile.tiers.items()}
    described = {"name": profile.name, "path": str(profile.path), "description": profile.description}
    return {**described, "lanes": lanes, "tiers": tiers}
