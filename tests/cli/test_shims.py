"""Shims as each shell finds them: the tool runs through lynkr, and nothing of the tool's behaviour changes by that.

The tool is a script that says what it was given. `PATH` is the shims' folder, the tool's, and the system's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest
from conftest import Ran, command_line, environment, lynkr, profile
from scripts import anthropic, upstream

SHELLS = ("sh", "bash", "zsh", "fish")
SYSTEM = "/usr/bin:/bin"
# Says where it is, in which session, each argument in brackets, and its input; ends as it is told to.
TOOL = r"""#!/bin/sh
echo "tool $0 session=${LYNKR_SESSION:-none}"
for word; do printf '<%s>\n' "$word"; done
[ -n "$READ" ] && cat
exit ${STATUS:-0}
"""
# An agent that starts itself twice, as it may by its shell; the inner ones say their session and send one request each.
AGENT = """#!{python}
import os, subprocess, sys, urllib.request as u
if "outer" in sys.argv:
    sys.exit(subprocess.run(["sh", "-c", "claude inner; claude inner"]).returncode)
print(os.environ["LYNKR_SESSION"], flush=True)
u.urlopen(u.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", b'{{"model": "m"}}')).read()
"""


@dataclass
class Machine:
    """A home with the tool `aider` (which takes any arguments as they are) and its shim."""

    home: Path
    tools: Path
    shims: Path

    def path(self, *first: Path | str) -> str:
        return ":".join(map(str, (*first, self.shims, self.tools, SYSTEM)))

    def tool(self, name: str, text: str = TOOL) -> Path:
        file = self.tools / name
        file.write_text(text)
        file.chmod(0o755)
        return file

    def lynkr(self, *words: str, **env: str) -> Ran:
        return lynkr(*words, home=self.home, **{"PATH": self.path(), **env})

    def run(self, command: str, shell: str = "sh", stdin: str = "", timeout: float = 60, **env: str) -> Ran:
        """Runs a command line in a shell that has read no file of anybody's."""
        found = shutil.which(shell)
        if found is None:
            pytest.skip(f"{shell} is not installed")
        options = {"zsh": ["-f"]}.get(shell, [])
        done = subprocess.run([found, *options, "-c", command], env=environment(self.home, **{"PATH": self.path(), **env}),
                              cwd=self.home, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr, self.home)

    def sessions(self) -> list[dict[str, Any]]:
        return json.loads(self.lynkr("sessions", "--json").out)


@pytest.fixture
def machine(clean_machine: Path) -> Machine:
    found = Machine(clean_machine, clean_machine / "tools", clean_machine / "lynkr" / "data" / "shims")
    found.tools.mkdir()
    found.tool("aider")
    installed = found.lynkr("shim", "install", "aider")
    assert installed.status == 0, installed.err
    return found


# --- the tool is itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_in_each_shell_arguments_input_and_status_pass(machine: Machine, shell: str) -> None:
    quoted = "aider '' 'a  b' '*' '$HOME `id`' '\\n' 'ü→' --lane -- -p"
    ran = machine.run(quoted, shell, stdin="typed in\n", READ="1", STATUS="7")
    first, *words = ran.out.splitlines()
    assert first.startswith(f"tool {machine.tools}/aider session=0")
    assert words == ["<>", "<a  b>", "<*>", "<$HOME `id`>", "<\\n>", "<ü→>", "<--lane>", "<-->", "<-p>", "typed in"]
    assert ran.status == 7
    assert [session["exit_status"] for session in machine.sessions()] == [7]


def test_a_word_of_two_lines_and_one_that_ends_in_one_pass(machine: Machine) -> None:
    ran = machine.run("aider 'a\nb' 'c\n'")
    assert ran.out.split("\n", 1)[1] == "<a\nb>\n<c\n>\n"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_tool_and_us_alike(machine: Machine, sent: signal.Signals, status: int) -> None:
    machine.tool("aider", "#!/bin/sh\necho started\nexec sleep 30\n")
    process = subprocess.Popen(["aider"], executable=machine.shims / "aider", env=environment(machine.home, PATH=machine.path()),
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    assert process.stdout is not None
    with process.stdout as stdout:
        assert stdout.readline() == b"started\n"
    time.sleep(0.2)
    os.killpg(process.pid, sent)
    assert process.wait(15) == status


def test_the_tool_has_the_terminal(machine: Machine) -> None:
    machine.tool("aider", '#!/bin/sh\n[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo "all $(stty size)"\n')
    env = environment(machine.home, PATH=machine.path())
    child = pexpect.spawn(str(machine.shims / "aider"), env=env, encoding="utf-8", dimensions=(33, 99), timeout=20)
    child.expect("all 33 99")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_the_tool_is_found_anew_each_time(machine: Machine) -> None:
    assert f"tool {machine.tools}/aider" in machine.run("aider").out
    machine.tool("aider", "#!/bin/sh\necho upgraded\n")
    assert machine.run("aider").out == "upgraded\n"
    moved = machine.home / "moved here"
    machine.tools.rename(moved)
    assert machine.run("aider", PATH=f"{machine.shims}:{moved}:{SYSTEM}").out == "upgraded\n"
    gone = machine.run("aider", PATH=f"{machine.shims}:{SYSTEM}")
    assert (gone.status, gone.out, "lynkr shim remove aider" in gone.err) == (127, "", True)


@pytest.mark.parametrize(
    "path",
    ["{shims}/:{shims}::{tools}", "/no/such:{shims}:{tools}/", "{shims}:.:{tools}", "{shims}:{home}/link:{tools}"],
)
def test_odd_paths_lead_to_the_tool(machine: Machine, path: str) -> None:
    (machine.home / "link").symlink_to(machine.shims)
    (machine.home / "aider").mkdir()
    named = path.format(shims=machine.shims, tools=machine.tools, home=machine.home)
    ran = machine.run("aider one", PATH=f"{named}:{SYSTEM}", timeout=20)
    assert ran.out.splitlines()[1:] == ["<one>"]
    assert len(machine.sessions()) == 1


# --- out of the way ----------------------------------------------------------------------------------------------------


def test_switched_off_the_tool_runs_without_lynkr_and_that_is_said_once(machine: Machine) -> None:
    ran = machine.run("aider 'a b'", stdin="x", READ="1", STATUS="3", LYNKR_SHIM="off")
    assert ran.out == f"tool {machine.tools}/aider session=none\n<a b>\nx"
    assert (ran.status, len(ran.err.splitlines()), "LYNKR_SHIM=off" in ran.err) == (3, 1, True)
    assert machine.sessions() == []


@pytest.mark.parametrize("broken", ["no python", "no package", "gone", "cannot be executed", "crashes"])
def test_when_lynkr_is_broken_the_tool_runs_without_it(machine: Machine, broken: str) -> None:
    own = machine.home / "venv" / "bin" / "lynkr"
    own.parent.mkdir(parents=True)
    text = {"no python": "#!/no/such/python\n", "crashes": "#!/bin/sh\nkill -SEGV $$\n"}
    code = f"#!{sys.executable} -S\nfrom lynkr.cli.main import main\nmain()\n"
    if broken != "gone":
        own.write_text(text.get(broken, code))
        own.chmod(0o644 if broken == "cannot be executed" else 0o755)
    shim = machine.shims / "aider"
    now = next(line for line in shim.read_text().splitlines() if line.startswith("lynkr="))
    shim.write_text(shim.read_text().replace(now, f"lynkr='{own}'"))
    ran = machine.run("aider 'a b'", stdin="x", READ="1", STATUS="3")
    assert ran.out == f"tool {machine.tools}/aider session=none\n<a b>\nx"
    assert (ran.status, "lynkr: " in ran.err, "without it" in ran.err) == (3, True, True)


# As after an upgrade of Python: lynkr is there, but something that it needs is not.
LACKING = """
import sys
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Lacking())
"""


@pytest.mark.parametrize(
    "lacking",
    [
        "click",
        *(
            pytest.param(name, marks=pytest.mark.xfail(strict=True, reason="`lynkr --version` works without it"))
            for name in ("httpx", "h11", "anyio")
        ),
    ],
)
def test_when_something_that_lynkr_needs_is_gone_the_tool_runs_without_it(machine: Machine, lacking: str) -> None:
    (machine.home / "modules").mkdir()
    (machine.home / "modules" / "sitecustomize.py").write_text(LACKING.format(name=lacking))
    ran = machine.run("aider 'a b'", PYTHONPATH=str(machine.home / "modules"))
    assert ran.out == f"tool {machine.tools}/aider session=none\n<a b>\n"
    assert (ran.status, "without it" in ran.err) == (0, True)


def test_a_mistake_of_the_users_is_told_and_not_run_past(machine: Machine) -> None:
    ran = machine.run("aider", LYNKR_PROFILE="nosuch")
    assert (ran.status, ran.out, "'nosuch'" in ran.err) == (78, "", True)


# --- sessions within sessions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["direct", "lane"])
@pytest.mark.parametrize("outer", ["{run} -- sh -c 'claude inner; claude inner'", "{run} claude outer", "claude outer"])
def test_within_a_session_the_tool_joins_it(machine: Machine, of: str, outer: str) -> None:
    machine.tool("claude", AGENT.format(python=sys.executable))
    machine.lynkr("shim", "install", "claude")
    with upstream(anthropic()) as up:
        profile(machine.home, "lane", f'[lanes.a]\nprovider = "anthropic"\nauth = "client"\nbase_url = "{up.url}"\n')
        env = {"LYNKR_PROFILE": of, **({"ANTHROPIC_BASE_URL": up.url} if of == "direct" else {})}
        ran = machine.run(outer.format(run=" ".join(command_line("run"))), **env)
    assert ran.status == 0, ran.err
    sessions = machine.sessions()
    assert ran.out.split() == [session["id"] for session in sessions] * 2
    assert (sessions[0]["totals"]["requests"], len(up.posts())) == (2, 2)
    assert len([line for line in ran.err.splitlines() if "2 requests" in line]) == 1


def test_a_tool_that_speaks_something_else_joins_as_well_where_no_key_is_needed(machine: Machine) -> None:
    machine.tool("claude", "#!/bin/sh\ncodex exec hello\n")
    machine.tool("codex")
    machine.lynkr("shim", "install", "claude", "codex")
    ran = machine.run("claude")
    assert f"tool {machine.tools}/codex" in ran.out
    assert [session["tool"] for session in machine.sessions()] == ["claude"]


def test_within_a_session_that_is_over_the_tool_gets_one_of_its_own(machine: Machine) -> None:
    ran = machine.run("aider", LYNKR_SESSION="01K0000000000000000000000", LYNKR_URL="http://127.0.0.1:9/abc")
    assert (ran.status, "session=01K0000000000000000000000" in ran.out) == (0, False)
    assert len(machine.sessions()) == 1


def test_a_session_that_is_started_by_lynkr_run_does_not_meet_the_shim(machine: Machine) -> None:
    machine.lynkr("run", "-q", "aider")
    machine.lynkr("run", "-q", "--", "aider")
    assert [session["tool"] for session in machine.sessions()] == ["aider", "aider"]


@pytest.mark.parametrize("other", ["a link to the shim", "another lynkr's shims"])
def test_two_shims_of_a_tool_do_not_call_each_other_for_ever(machine: Machine, other: str) -> None:
    second = machine.home / "second"
    second.mkdir()
    if other == "a link to the shim":
        (second / "aider").symlink_to(machine.shims / "aider")
        path = machine.path(second)
    else:
        lynkr("shim", "install", "aider", home=second, PATH=machine.path())
        path = machine.path(second / "lynkr" / "data" / "shims")
    env = environment(machine.home, PATH=path)
    process = subprocess.Popen(["/bin/sh", "-c", "aider one"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True, cwd=machine.home)  # fmt: skip
    try:
        out, _err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.fail("it never came to the tool")
    assert (process.returncode, out.splitlines()[1:]) == (0, ["<one>"])


# --- lynkr shim --------------------------------------------------------------------------------------------------------


def test_installing_says_what_to_add_to_the_path_and_listing_whether_it_is_there(machine: Machine) -> None:
    again = machine.lynkr("shim", "install", "aider", PATH=f"{machine.tools}:{SYSTEM}")
    assert again.out == f'export PATH="{machine.shims}:$PATH"\n'
    row = {"tool": "aider", "path": str(machine.shims / "aider"), "real": str(machine.tools / "aider")}
    assert json.loads(machine.lynkr("shim", "list", "--json").out) == [{**row, "active": True}]
    behind = machine.lynkr("shim", "list", "--json", PATH=f"{machine.tools}:{machine.shims}:{SYSTEM}")
    assert json.loads(behind.out) == [{**row, "active": False}]
    (machine.home / "link").symlink_to(machine.shims)
    by_link = machine.lynkr("shim", "list", "--json", PATH=f"{machine.home / 'link'}:{machine.tools}:{SYSTEM}")
    assert json.loads(by_link.out) == [{**row, "active": True}]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_that_is_shown_makes_the_shim_the_first_also_with_spaces(clean_machine: Path, shell: str) -> None:
    home = clean_machine / "a  b"
    home.mkdir()
    tools = clean_machine / "tools"
    tools.mkdir()
    (tools / "aider").write_text(TOOL)
    (tools / "aider").chmod(0o755)
    shown = lynkr("shim", "install", "aider", home=home, PATH=f"{tools}:{SYSTEM}", SHELL=f"/usr/bin/{shell}").out
    found = shutil.which(shell) or pytest.skip(f"{shell} is not installed")
    command = [found, *(["-f"] if shell == "zsh" else []), "-c", f"{shown.strip()}; aider 'c d'"]
    env = environment(home, PATH=f"{tools}:{SYSTEM}")
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[1:] == ["<c d>"]
    assert "session=0" in done.stdout


def test_removing_takes_away_what_is_ours_and_nothing_else(machine: Machine) -> None:
    theirs = machine.shims / "codex"
    theirs.write_text("#!/bin/sh\n")
    (machine.shims / "folder").mkdir()
    assert "codex" in machine.lynkr("shim", "install", "codex").err
    assert theirs.read_text() == "#!/bin/sh\n"
    assert [row["tool"] for row in json.loads(machine.lynkr("shim", "list", "--json").out)] == ["aider"]
    assert machine.lynkr("shim", "remove", "codex").status == 2
    assert machine.lynkr("shim", "remove").status == 0
    assert sorted(path.name for path in machine.shims.iterdir()) == ["codex", "folder"]
    assert machine.lynkr("shim", "remove", "aider").status == 2
    assert machine.run("aider").out.startswith(f"tool {machine.tools}/aider session=none")


@pytest.mark.parametrize("words", [(), ("nosuch",), ("../aider",), ("claude", "nosuch")])
def test_what_is_no_tool_gets_no_shim(clean_machine: Path, words: tuple[str, ...]) -> None:
    ran = lynkr("shim", "install", *words, home=clean_machine)
    assert (ran.status, "claude, codex" in ran.err) == (2, True)
    assert not (clean_machine / "lynkr").exists()
