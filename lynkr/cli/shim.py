"""`lynkr shim`: `claude` on PATH becomes `lynkr run claude`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from lynkr.cli.complete import tool_names
from lynkr.cli.speak import paint, say, show
from lynkr.errors import ConfigError, UsageError
from lynkr.launch.child import is_first, is_shim, own_command, shims, which
from lynkr.paths import Paths, paths, private_folder, shipped

# How each shell puts a folder first on PATH, and where that is to stand.
_FIRST = {
    "bash": ("~/.bashrc", 'export PATH="{folder}:$PATH"'),
    "zsh": ("~/.zshrc", 'export PATH="{folder}:$PATH"'),
    "fish": ("a fish prompt, once", 'fish_add_path --move --prepend "{folder}"'),
    "pwsh": ("$PROFILE", '$env:PATH = "{folder}" + [IO.Path]::PathSeparator + $env:PATH'),
}
_TOOLS = click.argument("tools", nargs=-1, shell_complete=tool_names)


@click.group(name="shim", short_help="Make `claude` on PATH run through lynkr.")
def command() -> None:
    """A shim is a small script with a tool's name, in a folder that stands first on PATH.

    It runs the tool through lynkr, finds the tool anew each time, uses the session's own proxy when a tool starts
    another, and gets out of the way when lynkr cannot be started or LYNKR_SHIM=off says so.
    """


@command.command(short_help="Put shims of tools into place.")
@_TOOLS
def install(tools: tuple[str, ...]) -> None:
    """Put the shims of TOOLS (claude, codex, …) into place and say what to add to PATH; no file of yours is changed."""
    from lynkr.launch.tools import TOOLS

    if not tools:
        raise UsageError(f"say which tools: lynkr shim install claude codex (known: {', '.join(TOOLS)})")
    unknown = [tool for tool in tools if tool not in TOOLS]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is not a tool that lynkr knows: {', '.join(TOOLS)}")
    where = paths(os.environ)
    windows = os.name == "nt"
    text = (shipped("shims") / ("tool.ps1" if windows else "tool.sh")).read_text("utf-8")
    for tool in tools:
        path = where.shims / (f"{tool}.ps1" if windows else tool)
        try:
            private_folder(where.shims)
            if path.is_symlink() or (path.exists() and not is_shim(path)):
                raise ConfigError(f"{path} is no shim of lynkr's, so it was left alone")
            path.write_text(text.replace("@LYNKR@", _own_command()), "utf-8")
            path.chmod(0o755)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
        found = which(tool, os.environ.get("PATH", os.defpath))
        say(f"{path} is in place" + (f", for {found}" if found else f"; {tool} itself is not installed yet"))
    _say_path(where)


@command.command(name="list", short_help="The shims that are in place.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(as_json: bool) -> None:
    """The shims that are in place, whether a shell would find them, and the tool behind each."""
    where = paths(os.environ)
    rows = []
    search = os.environ.get("PATH", os.defpath)
    for path in shims(where.shims):
        active, real = is_first(path, search), which(path.stem, search)
        rows.append({"tool": path.stem, "path": str(path), "active": active, "real": real})
    if as_json:
        show([json.dumps(rows, indent=1)])
        return
    if not rows:
        show(["No shim yet. Put one into place: lynkr shim install claude"])
    for row in rows:
        state = "active" if row["active"] else "not first on PATH"
        show([f"{paint(str(row['tool']), 'bold')}  {state}  {row['real'] or 'not installed'}"])
    if rows and not all(row["active"] for row in rows):
        _say_path(where)


@command.command(short_help="Take shims away.")
@_TOOLS
def remove(tools: tuple[str, ...]) -> None:
    """Take the shims of TOOLS away; without TOOLS, all of them."""
    where = paths(os.environ)
    there = {path.stem: path for path in shims(where.shims)}
    if missing := [tool for tool in tools if tool not in there]:
        raise UsageError(f"there is no shim of {missing[0]!r}; lynkr shim list shows them")
    for tool in tools or there:
        there[tool].unlink()
        say(f"{there[tool]} is gone; a shell that is open may need: hash -r")
    if not there:
        say("there is no shim to take away")


def _own_command() -> str:
    found = own_command()
    if "'" in str(found):
        raise ConfigError(f"a shim cannot hold the path {found}, because of its quote")
    return str(found)


def _say_path(where: Paths) -> None:
    folders = [Path(f).resolve() for f in os.environ.get("PATH", "").split(os.pathsep) if f]
    if folders and folders[0] == where.shims.resolve():
        return
    shell = Path(os.environ.get("SHELL", "bash")).name
    file, line = _FIRST.get(shell, _FIRST["bash"])
    say(f"the folder must stand first on PATH; for {shell if shell in _FIRST else 'bash'}, put this into {file}:")
    show([line.format(folder=where.shims)])
