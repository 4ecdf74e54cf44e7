"""What can stand at a place of the command line: names for the shells' completions.

They are looked up while the user waits for the TAB, so nothing is read that need not be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from lynkr.paths import Paths

_LANE = re.compile(r"""^\[lanes\.(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\]""", re.MULTILINE)


def _those(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def _where() -> Paths:
    # `pathlib` takes a tenth of the time that a TAB may, and most of what is asked for has no file.
    from lynkr.paths import paths

    return paths(os.environ)


def profile_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The profiles."""
    from lynkr.profiles import names

    return the_tools_own(ctx, incomplete) or _those(names(_where()), incomplete)


def lane_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The lanes of the profile that is being named, or is used."""
    from pathlib import Path

    from lynkr.errors import LynkrError
    from lynkr.profiles import chosen, find

    where = _where()
    try:
        path = find(chosen(ctx.params.get("profile"), os.environ, Path.cwd(), where).name, where)
    except (LynkrError, OSError):
        return []
    lanes = _LANE.findall(path.read_text("utf-8")) if path else []
    return the_tools_own(ctx, incomplete) or _those([one or two or bare for one, two, bare in lanes], incomplete)


def the_tools_own(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """What stands behind the tool that is to be run is the tool's: files, as far as we know."""
    return [CompletionItem(incomplete, type="file")] if ctx.params.get("words") else []


def tool_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tools with an adapter; behind a tool that is to be run stands what is its own."""
    from lynkr.launch.tools import TOOLS

    return the_tools_own(ctx, incomplete) or _those(TOOLS, incomplete)


def session_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last sessions."""
    from lynkr.errors import LynkrError
    from lynkr.ledger.store import Ledger

    path = _where().ledger
    if not path.exists():
        return _those(["last"], incomplete)
    try:
        with Ledger(path) as ledger:
            found = [CompletionItem(s.id, help=f"{s.tool} {s.started[:16]}") for s in ledger.sessions(20)]
    except LynkrError:
        return []
    return [item for item in (CompletionItem("last"), *found) if item.value.startswith(incomplete)]


def key_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The providers, which are the usual names of keys, and those that are stored."""
    import json

    from lynkr.upstream.providers import PROVIDERS

    index = _where().data / "keys.json"
    try:
        stored = json.loads(index.read_text("utf-8"))
    except (OSError, ValueError):
        stored = []
    return _those(dict.fromkeys([*map(str, stored), *(n for n, p in PROVIDERS.items() if p.key_env)]), incomplete)
