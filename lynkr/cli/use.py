"""`lynkr use`: show or switch the profile."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lynkr.cli.complete import profile_names
from lynkr.cli.speak import paint, say, show
from lynkr.errors import ConfigError
from lynkr.paths import paths


@click.command(short_help="Show or switch the profile.")
@click.argument("name", required=False, shell_complete=profile_names)
@click.option("--local", is_flag=True, help="For this project: writes .lynkr.toml here.")
def command(name: str | None, local: bool) -> None:
    """Switch to the profile NAME, for every new session; without NAME, say which is used and why.

    What counts, first hit wins: --profile, LYNKR_PROFILE, the nearest .lynkr.toml upward, this command, direct.
    """
    from lynkr import editing, profiles

    where, folder = paths(os.environ), Path.cwd()
    if name is None:
        if local:
            raise click.UsageError("say which profile: lynkr use NAME --local")
        choice = profiles.chosen(None, os.environ, folder, where)
        profile = profiles.choose(None, os.environ, folder, where)
        others = [other for other in profiles.names(where) if other != choice.name]
        show([
            f"{paint(choice.name, 'bold')}  {profile.description}",
            f"because of: {choice.source}; file: {profile.path}",
            f"others: {', '.join(others)}",
        ])  # fmt: skip
        return
    profile = profiles.load(name, where)
    if local:
        say(f"{editing.use_here(name, folder)}: profile {name} for this project")
    else:
        editing.use(name, where)
        say(f"profile {name} from the next session on: {', '.join(profile.lanes)}")
    try:
        choice = profiles.chosen(None, os.environ, folder, where)
    except ConfigError as error:
        say(f"here, though, nothing will run before this is mended: {error.sentence}")
        return
    if choice.name != name:
        say(f"here, though, {choice.source} says {choice.name}")
