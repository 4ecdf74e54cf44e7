"""The child under `lynkr run`: its status, its environment, its signals, its terminal."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import command_line, environment, lynkr, profile
from e2e.terminal import terminal

PYTHON = sys.executable


@pytest.mark.parametrize("status", [0, 1, 3, 78, 127, 255])
def test_the_childs_status_is_ours(clean_machine: Path, status: int) -> None:
    assert lynkr("run", "--", "sh", "-c", f"exit {status}", home=clean_machine).status == status


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "SEGV"])
def test_a_child_that_a_signal_ends_is_128_and_its_number(clean_machine: Path, name: str) -> None:
    ran = lynkr("run", "--", "sh", "-c", f"kill -{name} $$", home=clean_machine)
    assert ran.status == 128 + getattr(signal, f"SIG{name}")


def test_what_cannot_be_started_says_why(clean_machine: Path) -> None:
    script = clean_machine / "not-executable"
    script.write_text("#!/bin/sh\n")
    odd = clean_machine / "no-interpreter"
    odd.write_text("#!/no/such/interpreter\n")
    odd.chmod(0o755)
    missing = lynkr("run", "--", "no-such-command", home=clean_machine)
    assert (missing.status, missing.err) == (127, "lynkr: no-such-command is not found on PATH\n")
    assert lynkr("run", "--", str(script), home=clean_machine).status == 126
    assert lynkr("run", "--", str(clean_machine), home=clean_machine).status == 126
    assert lynkr("run", "--", str(odd), home=clean_machine).status == 127
    tool = lynkr("run", "claude", home=clean_machine, PATH="/nowhere")
    assert tool.status == 127
    assert "npm install -g @anthropic-ai/claude-code" in tool.err
    for ran in (missing, tool):
        assert len(ran.err.splitlines()) == 1


def test_usage_and_configuration_have_their_own_status(clean_machine: Path) -> None:
    assert lynkr("run", home=clean_machine).status == 2
    assert lynkr("run", "--no-such-option", "claude", home=clean_machine).status == 2
    unknown = lynkr("run", "ls", "-l", home=clean_machine)
    assert unknown.status == 2
    assert "lynkr run -- ls -l" in unknown.err
    assert lynkr("run", "-p", "nowhere", "--", "true", home=clean_machine).status == 78
    assert lynkr("run", "--lane", "nowhere", "--", "true", home=clean_machine).status == 78
    profile(clean_machine, "keyed", '[lanes.a]\nprovider = "anthropic"\n')
    keyed = lynkr("run", "-p", "keyed", "--", "true", home=clean_machine)
    assert keyed.status == 78
    assert "ANTHROPIC_API_KEY" in keyed.err


def test_everything_after_the_command_is_the_commands(clean_machine: Path) -> None:
    ran = lynkr("run", "--", "echo", "--help", "-p", "x", "--", "--report", "y", home=clean_machine)
    assert ran.out == "--help -p x -- --report y\n"


def test_stdin_and_stdout_are_the_childs(clean_machine: Path) -> None:
    ran = lynkr("run", "--", "tr", "a-z", "A-Z", home=clean_machine, stdin="from a pipe\n")
    assert ran.out == "FROM A PIPE\n"
    quiet = lynkr("run", "-q", "--", "true", home=clean_machine)
    assert (quiet.out, quiet.err) == ("", "")


def variables(home: Path, *options: str, **env: str) -> dict[str, str]:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    return dict(json.loads(lynkr("run", *options, "--", PYTHON, "-c", code, home=home, **env).out))


def test_the_child_knows_its_session_and_the_proxy(clean_machine: Path) -> None:
    seen = variables(clean_machine, no_proxy="corp.example", HTTPS_PROXY="http://proxy.example:3128")
    assert len(seen["LYNKR_SESSION"]) == 26
    assert seen["ANTHROPIC_BASE_URL"] == seen["GOOGLE_GEMINI_BASE_URL"] == seen["LYNKR_URL"]
    assert seen["OPENAI_BASE_URL"] == seen["OPENAI_API_BASE"] == seen["LYNKR_URL"] + "/v1"
    assert seen["no_proxy"] == seen["NO_PROXY"] == "corp.example,127.0.0.1,localhost"
    assert seen["HTTPS_PROXY"] == "http://proxy.example:3128"


def test_a_proxy_that_is_switched_off_stays_off(clean_machine: Path) -> None:
    assert variables(clean_machine, NO_PROXY="*")["NO_PROXY"] == "*"


def test_a_short_key_takes_nothing_else_away(clean_machine: Path) -> None:
    profile(clean_machine, "local", '[lanes.a]\nprovider = "openai"\nkey_env = "LOCAL_KEY"\n')
    seen = variables(clean_machine, "-p", "local", LOCAL_KEY="bin")
    assert "bin" in seen["PATH"]
    assert "LOCAL_KEY" not in seen


def test_a_base_url_that_is_none_is_named(clean_machine: Path) -> None:
    ran = lynkr("run", "--", "true", home=clean_machine, ANTHROPIC_BASE_URL="localhost:9")
    assert ran.status == 78
    assert "localhost:9" in ran.err


def test_a_tier_that_has_no_lanes_is_named(clean_machine: Path) -> None:
    ran = lynkr("run", "--tier", "simple", "--", "true", home=clean_machine)
    assert ran.status == 78
    assert "it has: complex" in ran.err


def test_the_child_never_sees_a_lanes_key(clean_machine: Path) -> None:
    profile(
        clean_machine,
        "keys",
        '[tiers]\ncomplex = ["a"]\n[lanes.a]\nprovider = "anthropic"\n[lanes.b]\nprovider = "openai"\nkey_env = "SPARE"\n',
    )
    given = {
        "ANTHROPIC_API_KEY": "sk-ant-own-0123456789",
        "SPARE": "sk-spare",
        "OTHER": "kept",
        "COPY": "Bearer sk-ant-own-0123456789",
    }
    seen = variables(clean_machine, "-p", "keys", **given)
    assert "sk-ant-own-0123456789" not in str(seen)
    assert "sk-spare" not in str(seen)
    assert seen["OTHER"] == "kept"
    assert seen["ANTHROPIC_API_KEY"]  # an SDK wants one
    # With the tool's own credential there is nothing to hide.
    assert variables(clean_machine, **given)["ANTHROPIC_API_KEY"] == "sk-ant-own-0123456789"


def test_a_session_in_a_session_is_refused_unless_asked_for(clean_machine: Path) -> None:
    inner = shlex.join(command_line("run", "--", "true"))
    assert lynkr("run", "--", "sh", "-c", inner, home=clean_machine).status == 2
    nested = shlex.join(command_line("run", "--nested", "--", "true"))
    assert lynkr("run", "--", "sh", "-c", nested, home=clean_machine).status == 0


def test_nothing_of_the_session_can_be_read_in_a_process_list(clean_machine: Path) -> None:
    """A stand-in for Claude Code, because what matters is what lynkr passes; the real one is in tests/e2e."""
    tool = clean_machine / "bin" / "claude"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "$LYNKR_URL"; tr "\\0" " " < /proc/$$/cmdline; echo; cat "$2"\n')
    tool.chmod(0o755)
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    url, command, *settings = lynkr("run", "claude", home=clean_machine, PATH=path).out.splitlines()
    secret = url.rpartition("/")[2]
    assert len(secret) == 32
    assert secret not in command
    assert json.loads("\n".join(settings))["env"]["ANTHROPIC_BASE_URL"] == url
    assert not list((clean_machine / "lynkr" / "state" / "sessions").iterdir())
    shown = lynkr("run", "--dry-run", "claude", home=clean_machine, PATH=path)
    assert "http://127.0.0.1:PORT/SECRET" in shown.out


def test_term_and_hup_are_passed_on(clean_machine: Path) -> None:
    for name in ("TERM", "HUP"):
        code = f"trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.1; done"
        with subprocess.Popen(
            command_line("run", "-q", "--", "sh", "-c", code),
            env=environment(clean_machine), stdout=subprocess.PIPE, text=True, start_new_session=True,
        ) as session:  # fmt: skip
            assert session.stdout
            assert session.stdout.readline() == "ready\n"
            session.send_signal(getattr(signal, f"SIG{name}"))
            assert session.stdout.readline() == f"got {name}\n"
            assert session.wait(10) == 5


def test_a_session_that_is_killed_leaves_nothing_for_long(clean_machine: Path) -> None:
    tool = clean_machine / "bin" / "claude"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho ready; exec sleep 60\n")
    tool.chmod(0o755)
    env = environment(clean_machine, PATH=f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    session = subprocess.Popen(
        command_line("run", "claude"), env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert session.stdout
    assert session.stdout.readline() == "ready\n"
    folder = clean_machine / "lynkr" / "state" / "sessions"
    assert len(list(folder.iterdir())) == 1
    assert list(folder.glob("*/*"))
    assert not [path for path in folder.glob("*/*") if path.stat().st_mode & 0o077], "nobody else can read it"
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    session.stdout.close()
    assert lynkr("run", "-q", "--", "true", home=clean_machine).status == 0
    assert not list(folder.iterdir())


# --- in a terminal --------------------------------------------------------------------------------------------------

PATIENT = """
import signal, sys, time
count = 0
def interrupted(*_):
    global count
    count += 1
    print("interrupt", count, flush=True)
    if count == 2: sys.exit(42)
signal.signal(signal.SIGINT, interrupted)
print("waiting", flush=True)
while True: time.sleep(0.05)
"""


@pytest.mark.real
def test_ctrl_c_is_the_childs_once_and_twice(clean_machine: Path) -> None:
    (clean_machine / "patient.py").write_text(PATIENT)
    with terminal(clean_machine, environment(clean_machine), clean_machine) as screen:
        screen.line(shlex.join(command_line("run", "--", PYTHON, "patient.py")))
        screen.wait("waiting")
        screen.type("C-c")
        screen.wait("interrupt 1")
        time.sleep(0.3)
        assert "lynkr:" not in screen.screen().replace(" lynkr run", "")
        screen.type("C-c")
        screen.wait("interrupt 2")
        screen.wait("lynkr: no request")
        screen.line("echo status=$?")
        screen.wait("status=42")
        screen.line(shlex.join(command_line("run", "--", "sleep", "60")))
        time.sleep(1)
        screen.type("C-c")
        screen.line("echo then=$?")
        shown = screen.wait("then=130")
    assert "Traceback" not in shown


@pytest.mark.real
def test_ctrl_z_stops_both_and_fg_goes_on_and_a_resize_is_seen(clean_machine: Path) -> None:
    code = "import os, time\nfor n in range(600):\n    print('tick', n, os.get_terminal_size().columns, flush=True)\n    time.sleep(0.1)"
    (clean_machine / "ticks.py").write_text(code)
    with terminal(clean_machine, environment(clean_machine), clean_machine) as screen:
        screen.line(shlex.join(command_line("run", "-q", "--", PYTHON, "ticks.py")))
        screen.wait("tick 2 110")
        screen.type("C-z")
        screen.wait("Stopped")
        screen.line("echo in-the-shell")
        stopped = screen.wait("in-the-shell\n")
        time.sleep(0.5)
        assert screen.screen().count("tick") == stopped.count("tick")
        screen.resize(90, 40)
        screen.line("fg")
        screen.wait(" 90\n")
        screen.type("C-c")
        screen.wait("KeyboardInterrupt")


@pytest.mark.real
def test_a_terminal_that_a_killed_child_left_raw_is_put_right(clean_machine: Path) -> None:
    (clean_machine / "raw.py").write_text("import os, sys, tty\ntty.setraw(0)\nos.kill(os.getpid(), 9)")
    with terminal(clean_machine, environment(clean_machine), clean_machine) as screen:
        screen.line(shlex.join(command_line("run", "-q", "--", PYTHON, "raw.py")))
        time.sleep(1)
        screen.line("echo status=$?; stty -a | grep -o -e '-\\?icanon'")
        shown = screen.wait("status=137\n")
        time.sleep(0.3)
        assert "-icanon" not in screen.screen()
    assert "status=137" in shown
