"""`lynkr serve`: the same proxy, standing, for editors and servers that cannot be launched through it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lynkr.cli.complete import profile_names
from lynkr.cli.speak import asking, paint, say, show
from lynkr.errors import ConfigError, LynkrError, UsageError
from lynkr.paths import paths

if TYPE_CHECKING:
    from lynkr.stands import Stands

# How long a reload may take, and the end of a proxy beside what it grants its requests.
_PATIENCE_S = 30.0


@click.group(invoke_without_command=True, short_help="The same proxy, standing, for editors with a base-URL box.")
@click.option("-p", "--profile", "profiles", multiple=True, metavar="NAME", shell_complete=profile_names,
              help="A profile to serve; several times for several, each under /p/NAME.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8711, show_default=True, help="0 is any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where it listens.")
@click.option("--allow-host", "names", multiple=True, metavar="NAME",
              help="A name that clients may call it by, besides localhost.")  # fmt: skip
@click.option("--max-requests", "most", type=click.IntRange(min=1), metavar="N", help="At once; more get 503.")
@click.option("--max-memory", "memory", type=click.IntRange(min=1), metavar="MB", help="For requests; more get 503.")
@click.option("--notice", "notice_s", type=click.FloatRange(min=0), default=5.0, show_default=True, metavar="S",
              help="After SIGTERM, seconds of 'not ready' before nobody new is let in.")  # fmt: skip
@click.option("--drain", "drain_s", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="S",
              help="Seconds that requests under way then have.")  # fmt: skip
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE|-",
              help="A line of JSON for each request, to FILE or (-) stderr.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Do not print URL and token: for where stdout is kept.")
@click.option("--otel", is_flag=True, help="Traces and metrics to where OTEL_EXPORTER_OTLP_ENDPOINT points.")
@click.pass_context
def command(
    ctx: click.Context,
    profiles: tuple[str, ...],
    port: int,
    host: str,
    names: tuple[str, ...],
    most: int | None,
    memory: int | None,
    notice_s: float,
    drain_s: float,
    log: Path | None,
    quiet: bool,
    otel: bool,
) -> None:
    """Serve profiles on a fixed port until it is told to stop, and print the URL and the token that opens it.

    A client gives the token in the URL (http://127.0.0.1:8711/TOKEN/v1), or as its API key. With several profiles the
    first is under /, and each under /p/NAME. Lanes need keys of their own, unless the token stands in the URL and the
    client has one.

    SIGHUP, or `lynkr serve reload`, reads profiles and keys anew; no request is dropped. SIGTERM, or `lynkr serve
    stop`, lets requests end. /health/live, /health/ready?deep=1 and /metrics are behind the token like all else.
    """
    if ctx.invoked_subcommand is not None:
        return
    from lynkr import stands

    stands.be_stoppable()
    from lynkr import serving
    from lynkr.plan import Options
    from lynkr.upstream.catalog import is_loopback

    if not is_loopback(host) and not names:
        raise UsageError(f"--host {host} can be reached by others; say with --allow-host by which name they call it")
    options = Options((), standing=True)
    lowered = tuple(name.lower() for name in names)
    wanted = serving.Wanted(options, profiles, host, port, lowered, most, memory and memory * 10**6, notice_s, drain_s,
                            log, otel, asking())  # fmt: skip
    serving.run(wanted, say, (lambda *_: None) if quiet else _begun)
    if log is None or str(log) != "-":
        say("ended")


def _begun(url: str, token: str, profiles: Sequence[str]) -> None:
    lines = [f"{paint('URL', 'bold')}    {url}/{token}", f"{paint('Token', 'bold')}  {token}", ""]
    if len(profiles) > 1:
        places = (f"{url}/{token}" + (f"/p/{name}" if at else "") for at, name in enumerate(profiles))
        lines += [*(f"{name:<16}  {place}" for name, place in zip(profiles, places, strict=True)), ""]
    lines += [
        f"OpenAI's clients     base URL {url}/v1, and the token as API key",
        f"Anthropic's clients  base URL {url}, and the token as API key",
        "",
        "Ctrl-C ends it; lynkr serve reload reads profiles anew; lynkr report --by day says what it cost.",
    ]
    show(lines)


@command.command("status", short_help="What stands, and whether it is ready.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> None:
    """Say which standing proxies there are and whether they take requests. Exit status 1 where none does."""
    import json

    from lynkr import stands

    where = paths(os.environ)
    found = [(note, _ready(note, stands.token(where, os.environ))) for note in stands.standing(where)]
    if as_json:
        show([json.dumps([{**_told(note), "ready": ready} for note, ready in found], indent=1)])
    elif not found:
        show(["no proxy stands; start one: lynkr serve"])
    else:
        show(
            f"{note.url}  process {note.pid}, since {note.since[:16].replace('T', ' ')} UTC: "
            f"{'ready' if ready else 'not ready'}; {', '.join(note.profiles)}"
            + (f"; the last reload failed: {note.problem}" if note.problem else "")
            for note, ready in found
        )
    if not any(ready for _, ready in found):
        raise click.exceptions.Exit(1)


def _told(note: Stands) -> dict[str, object]:
    from dataclasses import asdict

    return {name: value for name, value in asdict(note).items() if name not in ("born", "drain_s")}


def _ready(note: Stands, token: str) -> bool:
    """Whether it takes requests. One that was started with another token says only that it is there."""
    import http.client

    connection = http.client.HTTPConnection(note.reached, note.port, timeout=5)
    try:
        connection.request("GET", f"/{token}/health/ready")
        return connection.getresponse().status in (200, 401)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@command.command("token", short_help="The token that opens it.")
@click.option("--new", is_flag=True, help="Make a new one; a proxy that stands takes it when it is started again.")
def token(new: bool) -> None:
    """Print the token, for a client's settings."""
    from lynkr import stands

    if new and os.environ.get(stands.TOKEN_VARIABLE):
        raise UsageError(f"the token comes from {stands.TOKEN_VARIABLE}; change it there")
    show([stands.token(paths(os.environ), os.environ, new=new)])
    if new and stands.standing(paths(os.environ)):
        say("the proxy that stands takes it when it is started again; until then the old one opens it")


@command.command("reload", short_help="Read profiles and keys anew.")
@click.option("--port", type=int, help="Of which proxy, where there are several.")
def reload(port: int | None) -> None:
    """Read profiles and keys anew, without dropping a request. A mistake in one of them changes nothing."""
    from lynkr import stands

    note = _the_one(port)
    stands.reload(note)
    now = _until(note, lambda after: after is None or after.reloads > note.reloads)
    if now is None:
        raise LynkrError(f"the proxy on port {note.port} ended meanwhile")
    if now.problem:
        raise ConfigError(f"not reloaded, all goes on as before: {now.problem}")
    show([f"reloaded: {', '.join(now.profiles)}"])


@command.command("stop", short_help="End it when what is under way has been served.")
@click.option("--port", type=int, help="Of which proxy, where there are several.")
def stop(port: int | None) -> None:
    """End a standing proxy: it says that it is not ready, lets nobody new in, and serves what is under way."""
    from lynkr import stands

    note = _the_one(port)
    stands.end(note)
    say(f"waiting for process {note.pid}, which ends what is under way")
    _until(note, lambda after: after is None, note.drain_s)
    show(["ended"])


def _the_one(port: int | None) -> Stands:
    from lynkr import stands

    found = [note for note in stands.standing(paths(os.environ)) if port in (None, note.port)]
    if not found:
        raise LynkrError(f"no proxy stands on port {port}" if port else "no proxy stands; start one: lynkr serve")
    if len(found) > 1:
        raise UsageError(f"several stand: give --port {' or '.join(str(note.port) for note in found)}")
    return found[0]


def _until(note: Stands, enough: Callable[[Stands | None], bool], more_s: float = 0.0) -> Stands | None:
    """What a proxy says once that is enough; None where it is gone. It may take so many seconds `more` than usual."""
    from lynkr import stands

    deadline = time.monotonic() + _PATIENCE_S + more_s
    while time.monotonic() < deadline:
        after = next((each for each in stands.standing(paths(os.environ)) if each.pid == note.pid), None)
        if enough(after):
            return after
        time.sleep(0.1)
    raise LynkrError(f"the proxy on port {note.port} (process {note.pid}) has not answered")
