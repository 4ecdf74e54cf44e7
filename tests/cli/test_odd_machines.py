"""Commands on machines that something is odd about: folders that are read-only or gone, no HOME, an old encoding.

Whatever it is, it is told in one line of lynkr's, and what can be done without it is done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile
from secretservice import SERVICE, nobody_answers, session_bus

LANE = '[lanes.a]\nprovider = "anthropic"\nauth = "client"\n'

# Root is asked for permission like everybody else.
PLAINLY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
# A user whom /etc/passwd does not know, as in a container.
NOBODY = ["setpriv", "--reuid=54321", "--clear-groups"]


def as_user(prefix: list[str], words: tuple[str, ...], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    if os.geteuid() != 0:
        if prefix is NOBODY:
            pytest.skip("only root can be somebody else")
        prefix = []
    command = [*prefix, *command_line(*words)]
    whole = {"PATH": os.environ["PATH"], **env}
    return subprocess.run(
        command, env=whole, cwd=cwd, input="", capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="setpriv is Linux's")
@pytest.mark.parametrize(
    "words", [("use", "local"), ("profile", "new", "x"), ("profile", "edit", "local"), ("use", "local", "--local")]
)
def test_a_folder_that_cannot_be_written_to_is_named(clean_machine: Path, words: tuple[str, ...]) -> None:
    config = clean_machine / "lynkr" / "config"
    config.mkdir(parents=True)
    config.chmod(0o500)
    clean_machine.chmod(0o500)
    env = {"HOME": str(clean_machine), "LYNKR_HOME": str(clean_machine / "lynkr"), "EDITOR": "true"}
    try:
        ran = as_user(PLAINLY, words, clean_machine, **env)
        session = as_user(PLAINLY, ("run", "-q", "--", "echo", "started"), clean_machine, **env)
    finally:
        clean_machine.chmod(0o700)
        config.chmod(0o700)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (78, 1)
    assert str(clean_machine if "--local" in words else config) in ran.stderr
    assert (session.returncode, session.stdout) == (0, "started\n")


@pytest.mark.skipif(sys.platform != "linux", reason="setpriv is Linux's")
@pytest.mark.parametrize("words", [("use",), ("profile", "path"), ("sessions",), ("run", "--", "true")])
def test_without_a_home_the_way_out_is_named(clean_machine: Path, words: tuple[str, ...]) -> None:
    ran = as_user(NOBODY, words, Path("/"))
    assert (ran.returncode, len(ran.stderr.splitlines()), "LYNKR_HOME" in ran.stderr) == (78, 1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="setpriv is Linux's")
def test_without_a_home_lynkr_home_is_enough() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        for words in (("use", "local"), ("use",), ("run", "-q", "-p", "direct", "--", "echo", "started")):
            ran = as_user(NOBODY, words, Path("/"), LYNKR_HOME=f"{folder}/lynkr")
            assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "started\n"


@pytest.mark.parametrize(
    "home",
    [
        "~nobody-of-that-name/x",
        "/dev/null/x",
    ],
)
def test_a_place_that_cannot_be_is_named(clean_machine: Path, home: str) -> None:
    ran = lynkr("use", "local", home=clean_machine, LYNKR_HOME=home)
    assert (ran.status, len(ran.err.splitlines()), home in ran.err) == (78, 1, True)


def test_a_relative_place_is_the_same_from_everywhere(clean_machine: Path) -> None:
    shown = lynkr("shim", "install", "claude", home=clean_machine, LYNKR_HOME="here")
    assert f"{clean_machine}/here/data/shims" in shown.out


def test_a_current_folder_that_is_gone_is_told_as_that(clean_machine: Path) -> None:
    profile(clean_machine, "work", LANE)
    gone = clean_machine / "gone"
    for words in ("run -- true", "use", "use work --local", "profile list", "profile show", "key list", "doctor"):
        gone.mkdir()
        command = f"rmdir '{gone}'; exec {' '.join(command_line(*words.split()))}"
        done = subprocess.run(["/bin/sh", "-c", command], cwd=gone, env=environment(clean_machine), capture_output=True,
                              text=True, timeout=60, check=False)  # fmt: skip
        assert "Traceback" not in done.stderr, words
        assert "output" not in done.stderr, words
        assert done.returncode == 0 or "current directory" in done.stderr, words


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_an_encoding_without_our_signs_is_no_reason_to_fail(clean_machine: Path, encoding: str) -> None:
    env = environment(clean_machine, PYTHONIOENCODING=encoding)
    for words in ("--help", "run --help", "use", "prices", "profile show", "doctor"):
        command = command_line(*words.split())
        done = subprocess.run(command, env=env, cwd=clean_machine, capture_output=True, timeout=60, check=False)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), words
        assert done.stdout.decode(encoding)


@pytest.mark.parametrize("words", ["profile list", "completion bash", "doctor --json"])
@pytest.mark.xfail(strict=True, reason="a traceback, or a second complaint of Python's")
def test_an_output_that_is_closed_or_full_is_told_in_a_line_at_most(clean_machine: Path, words: str) -> None:
    line = " ".join(command_line(*words.split()))
    for where in (">&-", ">/dev/full"):
        done = subprocess.run(["/bin/sh", "-c", f"{line} {where}"], env=environment(clean_machine), text=True,
                              capture_output=True, timeout=60, check=False)  # fmt: skip
        assert len(done.stderr.splitlines()) <= 1, where
        assert done.returncode in (0, 1), where


# Whoever is about to put a file in place is held up, so that the other one does so at the same time.
SLOWLY = """
import sys, time
def slowly(event, args):
    if event == "os.rename":
        time.sleep(0.4)
sys.addaudithook(slowly)
"""


def test_two_processes_that_switch_at_once_both_succeed(clean_machine: Path) -> None:
    (clean_machine / "sitecustomize.py").write_text(SLOWLY)
    env = environment(clean_machine, PYTHONPATH=str(clean_machine))
    switching = [
        subprocess.Popen(command_line("use", name), env=env, stderr=subprocess.PIPE, text=True, cwd=clean_machine)
        for name in ("local", "frugal")
    ]
    said = [process.communicate(timeout=60)[1] for process in switching]
    assert [process.returncode for process in switching] == [0, 0], said
    assert lynkr("use", home=clean_machine).out.split()[0] in ("local", "frugal")


ASKS_TWICE = """
import os
from lynkr.paths import paths
from lynkr.secrets.store import Store
waits = []
store = Store(paths(os.environ), os.environ, waits.append, None, wait_s=0.3)
print([store.get(name) for name in ("one", "two", "three")], len(waits), bool(store.problem))
"""


def test_a_keyring_that_hangs_is_waited_for_once(clean_machine: Path) -> None:
    with session_bus() as environ, nobody_answers(environ, SERVICE):
        env = environment(clean_machine, **{name: value for name, value in environ.items() if name != "HOME"})
        done = subprocess.run(
            [sys.executable, "-c", ASKS_TWICE], env=env, capture_output=True, text=True, timeout=30, check=False
        )
    assert done.stdout == "[None, None, None] 1 True\n", done.stderr
