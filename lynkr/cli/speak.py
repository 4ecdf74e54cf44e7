"""How commands speak: lynkr's own words go to stderr, a line each, `lynkr: ` first; results go to stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

_STYLES: dict[str, dict[str, Any]] = {
    "bold": {"bold": True},
    "dim": {"dim": True},
    "green": {"fg": "green"},
    "red": {"fg": "red"},
}


def say(text: str) -> None:
    """One line of lynkr's own on stderr; an error whose sentence already begins with its name does not say it twice."""
    line = " ".join(text.split())
    click.echo(line if line.startswith("lynkr: ") else f"lynkr: {line}", err=True)


def show(lines: Iterable[str]) -> None:
    """A result on stdout."""
    click.echo("\n".join(lines))


def paint(text: str, style: str) -> str:
    """Styles text where stdout is a terminal that can, and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return text
    return click.style(text, **_STYLES[style])


def asking() -> Callable[[str], str] | None:
    """How a passphrase is asked for, without an echo; None where there is no terminal to ask at."""
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    return lambda what: str(click.prompt(f"lynkr: {what}", hide_input=True, err=True, default="", show_default=False))
