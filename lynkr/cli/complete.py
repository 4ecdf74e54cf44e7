"""What can stand at a place of the command line: names for the shells' completions.

They are looked up while the user waits for the TAB, so nothing is read that need not be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from lynkr.paths import paths

_LANE = re.compile(r"^\[lanes\.([A-Za-z0-9_.\"'-]+)\]", re.MULTILINE)


def _those(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def profile_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The profiles."""
    from lynkr.paths import shipped

    folders = (paths(os.environ).profiles, shipped("profiles"))
    return _those(sorted({path.stem for folder in folders for path in folder.glob("*.toml")}), incomplete)


def lane_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The lanes of the profile that is being named, or is used."""
    from lynkr.paths import shipped

    where = paths(os.environ)
    named = ctx.params.get("profile") or os.environ.get("LYNKR_PROFILE")
    if not named and where.used.is_file():
        named = where.used.read_text("utf-8").strip()
    for folder in (where.profiles, shipped("profiles")):
        path = folder / f"{named or 'direct'}.toml"
        if path.is_file():
            return _those(_LANE.findall(path.read_text("utf-8")), incomplete)
    return []


def tool_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tools with an adapter; behind a tool that is to be run stands what is its own."""
    from lynkr.launch.tools import TOOLS

    if ctx.params.get("words"):
        return [CompletionItem(incomplete, type="file")]
    return _those(TOOLS, incomplete)


def session_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last sessions."""
    from lynkr.ledger.store import Ledger

    path = paths(os.environ).ledger
    if not path.exists():
        return _those(["last"], incomplete)
    with Ledger(path) as ledger:
        found = [CompletionItem(s.id, help=f"{s.tool} {s.started[:16]}") for s in ledger.sessions(20)]
    return [item for item in (CompletionItem("last"), *found) if item.value.startswith(incomplete)]


def key_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The providers, which are the usual names of keys, and those that are stored."""
    import json

    from lynkr.upstream.providers import PROVIDERS

    index = paths(os.environ).data / "keys.json"
    try:
        stored = json.loads(index.read_text("utf-8"))
    except (OSError, ValueError):
        stored = []
    return _those(dict.fromkeys([*map(str, stored), *(n for n, p in PROVIDERS.items() if p.key_env)]), incomplete)
