"""How commands speak: lynkr's own words go to stderr, a line each, `lynkr: ` first; results go to stdout."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

_OBEYED = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES: dict[str, dict[str, Any]] = {
    "bold": {"bold": True},
    "dim": {"dim": True},
    "green": {"fg": "green"},
    "red": {"fg": "red"},
}


def say(text: str) -> None:
    """One line of lynkr's own on stderr; an error whose sentence already begins with its name does not say it twice."""
    line = plain(" ".join(text.split()))
    click.echo(line if line.startswith("lynkr: ") else f"lynkr: {line}", err=True)


def show(lines: Iterable[str]) -> None:
    """A result on stdout."""
    click.echo("\n".join(map(plain, lines)))


def give(text: str) -> None:
    """A text on stdout as it is, byte for byte; only a terminal is spared what it would obey."""
    if sys.stdout.isatty():
        click.echo(plain(text), nl=not text.endswith("\n"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()


def plain(text: str) -> str:
    """`text` with nothing that a terminal obeys but line ends and colours: some of it comes from strangers."""
    return _OBEYED.sub(lambda found: found[1] or "?", text)


def paint(text: str, style: str) -> str:
    """Styles text where stdout is a terminal that can, and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return text
    return click.style(text, **_STYLES[style])


def asking() -> Callable[[str], str] | None:
    """How something secret is asked for, without an echo; None where there is no terminal to ask at, or it is not ours
    to use: a job in the background would be stopped."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None
    try:
        ours = os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        ours = False
    finally:
        os.close(terminal)
    return (lambda what: getpass.getpass(f"lynkr: {what}: ")) if ours else None
