"""`lynkr squeeze`: what compression makes of a tool result."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from lynkr.cli.speak import give, say, show
from lynkr.errors import UsageError
from lynkr.paths import paths


@click.command(short_help="What compression makes of a command's output.")
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--command", "ran", metavar="CMD", help='The command that gave it, such as "pytest -q".')
@click.option("--tool", metavar="NAME", help="The tool that gave it, such as Read or Grep, where it was no command.")
@click.option("--json", "as_json", is_flag=True, help="Counts and what was left out, as JSON.")
def command(file: Path, ran: str | None, tool: str | None, as_json: bool) -> None:
    """Print what a model would be sent of FILE (`-` reads stdin), as the output of a command.

    Without --command or --tool the look of the text decides. What is left out can be had back with the `lynkr expand`
    that the text names.
    """
    from lynkr.kept import Kept
    from lynkr.transforms.shaper import alone
    from lynkr.transforms.tool_results.stub import MARK

    if ran is not None and tool is not None:
        raise UsageError("--command and --tool exclude each other")
    text = _read(file)
    change = alone(text, ran or "", tool or "", file.name)
    after = change.after if change else text
    if change is not None:
        kept = Kept(paths(os.environ).kept)
        try:
            kept.put(change.id, text)
            kept.prune(time.time())
        except OSError as error:
            say(f"the original cannot be kept: {error.strerror}")
    if not as_json:
        give(after)
        return
    cuts = [{"kind": cut.kind, "characters": cut.chars} for cut in change.cuts] if change else []
    left_out = [line for line in after.split("\n") if line.startswith(MARK)] if change else []
    values = {
        "id": change.id if change else None,
        "before": {"characters": len(text), "lines": text.count("\n") + 1},
        "after": {"characters": len(after), "lines": after.count("\n") + 1},
        "saved": round(1 - len(after) / len(text), 4) if text else 0.0,
        "cuts": cuts,
        "left_out": left_out,
        "text": after,
    }
    show([json.dumps(values, indent=1)])


def _read(file: Path) -> str:
    """The text of a file or of stdin, whatever its bytes, and with its own line ends."""
    if str(file) == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
