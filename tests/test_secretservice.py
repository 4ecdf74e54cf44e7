"""The Secret Service that other tests use is a real one, shut off from the user's, and gone when they are over."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from secretservice import PROMPTER, SERVICE, left_running, nobody_answers, secret_service, session_bus

pytestmark = [pytest.mark.real, pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")]

STORE = "import keyring; keyring.set_password('lynkr', 'azure', 'sk-1234')"
READ = "import keyring; print(keyring.get_password('lynkr', 'azure'))"
BACKEND = "import keyring; print(keyring.get_keyring().name)"


def client(code: str, environ: dict[str, str], timeout: float = 30) -> str:
    """What a Python process says, or the last line of how it failed."""
    pytest.importorskip("keyring")
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=timeout)
    return (done.stdout + done.stderr).strip().rpartition("\n")[2]


def test_what_one_process_stores_another_reads() -> None:
    with secret_service() as service:
        assert client(BACKEND, service.environ) == "SecretService Keyring"
        assert client(READ, service.environ) == "None"
        client(STORE, service.environ)
        assert client(READ, service.environ) == "sk-1234"


def test_two_services_know_nothing_of_each_other() -> None:
    with secret_service() as one, secret_service() as other:
        client(STORE, one.environ)
        assert client(READ, other.environ) == "None"


def test_nothing_is_left_running_and_no_file_is_left() -> None:
    with secret_service() as service:
        client(STORE, service.environ)
        assert any("gnome-keyring-daemon" in line for line in left_running(service.environ))
    assert left_running(service.environ) == []
    assert not any(Path(path).exists() for name, path in service.environ.items() if name != "DBUS_SESSION_BUS_ADDRESS")


def test_nothing_is_left_running_when_the_test_is_killed() -> None:
    code = (
        "import json, secretservice, sys, time\n"
        "with secretservice.secret_service() as service:\n"
        "    print(json.dumps(service.environ), flush=True)\n"
        "    time.sleep(60)"
    )
    with session_bus():
        pass  # skips here, where pytest sees it
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent)}
    test = subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True)
    assert test.stdout
    with test.stdout as said:
        left = json.loads(said.readline())
    test.send_signal(signal.SIGKILL)
    test.wait()
    deadline = time.monotonic() + 10
    while left_running(left) and time.monotonic() < deadline:
        time.sleep(0.01)
    shutil.rmtree(Path(left["HOME"]).parent)
    assert left_running(left) == []


def test_a_locked_keyring_says_so_at_once() -> None:
    with secret_service() as service:
        client(STORE, service.environ)
        service.lock()
        assert client(READ, service.environ, timeout=10).startswith("keyring.errors.KeyringLocked")


@pytest.mark.parametrize("name", [PROMPTER, SERVICE], ids=["a dialog that nobody sees", "a keyring that hangs"])
def test_a_client_waits_for_who_does_not_answer(name: str) -> None:
    with contextlib.ExitStack() as stack:
        if name == PROMPTER:
            service = stack.enter_context(secret_service())
            service.lock()
            environ = service.environ
        else:
            environ = stack.enter_context(session_bus())
        stack.enter_context(nobody_answers(environ, name))
        assert client(BACKEND, environ) == "SecretService Keyring"
        with pytest.raises(subprocess.TimeoutExpired):
            client(READ, environ, timeout=2)


def test_a_bus_without_a_keyring_has_none() -> None:
    with session_bus() as environ:
        assert client(BACKEND, environ) == "fail Keyring"


def test_it_skips_naming_the_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"apt-get install .* dbus-daemon gnome-keyring"):
        with secret_service():
            pass


def test_a_daemon_that_does_not_come_up_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "gnome-keyring-daemon"
    broken.write_text("#!/bin/sh\necho no keyring today; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(pytest.fail.Exception, match=r"status 3(?s:.*)no keyring today"):
        with secret_service():
            pass
