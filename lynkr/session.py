"""One session: proxy, child, ledger, report. This is where everything is put together.

The order is the point. What can be wrong has been found before (`plan`); the port is bound and the child spawned
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lynkr.errors import LynkrError
from lynkr.ids import ulid
from lynkr.join import NOTE, note, put
from lynkr.kept import Kept, Made
from lynkr.lane import Auth
from lynkr.launch.child import Child, reachable
from lynkr.launch.launch import STATUS, Launch, child_environment
from lynkr.launch.tools.codex import carriers
from lynkr.ledger.recorder import Recorder
from lynkr.ledger.row import Session
from lynkr.paths import Paths, private_folder, write_private
from lynkr.plan import Plan, call_of, cwd, launch_of
from lynkr.report.status import StatusLine
from lynkr.report.terminal import summary
from lynkr.report.values import report, unreport
from lynkr.running import new_folder
from lynkr.transforms.settings import OFF

if TYPE_CHECKING:
    from lynkr.ledger.store import Ledger
    from lynkr.proxy.thread import ProxyThread
    from lynkr.transforms.shaper import Change

_BACKLOG = 128


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
        began, started = time.monotonic(), _now()
        line = Session(session.id, planned.tool_name, planned.profile.name, str(cwd()), started)
        with Child(session.launch.argv, session.environment) as child:
            shown = StatusLine(session.folder / STATUS, planned.profile.name) if planned.status_line else None
            recorder = Recorder(planned.where.ledger, line, shown.add if shown else None)
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
    identity, secret = _new_id(), randomness.token_hex(16)
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


def _start_proxy(session: Prepared, recorder: Recorder, say: Callable[[str], None]) -> ProxyThread:
    # Only now: the thread that this starts imports what is heavy.
    from lynkr.proxy.thread import ProxyThread, Setting

    setting = Setting(
        listener=session.listener,
        port=session.port,
        secret=session.secret,
        carriers=(
            *([session.launch.carrier] if session.launch.carrier else []),
            *carriers(session.plan.options.environ),
        ),
        router=session.plan.router,
        origins=session.launch.origins,
        keys={name: held.credential for name, held in session.plan.held.items()},
        environ=session.plan.options.environ,
        speaks=session.plan.tool.SPEAKS,
        record=recorder.put,
        alarm=say,
        now=_now,
        new_id=_new_id,
        compress=session.plan.compress,
        keep=_keeping(session, say),
        budget=session.plan.budget,
        spent=lambda: _spent(session),
        healths=session.plan.where.healths,
        caching=session.plan.profile.caching,
        bypassing=session.plan.profile.bypassing,
        shelf=session.plan.where.answers,
        profile=session.plan.profile.name,
    )
    return ProxyThread(setting)


def _spent(session: Prepared) -> dict[str, float]:
    """What other sessions have spent with this profile, today and this month, by the local calendar."""
    from lynkr.ledger.store import Ledger

    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    begins = {"day": today, "month": today.replace(day=1)}
    try:
        with Ledger(session.plan.where.ledger) as ledger:
            return {
                period: ledger.spent(session.plan.profile.name, begin.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                                     session.id)
                for period, begin in begins.items()
            }  # fmt: skip
    except LynkrError:
        return {}  # the recorder says what is wrong with the ledger


def _keeping(session: Prepared, say: Callable[[str], None]) -> Callable[[Change, str], None] | None:
    """Keeps what was compressed. A disk that is full costs a warning, once, and no request."""
    kept, failed = Kept(session.plan.where.kept), list[OSError]()
    if session.plan.compress == OFF:
        return None
    if not kept.usable():
        say(f"{kept.folder} cannot be written to: tool results keep what could not be had back")
        return None

    def keep(change: Change, request: str) -> None:
        try:
            kept.put(change.id, change.before)
            kept.note(session.id, Made(request, change.id, change.label, tuple(change.cuts), change.after))
        except OSError as error:
            if not failed:
                say(f"originals of compressed results cannot be kept in {kept.folder}: {error.strerror}")
            failed.append(error)

    return keep


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
    Kept(planned.where.kept).prune(time.time())
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
