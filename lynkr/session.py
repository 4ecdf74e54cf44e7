"""One session: profile, keys, proxy, child, ledger, report. This is where everything is put together.

The order is the point. What can be wrong is found before anything starts; the port is bound and the child spawned
before the proxy's modules are imported, because the child takes longer to start than they do (its first request waits
in the socket's backlog); the proxy runs in a thread of its own, so that this one does nothing but wait for the child.
"""

from __future__ import annotations

import json
import os
import secrets as randomness
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lynkr import profiles, secrets
from lynkr.errors import ClientError, ConfigError, LynkrError, UsageError
from lynkr.ids import ulid
from lynkr.lane import Auth, Lane
from lynkr.launch.child import Child, locate
from lynkr.launch.launch import Call, Launch, child_environment
from lynkr.launch.tools import ANY, TOOLS, Tool
from lynkr.ledger.recorder import Recorder
from lynkr.ledger.row import Session
from lynkr.paths import Paths, paths, private_folder, write_private
from lynkr.profiles import Profile
from lynkr.report.terminal import summary
from lynkr.report.values import report, unreport
from lynkr.routing.router import Router, router
from lynkr.upstream.capabilities import gives_verdicts
from lynkr.upstream.catalog import base_url, check_url

if TYPE_CHECKING:
    from lynkr.ledger.store import Ledger
    from lynkr.proxy.thread import ProxyThread

_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Options:
    """What `lynkr run` was asked for. `as_command` says that the words stood after `--`."""

    words: tuple[str, ...]
    as_command: bool = False
    profile: str | None = None
    lane: str | None = None
    tier: str | None = None
    report: Path | None = None
    quiet: bool = False
    verbose: bool = False
    nested: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    # A profile made in memory, and the name the report gives the tool: for `lynkr demo`.
    made: Profile | None = None
    tool_name: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A session that could begin: everything that can be wrong beforehand has been looked at."""

    options: Options
    profile: Profile
    router: Router
    keys: Mapping[str, secrets.Key | None]
    tool: Tool
    tool_name: str
    argv: tuple[str, ...]
    where: Paths

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that hold a key of a lane: by their name, or by what is in them."""
        lanes, keys = self.profile.lanes.values(), [key for key in self.keys.values() if key is not None]
        named = {name for lane in lanes if lane.auth is Auth.KEY for name in secrets.variables(lane)}
        environ = self.options.environ.items()
        return tuple(named | {name for name, value in environ if any(key.is_in(value) for key in keys)})


def plan(options: Options) -> Plan:
    """Looks at everything that can be wrong before it starts. Raises LynkrError."""
    if not options.words:
        raise UsageError("say what to run: lynkr run claude, or lynkr run -- COMMAND")
    if options.environ.get("LYNKR_SESSION") and not options.nested:
        raise UsageError(
            "this already runs inside a lynkr session; run the tool as it is, or say --nested for a proxy in a proxy"
        )
    where = paths(options.environ)
    profile = options.made or profiles.choose(options.profile, options.environ, _cwd(), where)
    if options.lane is not None and options.lane not in profile.lanes:
        raise ConfigError(
            f"profile {profile.name!r} has no lane {options.lane!r}; it has {', '.join(profile.lanes)} ({profile.path})"
        )
    if options.tier is not None and not profile.tiers.get(options.tier):
        known = ", ".join(profile.tiers) or "none"
        raise ConfigError(f"profile {profile.name!r} has no lanes for the tier {options.tier!r}; it has: {known}")
    chosen = router(profile.lanes, profile.tiers, lane=options.lane, tier=options.tier)
    tool_name, tool = _tool(options)
    _check_spoken(tool_name, tool, chosen)
    keys = {lane.name: secrets.find(lane, options.environ) for lane in _reachable(chosen, tool)}
    path = locate(options.words[0], options.environ, tool.INSTALL)
    name = options.tool_name or tool_name
    return Plan(options, profile, chosen, keys, tool, name, (path, *options.words[1:]), where)


def _cwd() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(f"the current directory cannot be used: {error.strerror}") from error


def _tool(options: Options) -> tuple[str, Tool]:
    name = Path(options.words[0]).name
    if name in TOOLS:
        return name, TOOLS[name]
    if options.as_command:
        return name, ANY
    import difflib

    close = difflib.get_close_matches(name, list(TOOLS), 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(
        f"{name!r} is not a tool that lynkr knows ({', '.join(TOOLS)}); {hint}"
        f"For any command that reads the usual base-URL variables: lynkr run -- {' '.join(options.words)}"
    )


def _check_spoken(name: str, tool: Tool, chosen: Router) -> None:
    """Raises ConfigError where no lane can serve what the tool speaks: better now than at its first request."""
    spoken = tool.SPEAKS
    serving = [lane for lane in chosen.lanes if any(map(lane.format_for, spoken))]
    if not serving:
        lanes = "; ".join(f"{lane.name} speaks {', '.join(lane.formats)}" for lane in chosen.lanes)
        raise ConfigError(
            f"{name} speaks {', '.join(spoken)}; the lanes of the profile speak other formats with the tool's own "
            f"credential, which would mean nothing there ({lanes}); give a lane a key of its own, or use "
            f"--profile direct"
        )
    for lane in serving:
        if lane.model is None and not set(spoken) & set(lane.formats):
            raise ConfigError(
                f"lane {lane.name!r} has no model, and the names of models that {name} asks for mean nothing to "
                f'{lane.provider}; add model = "…" to [lanes.{lane.name}]'
            )


def _reachable(chosen: Router, tool: Tool) -> list[Lane]:
    """The lanes that this session can send anything down: for each format the tool speaks, the first."""
    found = []
    for spoken in tool.SPEAKS:
        try:
            lane = chosen.plan(spoken).lane
        except ClientError:
            continue
        if lane not in found:
            found.append(lane)
    return found


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with its port, secret and launch."""

    plan: Plan
    id: str
    secret: str
    listener: socket.socket
    folder: Path
    launch: Launch

    @property
    def environment(self) -> dict[str, str]:
        """The child's environment."""
        return child_environment(_call(self.plan, self.port, self.secret, self.folder), self.launch, self.id,
                                 self.plan.key_variables)  # fmt: skip

    @property
    def port(self) -> int:
        """The proxy's port on 127.0.0.1."""
        return int(self.listener.getsockname()[1])


def _call(planned: Plan, port: int, secret: str, folder: Path) -> Call:
    environ = planned.options.environ
    home = Path(environ.get("HOME") or Path.home())
    lanes = planned.router.lanes
    verdicts = frozenset(lane.name for lane in lanes if gives_verdicts(lane))
    return Call(planned.argv, environ, _cwd(), home, port, secret, folder, lanes, verdicts)


def _launch(planned: Plan, call: Call) -> Launch:
    launch = planned.tool.launch(call)
    for provider, url in launch.origins.items():
        check_url(url, f"the base URL that is set for {provider}")
    return launch


def destinations(planned: Plan) -> list[str]:
    """Where the session's lanes send things, a line each."""
    launch, _ = preview(planned)
    lines = []
    for lane in planned.router.lanes:
        names = " or ".join(secrets.variables(lane))
        credential = {
            Auth.CLIENT: "the tool's own credential",
            Auth.KEY: f"key from {names}",
            Auth.NONE: "no credential",
        }[lane.auth]
        model = f", model {lane.model}" if lane.model else ""
        lines.append(f"lane {lane.name} → {base_url(lane, launch.origins, {})}{model}, {credential}")
    return lines


def preview(planned: Plan) -> tuple[Launch, dict[str, str]]:
    """What starting would inject, with PORT and SECRET in place of the real ones: (the launch, the environment)."""
    call = _call(planned, 0, "SECRET", Path("SESSION_FOLDER"))
    launch = _launch(planned, call)
    environment = child_environment(call, launch, "SESSION", planned.key_variables)
    changed = {name: value for name, value in environment.items() if planned.options.environ.get(name) != value}
    return launch, changed


class Ended(NamedTuple):
    """A session that is over: the child's exit status (128+N where signal N ended it) and the report."""

    status: int
    report: dict[str, Any]


def run(planned: Plan, say: Callable[[str], None]) -> Ended:
    """Runs a session to its end. Raises LynkrError where the child could not be started."""
    with _prepared(planned) as session:
        for note in (*session.launch.notes, *_unacted(planned)):
            say(note)
        began, started = time.monotonic(), _now()
        line = Session(session.id, planned.tool_name, planned.profile.name, str(_cwd()), started)
        with Child(session.launch.argv, session.environment) as child:
            recorder = Recorder(planned.where.ledger, line)
            proxy = _start_proxy(session, recorder, say)
            try:
                status = child.wait()
            finally:
                proxy.stop()
            line = replace(line, seconds=round(time.monotonic() - began, 3), exit_status=status)
            if proxy.problem is not None and not proxy.alarmed:
                say(f"the proxy had a fault of its own ({proxy.problem!r}); please report it")
            # Still within: a Ctrl-C here must not cost the report.
            return Ended(status, _finish(planned, line, recorder, child, say))


def _unacted(planned: Plan) -> tuple[str, ...]:
    if not planned.profile.later:
        return ()
    return (f"profile {planned.profile.name}: {', '.join(planned.profile.later)} is checked but not acted on yet",)


@contextmanager
def _prepared(planned: Plan) -> Iterator[Prepared]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    identity, secret = _new_id(), randomness.token_hex(16)
    folder = _session_folder(planned.where, identity)
    try:
        port = int(listener.getsockname()[1])
        launch = _launch(planned, _call(planned, port, secret, folder))
        for path, text in launch.files.items():
            write_private(path, text)
        yield Prepared(planned, identity, secret, listener, folder, launch)
    finally:
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _session_folder(where: Paths, identity: str) -> Path:
    """A folder for this session alone. A place that cannot be written to is no reason not to start."""
    try:
        _sweep(where.sessions)
        return private_folder(where.sessions / f"{os.getpid()}-{identity}")
    except OSError:
        return Path(tempfile.mkdtemp(prefix="lynkr-"))


def _sweep(sessions: Path) -> None:
    """Removes what sessions that were killed have left."""
    if not sessions.is_dir():
        return
    for folder in sessions.iterdir():
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_proxy(session: Prepared, recorder: Recorder, say: Callable[[str], None]) -> ProxyThread:
    # Only now: the thread that this starts imports what is heavy.
    from lynkr.proxy.thread import ProxyThread, Setting

    setting = Setting(
        listener=session.listener,
        port=session.port,
        secret=session.secret,
        carrier=session.launch.carrier,
        router=session.plan.router,
        origins=session.launch.origins,
        keys=session.plan.keys,
        environ=session.plan.options.environ,
        speaks=session.plan.tool.SPEAKS,
        record=recorder.put,
        alarm=say,
        now=_now,
        new_id=_new_id,
    )
    return ProxyThread(setting)


def _finish(
    planned: Plan, line: Session, recorder: Recorder, child: Child, say: Callable[[str], None]
) -> dict[str, Any]:
    """Writes the session's end to the ledger, or the report beside it, and says what it cost."""
    waiting = "waiting for the ledger, which something else holds; Ctrl-C keeps the report in a file instead"
    problem = recorder.close(line, waiting=lambda: say(waiting), enough=lambda: child.hurried)
    values = report(line, sorted(recorder.rows, key=lambda row: row.id))
    text = json.dumps(values, indent=1)
    stored = problem is None
    if problem is not None:
        say(f"{problem}; this session's report is kept in {_keep(planned.where, line.id, text)}")
    else:
        _adopt(planned.where, say)
    if planned.options.report is not None:
        try:
            planned.options.report.write_text(text + "\n", "utf-8")
        except OSError as error:
            say(f"--report {planned.options.report} cannot be written: {error.strerror}")
    if not planned.options.quiet:
        say(summary(values, stored=stored))
    return values


_KEPT = "unsaved-*.json"


def _keep(where: Paths, identity: str, text: str) -> Path:
    """Puts a report that the ledger did not take beside it, or, where that cannot be, among temporary files."""
    try:
        path = private_folder(where.unsaved) / _KEPT.replace("*", identity)
        write_private(path, text)
    except OSError:
        path = Path(tempfile.gettempdir()) / f"lynkr-{_KEPT.replace('*', identity)}"
        write_private(path, text)
    return path


def _adopt(where: Paths, say: Callable[[str], None]) -> None:
    """Takes reports that were kept beside the ledger into it, now that it can be written again."""
    kept = sorted(where.unsaved.glob(_KEPT))
    if not kept:
        return
    from lynkr.ledger.store import Ledger

    try:
        with Ledger(where.ledger) as ledger:
            for path in kept:
                _adopt_one(ledger, path, say)
    except LynkrError as error:
        say(f"{error}; {len(kept)} reports wait beside it")


def _adopt_one(ledger: Ledger, path: Path, say: Callable[[str], None]) -> None:
    try:
        ledger.save(*unreport(json.loads(path.read_text("utf-8"))))
        path.unlink()
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"{path} cannot be taken into the ledger ({error!r}); remove it, or mend it")
    else:
        say(f"the ledger can be written again: {path.name} is in it now")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _new_id() -> str:
    return ulid(time.time_ns() // 1_000_000, os.urandom(10))
