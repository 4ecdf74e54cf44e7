"""A real Secret Service for a test: gnome-keyring on a session bus of its own, unlocked with a password nobody keeps.

The bus starts nothing by itself and knows no address but its own folder, so no desktop, no keyring and no home of the
user's can be reached, and no dialog can appear. What a test gets are variables for a subprocess. The states a user may
be in are each a line:

    with secret_service() as service: …                                 a desktop, unlocked
        service.lock(): …                                               locked, and nobody there to ask
        with nobody_answers(service.environ, PROMPTER): …               locked, and a dialog that waits (for 25 s)
    with session_bus() as environ: …                                    a bus without a keyring, as over ssh
        with nobody_answers(environ, SERVICE): …                        a keyring that hangs (for ever)

Debian: `apt-get install --no-install-recommends gnome-keyring dbus-daemon`; Python: SecretStorage, which keyring needs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SERVICE = "org.freedesktop.secrets"
PROMPTER = "org.gnome.keyring.SystemPrompter"
PROGRAMS = {"dbus-daemon": "dbus-daemon", "gnome-keyring-daemon": "gnome-keyring", "setpriv": "util-linux"}
PATIENCE = 10.0

# As Debian's session.conf, less what starts services, and with a socket that we choose.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""


@dataclass(frozen=True)
class SecretService:
    """A keyring that runs: `environ` is what a subprocess needs to use it, and nothing else."""

    environ: dict[str, str]

    def lock(self) -> None:
        """Locks the keyring, as a screen saver may. Nothing but its end unlocks it."""
        with _connected(self.environ) as connection:
            import secretstorage

            secretstorage.Collection(connection).lock()


@contextlib.contextmanager
def session_bus() -> Iterator[dict[str, str]]:
    """A session bus with nobody on it; yields the variables that lead there, to a home that is empty."""
    _skip_without()
    # Not in tmp_path: the name of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bus-") as name:
        folder = Path(name)
        rooms = {"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data"}
        environ = {variable: str(folder / room) for variable, room in (rooms | {"XDG_CACHE_HOME": "cache"}).items()}
        for room in environ.values():
            Path(room).mkdir(mode=0o700)
        path = str(folder / "socket")
        environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={path}"
        configuration = folder / "bus.conf"
        configuration.write_text(BUS.format(socket=path))
        command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile"]
        with _running(command, environ, folder / "bus.log") as bus:
            _wait_until(lambda: _listens(path), bus, folder / "bus.log")
            yield environ


@contextlib.contextmanager
def secret_service() -> Iterator[SecretService]:
    """gnome-keyring on a bus of its own, unlocked; skips the test, with the reason, where it is not installed."""
    with session_bus() as environ:
        folder = Path(environ["HOME"]).parent
        command = [_daemon(folder), "--foreground", "--unlock", "--components=secrets"]
        with _running(command, environ, folder / "daemon.log", b"nobody keeps this") as daemon:
            _wait_until(lambda: _unlocked(environ), daemon, folder / "daemon.log")
            yield SecretService(environ)


@contextlib.contextmanager
def nobody_answers(environ: dict[str, str], name: str) -> Iterator[None]:
    """Something owns `name` on the bus and never answers."""
    with _connected(environ) as connection:
        from jeepney.bus_messages import message_bus  # type: ignore[import-untyped]

        reply = connection.send_and_get_reply(message_bus.RequestName(name, flags=4), timeout=PATIENCE)
        assert reply.body == (1,), f"{name} is somebody else's"
        yield


def left_running(environ: dict[str, str]) -> list[str]:
    """The command lines of processes that still belong to the bus of `environ`."""
    folder = os.fsencode(Path(environ["HOME"]).parent)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            said = (process / "cmdline").read_bytes()
            if folder in said or folder in (process / "environ").read_bytes():
                found.append(said.replace(b"\0", b" ").decode(errors="replace"))
    return found


def _skip_without() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the Secret Service is Linux's keyring")
    packages = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if packages:
        pytest.skip(f"no Secret Service here: apt-get install --no-install-recommends {' '.join(packages)}")
    pytest.importorskip("secretstorage", reason="no Secret Service here: pip install SecretStorage")


def _daemon(folder: Path) -> str:
    """The daemon's path; a copy's where it has a file capability (cap_ipc_lock; not in Debian 12).

    In a container that lacks the capability such a file cannot be executed; and where it can, by a user who is not root,
    GLib takes it for a set-user-id program that must not believe DBUS_SESSION_BUS_ADDRESS. A copy has no capability.
    """
    found = shutil.which("gnome-keyring-daemon")
    assert found
    return shutil.copy(found, str(folder)) if "security.capability" in os.listxattr(found) else found


@contextlib.contextmanager
def _running(
    command: list[str], environ: dict[str, str], log: Path, told: bytes = b""
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a daemon that is `told` something and ends with the block, and also when whoever started it is killed.

    The kernel looks at the thread that started it, not at the process: fixtures belong to the main one.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            env={**environ, "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
        )
    try:
        assert process.stdin
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(told)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{process.args!r} does not come up (status {process.poll()}):\n{log.read_text()}")
        time.sleep(0.005)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def _unlocked(environ: dict[str, str]) -> bool:
    import secretstorage

    with _connected(environ) as connection, contextlib.suppress(secretstorage.SecretStorageException):
        return not secretstorage.Collection(connection).is_locked()
    return False


@contextlib.contextmanager
def _connected(environ: dict[str, str]) -> Iterator[Any]:
    from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

    with open_dbus_connection(bus=environ["DBUS_SESSION_BUS_ADDRESS"]) as connection:
        yield connection
