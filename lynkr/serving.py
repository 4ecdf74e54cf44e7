"""`lynkr serve`, put together: profiles with their keys, the port, a recorder for each profile, logs, and the proxy."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from lynkr import stands, unsaved
from lynkr.errors import ConfigError
from lynkr.furnish import new_id, now, setting_of
from lynkr.kept import Kept
from lynkr.ledger.recorder import Recorder
from lynkr.ledger.row import Row, Session
from lynkr.paths import Paths, paths
from lynkr.plan import Options, Plan, plan
from lynkr.proxy.load import Load
from lynkr.proxy.setting import Door, Setting
from lynkr.report.log import entry, notice, readable
from lynkr.report.values import report
from lynkr.telemetry import Telemetry

_BACKLOG = 1024
# Of the memory that there is, what requests may hold at once; and descriptors that are ours.
_SHARE = 0.5
_OURS = 64
_MOST = 512
_DAY_S = 86_400.0
# Where it may listen without being told its names: the gate lets these in by itself.
_AT_HOME = ("127.0.0.1", "localhost")
_UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `lynkr serve` was asked for. `log` is where lines of JSON go, None for lines that people read on stderr."""

    options: Options
    profiles: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8711
    names: tuple[str, ...] = ()
    most: int | None = None
    memory: int | None = None
    notice_s: float = 5.0
    drain_s: float = 60.0
    log: Path | None = None
    otel: bool = False
    # How a passphrase is asked for at the start; None where nobody can be asked.
    ask: Callable[[str], str] | None = None

    @property
    def where(self) -> Paths:
        """lynkr's folders."""
        return paths(self.options.environ)


@dataclass(slots=True)
class Serving:
    """A standing proxy's parts, from its first profile to its last row; `log` takes lines of JSON."""

    wanted: Wanted
    say: Callable[[str], None]
    log: IO[str] | None = None
    recorders: dict[str, tuple[Recorder, Session, float]] = field(default_factory=dict)
    telemetry: Telemetry | None = None
    note: stands.Stands | None = None
    _pruned: float = 0.0

    def read(self) -> list[Setting]:
        """Reads the profiles and their keys, now. Raises LynkrError; then nothing has changed."""
        asked = [self.wanted.options._replace(profile=name) for name in self.wanted.profiles or (None,)]
        plans = [plan(options, self.notice, self.wanted.ask if self.note is None else None) for options in asked]
        names = [made.profile.name for made in plans]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"profile {twice[0]!r} is given twice")
        for made in plans:
            for told in made.notes:
                self.notice(told)
        return [self._setting(made) for made in plans]

    def _setting(self, made: Plan) -> Setting:
        recorder, session, _ = self._recorder(made)
        return setting_of(made, session.id, recorder.put, self.notice, {})

    def _recorder(self, made: Plan) -> tuple[Recorder, Session, float]:
        name = made.profile.name
        if name not in self.recorders:
            place = f"{self.wanted.host}:{self.wanted.port}"
            session = Session(new_id(), "serve", name, place, now())
            recorder = Recorder(made.where.ledger, session, lambda rows: self._told(session, rows), keeps=False)
            self.recorders[name] = (recorder, session, time.monotonic())
        return self.recorders[name]

    def _told(self, session: Session, rows: Sequence[Row]) -> None:
        """Hears of rows in a recorder's thread: logs them, and hands them to whoever traces."""
        if self.telemetry is not None:
            self.telemetry.add(session, rows)
        self._write([json.dumps(entry(session, row)) if self.log else readable(session, row) for row in rows])
        if not self._pruned or time.monotonic() - self._pruned > _DAY_S:
            self._pruned = time.monotonic()
            Kept(self.wanted.where.kept).prune(time.time())

    def notice(self, text: str) -> None:
        """Tells the operator something, where the log is."""
        if self.log is None:
            with suppress(OSError):  # whoever read it may be gone
                self.say(text)
        else:
            self._write([json.dumps(notice(now(), text))])

    def _write(self, lines: Sequence[str]) -> None:
        # A full disk, or a pipe whose reader is gone: the ledger has what counts.
        with suppress(OSError):
            out = self.log or sys.stderr
            out.write("".join(f"{line}\n" for line in lines))
            out.flush()

    def well(self) -> str:
        """What is wrong with the ledger, "" where nothing is."""
        return next((recorder.problem for recorder, _, _ in self.recorders.values() if recorder.problem), "")

    def told(self, profiles: Sequence[str], problem: str) -> None:
        """Notes how a reload went, for whoever asked for it."""
        if self.note is not None:
            self.note = replace(self.note, profiles=tuple(profiles), reloads=self.note.reloads + 1, problem=problem)
            with suppress(OSError):  # a full disk is no reason to serve nobody
                stands.leave(self.wanted.where, self.note)

    def close(self) -> None:
        """Writes every session's end. What the ledger does not take is kept beside it."""
        where = self.wanted.where
        for recorder, session, began in self.recorders.values():
            ended = replace(session, seconds=round(time.monotonic() - began, 3), exit_status=0)
            problem = recorder.close(ended)
            if recorder.deaf:
                self.notice(f"logs and traces of {session.profile} were given up ({recorder.deaf}); please report it")
            if problem is not None:
                text = json.dumps(report(ended, recorder.unsaved), indent=1)
                self.notice(f"{problem}; the rows are kept in {unsaved.keep(where, session.id, text)}")
        unsaved.adopt(where, self.notice)
        if self.telemetry is not None:
            self.telemetry.close()


def run(wanted: Wanted, say: Callable[[str], None], begun: Callable[[str, str, Sequence[str]], None]) -> None:
    """Serves until it is told to end. Raises LynkrError where it cannot begin.

    `begun` hears the address, the token and the profiles once it listens.
    """
    from lynkr.proxy.standing import Patience, Stand, stand

    token = stands.token(wanted.where, wanted.options.environ)
    with _opened(wanted.log) as log, _listen(wanted) as listener:
        serving = Serving(replace(wanted, port=int(listener.getsockname()[1])), say, log)
        if wanted.otel:
            serving.telemetry = Telemetry()
        settings = serving.read()
        profiles = tuple(setting.profile for setting in settings)
        serving.note = note = stands.Stands(
            os.getpid(),
            wanted.host,
            serving.wanted.port,
            profiles,
            now(),
            born=stands.born(os.getpid()),
            drain_s=wanted.notice_s + wanted.drain_s,
        )
        try:
            stands.leave(wanted.where, note)
            begun(note.url, token, profiles)
            own = [] if wanted.host in _AT_HOME else [f"[{wanted.host}]" if ":" in wanted.host else wanted.host]
            names = (*wanted.names, *own)
            made = Stand(settings, Door(listener, note.port, token), names, _load(wanted),
                         Patience(wanted.notice_s, wanted.drain_s), serving.well, serving.read, serving.told,
                         serving.notice)  # fmt: skip
            stand(made)
        finally:
            stands.be_left_alone()
            try:
                serving.close()
            finally:
                stands.gone(wanted.where, note)


def _listen(wanted: Wanted) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
        return socket.create_server((wanted.host, wanted.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        ours = next((other for other in stands.standing(wanted.where) if other.port == wanted.port), None)
        if ours is not None:
            known = f"lynkr serve is there already (process {ours.pid}); lynkr serve stop ends it"
            raise ConfigError(f"port {wanted.port} is taken: {known}, or give another --port") from error
        raise ConfigError(
            f"{wanted.host}:{wanted.port} cannot be listened on: {error.strerror or error}; give another --port"
        ) from error


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
    elif str(path) == "-":
        yield sys.stderr
    else:
        try:
            log = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--log {path} cannot be written: {error.strerror}") from error
        with log:
            yield log


def _load(wanted: Wanted) -> Load:
    """What is taken at once: what was said, else what descriptors and memory allow."""
    descriptors = max(_descriptors() - _OURS, 32)
    most = wanted.most or min(_MOST, descriptors // 4)
    return Load(most, wanted.memory or _memory(), max(descriptors // 2, 2 * most))


def _descriptors() -> int:
    """How many files may be open, after asking for as many as can be had."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 4 * _MOST + _OURS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def _memory() -> int:
    """The bytes that requests may hold: a share of the machine's memory, or of what its container may use."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        whole = 4 << 30
    return int(min(whole, *_allowed(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))) * _SHARE)


def _allowed(groups: Path, root: Path) -> list[int]:
    """The limits of memory of the control groups that this process is in, and of those above them (cgroup 2 and 1)."""
    found = list[int]()
    with suppress(OSError):
        for line in groups.read_text("utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds not in ("", "memory"):
                continue
            top, name = (root / "memory", "memory.limit_in_bytes") if kinds else (root, "memory.max")
            own = top / path.lstrip("/")
            for folder in (own, *own.parents):
                if folder.is_relative_to(top):
                    with suppress(OSError, ValueError):
                        found.append(int((folder / name).read_text("ascii")))
    return found or [_UNLIMITED]
