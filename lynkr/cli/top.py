"""`lynkr top`: the sessions that run, as they run."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lynkr.cli.speak import paint, plain, show
from lynkr.errors import UsageError
from lynkr.paths import paths

if TYPE_CHECKING:
    from lynkr.report.live import Seen

# A screen of its own, without a cursor and without wrapped lines; and back.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"


@click.command(short_help="The sessions that run, as they run.")
@click.option("--every", type=click.FloatRange(min=0.2), default=1.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, once.")
def command(every: float, once: bool, as_json: bool) -> None:
    """Show the sessions that run: lane, spent, saved, cached share, and how long ago the last request ended.

    q or Ctrl-C ends it.
    """
    from lynkr.report.live import live_lines

    if as_json:
        show([json.dumps(_look(), indent=1)])
    elif once or not sys.stdout.isatty():
        show(live_lines(_look(), paint))
    else:
        _watch(every)


def _look() -> list[dict[str, Any]]:
    from lynkr.report.live import live_values

    return live_values(_seen(), datetime.now(UTC))


def _seen() -> list[Seen]:
    from lynkr.ledger.store import Ledger
    from lynkr.report.live import Seen
    from lynkr.running import running

    where = paths(os.environ)
    if not (now := running(where)) or not where.ledger.exists():
        return []
    with Ledger(where.ledger) as ledger:
        found = ((each, ledger.find(each.id)) for each in now)
        return [Seen(session[0], each.pid, ledger.rows(each.id)) for each, session in found if session]


def _watch(every: float) -> None:
    from lynkr.report.live import live_lines

    with _screen():
        while True:
            _, height = os.get_terminal_size()
            at = datetime.now().astimezone().strftime("%H:%M:%S")
            lines = [paint(f"lynkr top · {at} · q ends it", "dim"), "", *live_lines(_look(), paint)]
            text = "".join(f"{plain(line)}{_REST_OF_LINE}\r\n" for line in lines[: height - 1])
            sys.stdout.write(_HOME + text + _REST)
            sys.stdout.flush()
            if _key(every) in ("q", "Q", "\x03", "\x04"):
                return


def _key(seconds: float) -> str:
    """The key that was pressed within so many seconds, "" where none was."""
    import select

    if not sys.stdin.isatty():
        time.sleep(seconds)
        return ""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 1).decode("latin-1") if ready else ""


@contextmanager
def _screen() -> Iterator[None]:
    """A screen of our own, with keys that arrive at once; the terminal is as it was afterwards."""
    try:
        import termios
        import tty
    except ImportError as error:  # Windows has none
        raise UsageError("lynkr top does not run on Windows yet; lynkr report shows the same") from error
    before = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    sys.stdout.write(_ENTER)
    try:
        if before is not None:
            tty.setcbreak(sys.stdin)
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
