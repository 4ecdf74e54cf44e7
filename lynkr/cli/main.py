"""`lynkr`: the list of commands, each loaded when it is needed, and the one way in which errors are told."""

from __future__ import annotations

import gc
import importlib
import io
import sys

import click

from lynkr import __version__
from lynkr.cli.speak import say
from lynkr.errors import LynkrError

# Name → what it does, in the groups and the order that `lynkr --help` shows them. The text is the command's own, and
# stands here so that the list can be shown without reading what all of them import.
GROUPS = {
    "Work": {
        "run": "Launch a tool through a proxy of its own.",
        "serve": "The same proxy, standing, for editors with a base-URL box.",
        "demo": "A whole session with no network, key or tool.",
    },
    "Set up": {
        "init": "A short interview that writes a first profile.",
        "use": "Show or switch the profile.",
        "profile": "List, show, make, edit and check profiles.",
        "key": "Store, list, remove and test keys.",
        "doctor": "Say what is in order, what is not, and how to mend it.",
        "shim": "Make `claude` on PATH run through lynkr.",
        "completion": "Print the completion script of a shell.",
    },
    "See what it cost": {
        "report": "What a session or a period cost, and where its tokens went.",
        "sessions": "Recent sessions, a line each.",
        "top": "The sessions that run, as they run.",
        "audit": "What past Claude Code and Codex sessions cost.",
        "prices": "The price table in use, with its date.",
        "ledger": "The file with a row for every request: what it holds; export, prune.",
    },
    "See where things go": {
        "route": "Which tier and lane a prompt would take, and why.",
    },
    "See what is left out": {
        "squeeze": "What compression makes of a command's output.",
        "expand": "The original of something that was compressed.",
        "cache": "What is kept on disk of results and answers; clear it.",
    },
}


class Commands(click.Group):
    """Finds a command's module by its name."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"lynkr.cli.{cmd_name}").command
        if not gc.isenabled():  # see lynkr.__main__; what has been imported stays, so nobody needs to look through it
            gc.freeze()
            gc.enable()
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known:
            import difflib

            close = difflib.get_close_matches(args[0], known, 1, 0.75)
            from lynkr.launch.tools import TOOLS

            if args[0] in TOOLS:
                raise click.UsageError(f"there is no command {args[0]!r}; run the tool with: lynkr run {args[0]}", ctx)
            hint = f"; did you mean {close[0]!r}?" if close else "; lynkr --help lists all commands"
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(names.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it without a key or a network: lynkr demo",
)
@click.version_option(__version__, prog_name="lynkr")
def lynkr() -> None:
    """Run a coding tool through a proxy of its own, relayed exactly and reported truly.

    \b
      lynkr run claude              Claude Code as ever, and what it cost
      lynkr run codex exec "…"      Codex likewise
      lynkr run -- python agent.py  anything that reads ANTHROPIC_BASE_URL, …
    """


def main() -> None:
    """The command line's way in."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding shows a question mark where it has no such letter.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = lynkr(standalone_mode=False)
    except LynkrError as error:
        say(error.sentence)
        sys.exit(error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        say(error.format_message())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("stopped")
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more when it closes stdout.
        sys.stdout = None
        sys.exit(0)
    except OSError as error:
        if not _is_somewhere():
            say("the current directory is gone; cd to another")
            sys.exit(1)
        what = f"{error.filename} cannot be used" if error.filename else "the output cannot be written"
        say(f"{what}: {error.strerror or error}")
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _is_somewhere() -> bool:
    """Whether the folder that we were started in is still there."""
    from pathlib import Path

    try:
        Path.cwd()
    except OSError:
        return False
    return True
