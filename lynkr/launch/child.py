"""The child shares our terminal and process group; we are there, and out of the way.

What the keyboard sends (INT, QUIT) reaches the whole group, so the child has had it already: we swallow ours while it
lives. TERM and HUP are sent to us alone and are passed on. TSTP, CONT and WINCH are nobody's business but the
terminal's: the group stops and goes on together. We end as the child ends.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

from lynkr.errors import EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, ToolError

try:
    import termios
except ImportError:  # Windows has none
    termios = None  # type: ignore[assignment]

_SWALLOWED = ("SIGINT", "SIGQUIT")
_FORWARDED = ("SIGTERM", "SIGHUP")


def locate(name: str, environ: Mapping[str, str], install: str = "") -> str:
    """The path of the command `name`, past shims. Raises ToolError: 127 where it is not, 126 where it cannot be run."""
    path = environ.get("PATH", os.defpath)
    if found := which(name, path):
        return found
    places = [Path(name)] if os.sep in name else [Path(folder, name) for folder in path.split(os.pathsep) if folder]
    for place in places:
        if place.is_dir() and os.sep in name:
            raise ToolError(f"{place} is a directory", exit_status=EXIT_NOT_EXECUTABLE)
        if place.is_file():
            raise ToolError(f"{place} is not executable; chmod +x it", exit_status=EXIT_NOT_EXECUTABLE)
    hint = f"; install it with: {install}" if install else ""
    raise ToolError(f"{name} is not found{'' if os.sep in name else ' on PATH'}{hint}", exit_status=EXIT_NOT_FOUND)


SHIM = "A shim of lynkr's"


def which(name: str, path: str) -> str | None:
    """The command `name` on `path` that is no shim of lynkr's, ours or another's: those would only call us again."""
    if os.sep in name:
        return shutil.which(name)
    found = (shutil.which(name, path=folder) for folder in path.split(os.pathsep) if folder)
    return next((one for one in found if one and not is_shim(Path(one))), None)


def own_command() -> Path:
    """Where this very lynkr is called from, also by somebody who has another environment."""
    beside = Path(sys.executable).with_name("lynkr.exe" if os.name == "nt" else "lynkr")
    return beside if beside.is_file() else Path(shutil.which("lynkr") or sys.argv[0]).resolve()


def reachable(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """`environment`, in which a model's `lynkr expand` finds lynkr: it may have been called by its path.

    Then a link to it, alone in a new `folder`, stands last on PATH. Raises OSError.
    """
    path = environment.get("PATH", os.defpath)
    if shutil.which("lynkr", path=path):
        return dict(environment)
    own = own_command()
    if own.stem != "lynkr":  # run as a module, with no command of that name
        return dict(environment)
    folder.mkdir(mode=0o700)
    (folder / own.name).symlink_to(own)
    return {**environment, "PATH": f"{path}{os.pathsep}{folder}"}


def is_shim(path: Path) -> bool:
    """Whether a file is a shim of lynkr's."""
    try:
        with path.open("rb") as file:
            return SHIM.encode() in file.read(300)
    except OSError:
        return False


def shims(folder: Path) -> list[Path]:
    """The shims in a folder."""
    return [path for path in sorted(folder.iterdir()) if is_shim(path)] if folder.is_dir() else []


def is_first(shim: Path, path: str) -> bool:
    """Whether a shell with that PATH finds a shim before anything else of its name."""
    first = shutil.which(shim.stem, path=path)
    return first is not None and Path(first).resolve() == shim.resolve()


class Child:
    """A tool that runs in our terminal. Within its `with`, signals are the child's; `hurried` says that one came after
    the child's end."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        """Starts it. Raises ToolError."""
        self.hurried = False
        self._before = _signals()
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._listen()
        self._terminal = _terminal_state()
        try:
            self._process = subprocess.Popen(argv, env=dict(environment))
        except OSError as error:
            self._restore_signals()
            raise _cannot_start(argv[0], error) from error
        for number in self._early:
            self._process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore_signals()

    def wait(self) -> int:
        """Waits for its end; its exit status, 128+N where signal N ended it."""
        assert self._process is not None
        status = self._process.wait()
        if status >= 0:
            return status
        _restore_terminal(self._terminal)
        return 128 - status

    def _listen(self) -> None:
        for number, before in self._before.items():
            # What was ignored when we started (nohup, a job in the background) stays so, for the child too.
            if before is not signal.SIG_IGN:
                # Swallowed by a function and not by SIG_IGN, which the child would inherit.
                signal.signal(number, self._swallow if number.name in _SWALLOWED else self._forward)

    def _swallow(self, _number: int, _frame: FrameType | None) -> None:
        self.hurried = self._process is not None and self._process.returncode is not None

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        elif self._process.returncode is not None:
            self.hurried = True
        else:
            self._process.send_signal(number)

    def _restore_signals(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)


def _signals() -> dict[signal.Signals, Any]:
    """The signals that matter here, with what they do now; those that this platform has."""
    names = [name for name in (*_SWALLOWED, *_FORWARDED) if hasattr(signal, name)]
    return {signal.Signals[name]: signal.getsignal(signal.Signals[name]) for name in names}


def version(path: str, timeout_s: float = 10.0) -> str | None:
    """The version that a tool says of itself, None where it does not in time."""
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return found[0] if found and done.returncode == 0 else None


def become(argv: tuple[str, ...], environment: Mapping[str, str]) -> NoReturn:
    """Gives our place to a tool. Raises ToolError where it cannot be started."""
    try:
        os.execve(argv[0], argv, dict(environment))  # noqa: S606 - a list, and no shell
    except OSError as error:
        raise _cannot_start(argv[0], error) from error


def _cannot_start(name: str, error: OSError) -> ToolError:
    if error.errno == errno.ENOENT:
        return ToolError(f"{name} cannot be started: its interpreter is not found", exit_status=EXIT_NOT_FOUND)
    if error.errno == errno.ENOEXEC:
        return ToolError(f"{name} is no program and has no #! line", exit_status=EXIT_NOT_EXECUTABLE)
    return ToolError(f"{name} cannot be started: {error.strerror or error}", exit_status=EXIT_NOT_EXECUTABLE)


def _terminal_state() -> list[Any] | None:
    """How the terminal is set, to be put back where a signal keeps the child from doing so itself."""
    if termios is None or sys.stdin is None or not sys.stdin.isatty():
        return None
    with contextlib.suppress(termios.error):
        return termios.tcgetattr(sys.stdin.fileno())
    return None


def _restore_terminal(state: list[Any] | None) -> None:
    if termios is None or state is None:
        return
    fd = sys.stdin.fileno()
    with contextlib.suppress(OSError, termios.error):
        # From the background this would stop us.
        if os.tcgetpgrp(fd) == os.getpgrp():
            termios.tcsetattr(fd, termios.TCSADRAIN, state)


@contextlib.contextmanager
def companion(argv: list[str], *, quiet: bool = False) -> Iterator[str]:
    """A helper process that says on its first line that it is ready, for as long as it is needed; gives that line.

    `quiet` keeps what it says on stderr from the user.
    """
    errors = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
