"""`lynkr demo`: a whole session with nothing configured."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lynkr.cli.speak import paint, say, show
from lynkr.errors import ConfigError, LynkrError

if TYPE_CHECKING:
    from lynkr.plan import Options

# The model that the demo's agent asks for, so that the report shows real prices. Nobody is asked, nothing is paid.
_ASKED = "claude-sonnet-5-5"


@click.command(short_help="A whole session with no network, key or tool.")
@click.option(
    "--gguf",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Run the agent on a real model, through llama.cpp (pip install xllamacpp).",
)
def command(gguf: Path | None) -> int:
    """A small agent mends a bug through the real proxy, and the real report follows.

    Needs no network, key or tool: the model is a stand-in on this machine whose answers are canned, or, with --gguf, a
    real one.
    """
    from lynkr import session
    from lynkr.demo import project
    from lynkr.launch.child import companion
    from lynkr.ledger.prices import table
    from lynkr.plan import plan
    from lynkr.report.terminal import session_report

    if gguf is not None and importlib.util.find_spec("xllamacpp") is None:
        raise ConfigError("--gguf needs llama.cpp's wheel: pip install xllamacpp")
    if gguf is not None:
        with gguf.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ConfigError(f"{gguf} is no GGUF model; it would begin with the letters GGUF")
    model = "a real model, answering from " + gguf.name if gguf else "a stand-in whose answers are canned"
    click.echo(paint(f"The model is {model}; the agent, the proxy and the report are real.", "bold"))
    click.echo(paint("Nothing leaves this machine and nothing is spent.\n", "dim"))
    server = ["lynkr.demo.llama", str(gguf)] if gguf else ["lynkr.demo.model"]
    if gguf:
        say(f"loading {gguf.name} …")
    helper = companion([sys.executable, "-m", *server], quiet=gguf is not None)
    with helper as line, tempfile.TemporaryDirectory(prefix="lynkr-demo-") as name:
        word, _, port = line.partition(" ")
        if word != "listening":
            raise LynkrError(f"llama.cpp could not load {gguf}" if gguf else "the demo's model did not start")
        project.make(Path(name))
        ended = session.run(plan(_options(Path(name), int(port), gguf), say), say)
    click.echo()
    show(session_report(ended.report, table().date, paint))
    if gguf is None:
        click.echo(paint(f"Demo: tokens as the stand-in counts them, at the list price of {_ASKED}. Not spent.", "dim"))
    click.echo("\nNow with a tool of yours: lynkr run claude, or lynkr run codex")
    return ended.status


def _options(folder: Path, port: int, gguf: Path | None) -> Options:
    from lynkr.demo import project
    from lynkr.lane import Auth, Format, Lane
    from lynkr.plan import Options
    from lynkr.profile import Profile

    lane = "llama.cpp" if gguf else "canned"
    lanes = {lane: Lane(lane, "anthropic", (Format.ANTHROPIC,), Auth.CLIENT, f"http://127.0.0.1:{port}")}
    profile = Profile("demo", Path("built in"), "the demo's own", lanes, {"complex": (lane,)})
    asked = gguf.stem if gguf else _ASKED
    return Options(
        words=(sys.executable, "-m", "lynkr.demo.agent", str(folder), project.TASK),
        as_command=True,
        quiet=True,
        nested=True,
        environ={**os.environ, "ANTHROPIC_MODEL": asked},
        made=profile,
        tool_name="demo",
    )
