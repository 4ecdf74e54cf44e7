"""One session: proxy, child, ledger, report. This is where everything is put together.

The order is the point. What can be wrong has been found before (`plan`); the port is bound and the child spawned
before the proxy's modules are imported, because the child takes longer to start than they do (its first request waits
in the socket's backlog); the proxy runs in a thread of its own, so that this one does nothing but wait for the child.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lynkr.furnish import new_id, now, setting_of
from lynkr.join import NOTE, note, put
from lynkr.kept import Kept
from lynkr.lane import Auth
from lynkr.launch.child import Child, reachable
from lynkr.launch.launch import STATUS, Launch, child_environment
from lynkr.paths import write_private
from lynkr.plan import Plan, call_of, cwd, launch_of
from lynkr.running import new_folder
from lynkr.transforms.settings import OFF

if TYPE_CHECKING:
    from lynkr.ledger.recorder import Recorder
    from lynkr.ledger.row import Session
    from lynkr.proxy.thread import ProxyThread

_BACKLOG = 128


class Prepared(NamedTuple):
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
        environment = child_environment(call_of(self.plan, self.port, self.secret, self.folder), self.launch, self.id,
                                        self.plan.key_variables)  # fmt: skip
        if self.plan.compress == OFF:
            return environment
        try:
            return reachable(environment, self.folder / "bin")
        except OSError:  # where no links can be made, the stub still says what was left out
            return environment

    @property
    def port(self) -> int:
        """The proxy's port on 127.0.0.1."""
        return int(self.listener.getsockname()[1])


class Ended(NamedTuple):
    """A session that is over: the child's exit status (128+N where signal N ended it) and the report."""

    status: int
    report: dict[str, Any]


def run(planned: Plan, say: Callable[[str], None]) -> Ended:
    """Runs a session to its end. Raises LynkrError where the child could not be started."""
    with _prepared(planned) as session:
        for note in (*planned.notes, *session.launch.notes, *_notes(planned)):
            say(note)
        began, started, project = time.monotonic(), now(), str(cwd())
        with Child(session.launch.argv, session.environment) as child:
            line, recorder = _start_recorder(session, started, project)
            proxy = _start_proxy(session, recorder, say)
            try:
                status = child.wait()
            finally:
                proxy.stop()
            line = replace(line, seconds=round(time.monotonic() - began, 3), exit_status=status)
            if proxy.problem is not None and not proxy.alarmed:
                say(f"the proxy had a fault of its own ({proxy.problem!r}); please report it")
            for trouble in () if planned.options.quiet else proxy.troubles:
                say(trouble)
            # Still within: a Ctrl-C here must not cost the report.
            return Ended(status, _finish(planned, line, recorder, child, say))


def _notes(planned: Plan) -> Iterator[str]:
    """What the profile asks for and does not get."""
    if planned.budget.limits:
        from lynkr.ledger.prices import table

        unknown = [
            lane.name
            for lane in planned.router.lanes
            if lane.model and not lane.price and lane.auth is not Auth.NONE
            and not table().find(lane.model, lane.provider, lane.region)
        ]  # fmt: skip
        if unknown:
            yield f"the budget cannot see what lane {', '.join(unknown)} costs: no price is known; give it a `price`"


@contextmanager
def _prepared(planned: Plan) -> Iterator[Prepared]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    identity, secret = new_id(), os.urandom(16).hex()
    folder = new_folder(planned.where, identity)
    try:
        port = int(listener.getsockname()[1])
        launch = launch_of(planned, call_of(planned, port, secret, folder))
        put(launch)
        write_private(folder / NOTE, note(planned, launch))
        yield Prepared(planned, identity, secret, listener, folder, launch)
    finally:
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _start_recorder(session: Prepared, started: str, project: str) -> tuple[Session, Recorder]:
    # As below: the child is starting, and has no use for this.
    from lynkr.ledger.recorder import Recorder
    from lynkr.ledger.row import Session
    from lynkr.report.status import StatusLine

    plan = session.plan
    line = Session(session.id, plan.tool_name, plan.profile.name, project, started)
    shown = StatusLine(session.folder / STATUS, plan.profile.name) if plan.status_line else None
    return line, Recorder(plan.where.ledger, line, shown.add if shown else None)


def _start_proxy(session: Prepared, recorder: Recorder, say: Callable[[str], None]) -> ProxyThread:
    # Only now: the thread that this starts imports what is heavy.
    from lynkr.launch.tools.codex import carriers
    from lynkr.proxy.setting import Door
    from lynkr.proxy.thread import ProxyThread

    carrier = [session.launch.carrier] if session.launch.carrier else []
    door = Door(session.listener, session.port, session.secret, (*carrier, *carriers(session.plan.options.environ)))
    setting = setting_of(session.plan, session.id, recorder.put, say, session.launch.origins)
    return ProxyThread(door, setting)


def _finish(
    planned: Plan, line: Session, recorder: Recorder, child: Child, say: Callable[[str], None]
) -> dict[str, Any]:
    """Writes the session's end to the ledger, or the report beside it, and says what it cost."""
    from lynkr import unsaved
    from lynkr.report.terminal import summary
    from lynkr.report.values import report

    waiting = "waiting for the ledger, which something else holds; Ctrl-C keeps the report in a file instead"
    problem = recorder.close(line, waiting=lambda: say(waiting), enough=lambda: child.hurried)
    if recorder.deaf:
        say(f"the status line was given up ({recorder.deaf}); please report it")
    values = report(line, sorted(recorder.rows, key=lambda row: row.id))
    text = json.dumps(values, indent=1)
    stored = problem is None
    if problem is not None:
        say(f"{problem}; this session's report is kept in {unsaved.keep(planned.where, line.id, text)}")
    else:
        unsaved.adopt(planned.where, say)
    Kept(planned.where.kept).prune(time.time())
    if planned.options.report is not None:
        try:
            planned.options.report.write_text(text + "\n", "utf-8")
        except OSError as error:
            say(f"--report {planned.options.report} cannot be written: {error.strerror}")
    if not planned.options.quiet:
        say(summary(values, stored=stored))
    return values
