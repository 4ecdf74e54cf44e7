"""`lynkr run`: launch a tool through a proxy of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from lynkr.cli.complete import lane_names, profile_names, the_tools_own, tool_names
from lynkr.cli.speak import asking, say, show
from lynkr.errors import ConfigError
from lynkr.routing import TIERS

if TYPE_CHECKING:
    from pathlib import Path

    from lynkr.launch.launch import Launch
    from lynkr.plan import Plan

# In JSON, and as a line of a .env file.
_SHOWS_A_KEY = (
    r"""(?im)("[^"]*(?:key|token|secret|refresh|access|auth|password)[^"]*"\s*:\s*"|"""
    r"""^[A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]*=)([^"\n]*)"""
)


class _Words(click.Command):
    """Everything after TOOL belongs to the tool; whether `--` stood before it says what TOOL is."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return the_tools_own(ctx, incomplete) or super().shell_complete(ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        words = ctx.params.get("words") or ()
        before = len(given) - len(words) - 1
        ctx.params["as_command"] = before >= 0 and given[before] == "--"
        return rest


@click.command(
    cls=_Words,
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
    options_metavar="[OPTIONS]",
    short_help="Launch a tool through a proxy of its own.",
)
@click.argument(
    "words",
    nargs=-1,
    metavar="TOOL [ARGS]... | -- COMMAND [ARGS]...",
    type=click.UNPROCESSED,
    shell_complete=tool_names,
)
@click.option(
    "-p",
    "--profile",
    metavar="NAME",
    shell_complete=profile_names,
    help="The profile to use, instead of what `lynkr use` chose.",
)
@click.option(
    "--lane", metavar="NAME", shell_complete=lane_names, help="Send everything down this lane of the profile."
)
@click.option("--tier", type=click.Choice(TIERS), help="Use the lanes of this tier.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="What this session may cost; when it is spent, what [budget] on_exceed says happens.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be injected; start nothing.")
@click.option("--report", type=click.Path(), metavar="PATH", help="Also write the JSON report there.")
@click.option("--no-compress", is_flag=True, help="Send tool results as they are, whatever the profile says.")
@click.option("--status-line", is_flag=True, help="Show what the session costs in Claude Code's status line.")
@click.option("--nested", is_flag=True, help="Allow a session inside of a session.")
@click.option("--join", is_flag=True, hidden=True, help="Within a session, use its proxy: for shims.")
@click.option("-q", "--quiet", is_flag=True, help="No line at the end.")
@click.option("-v", "--verbose", is_flag=True, help="Say where things go and what was found.")
def command(
    words: tuple[str, ...],
    profile: str | None,
    lane: str | None,
    tier: str | None,
    budget: float | None,
    dry_run: bool,
    report: str | None,
    no_compress: bool,
    status_line: bool,
    nested: bool,
    join: bool,
    quiet: bool,
    verbose: bool,
    as_command: bool = False,
) -> int:
    """Launch TOOL (claude, codex) through a proxy of its own, on this machine and for this session only.

    Everything after TOOL belongs to the tool: `lynkr run claude --help` is Claude's help. No file of yours is changed;
    when the tool exits, everything is taken down and one line says what it cost.

    After `--` stands any command that reads ANTHROPIC_BASE_URL, OPENAI_BASE_URL, OPENAI_API_BASE or
    GOOGLE_GEMINI_BASE_URL.

    The profile is --profile, else LYNKR_PROFILE, else what the nearest .lynkr.toml names, else direct. Yours are TOML
    files under LYNKR_HOME (config/profiles/NAME.toml) or your platform's configuration folder.

    Exit status: the tool's own; 128+N when signal N ended it; 127 not found; 126 not executable; 2 usage;
    78 configuration.
    """
    from lynkr import session
    from lynkr.plan import Options, plan, preview

    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other")
    wanted = None if report is None else _writable(report)
    options = Options(words, as_command, profile, lane, tier, wanted, quiet, nested, not no_compress, budget,
                      status_line)  # fmt: skip
    if join and options.environ.get("LYNKR_SESSION"):
        from lynkr.join import join as joining
        from lynkr.launch.child import become

        found = joining(options)
        if not isinstance(found, Options):
            become(found.argv, found.environment)
        options = found
    planned = plan(options, say, asking())
    if dry_run:
        show(_preview(planned))
        return 0
    if verbose:
        for line in _where(planned, preview(planned)[0]):
            say(line)
    return session.run(planned, say).status


def _writable(report: str) -> Path:
    """Where the report is wanted. Raises ConfigError where none can be written."""
    from pathlib import Path

    path = Path(report)
    if path.is_dir() or not path.resolve().parent.is_dir():
        what = "is a folder" if path.is_dir() else f"cannot be written: there is no folder {path.resolve().parent}"
        raise ConfigError(f"--report {report} {what}")
    return path


def _where(planned: Plan, launch: Launch) -> list[str]:
    from lynkr.plan import destinations

    return [
        f"profile {planned.profile.name} ({planned.profile.path}); {planned.router.why}",
        *destinations(planned, launch),
        f"tool {planned.argv[0]}",
        f"ledger {planned.where.ledger}",
    ]


def _preview(planned: Plan) -> list[str]:
    from lynkr.plan import preview

    launch, changed = preview(planned)
    gone = sorted({*launch.unset, *planned.key_variables} & set(planned.options.environ) - set(launch.set))
    lines = [*_where(planned, launch), "", "command", *(f"  {word}" for word in launch.argv), "", "variables set"]
    lines += [f"  {name}={_masked(value)}" for name, value in sorted(changed.items())]
    lines += ["", "variables taken away", *([f"  {name}" for name in gone] or ["  none"])]
    for path, text in launch.files.items():
        lines += [
            "",
            f"file {path} (the session's own, removed at its end)",
            *(f"  {x}" for x in _masked(text).splitlines()),
        ]
    lines += [f"note: {note}" for note in (*planned.notes, *launch.notes)]
    return [line.replace("127.0.0.1:0", "127.0.0.1:PORT") for line in lines]


def _masked(text: str) -> str:
    """A file or a variable without the user's own keys, which a tool's configuration may hold."""
    from lynkr.launch.launch import PLACEHOLDER

    return re.sub(_SHOWS_A_KEY, lambda found: found[0] if found[2] == PLACEHOLDER else f"{found[1]}…", text)
