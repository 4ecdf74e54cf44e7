"""Completion in real shells: a line is typed in a terminal, TAB is pressed, and what then stands there is what counts.

In these shells `lynkr` is a function that shows its arguments; what completes them is the program itself.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
from conftest import environment, lynkr, profile

SHELLS = ("bash", "zsh", "fish")
PROGRAM = Path(sys.executable).with_name("lynkr")
PATH = f"{PROGRAM.parent}:/usr/local/bin:/usr/bin:/bin"
START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["-i"],
}
READY = {
    "bash": """bind 'set enable-bracketed-paste off'; eval "$(lynkr completion bash)"; lynkr() { printf '[%s]' "$@"; echo; }""",
    "zsh": """unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -d $HOME/.zcompdump; """
    """eval "$(lynkr completion zsh)"; lynkr() { printf '[%s]' "$@"; echo; }""",
    "fish": "set -g fish_autosuggestion_enabled 0; lynkr completion fish | source; "
    "function lynkr; printf '[%s]' $argv; echo; end",
}
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the command `lynkr` is not installed beside Python")


@dataclass
class Typist:
    """Somebody at a shell in a terminal."""

    child: pexpect.spawn[str]

    def tab(self, line: str) -> list[str]:
        """The arguments that `lynkr` gets when the line is typed, TAB is pressed, then Enter."""
        self.child.send(line)
        self.child.send("\t")
        self.child.expect([re.escape(line.split()[-1])], timeout=20)
        self.child.send("\r")
        self.child.expect(r"(?:\[[^\[\]\r\n]*\])+\r\n", timeout=20)
        return re.findall(r"\[([^\[\]]*)\]", self.child.after or "")


@contextlib.contextmanager
def shell(name: str, home: Path, cwd: Path | None = None, **env: str) -> Iterator[Typist]:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    whole = environment(home, **{"PATH": PATH, "TERM": "dumb", "PS1": "$ ", "LANG": "C.UTF-8", **env})
    child = pexpect.spawn(found, START[name], env=whole, cwd=str(cwd or home), encoding="utf-8", dimensions=(50, 200))
    try:
        child.sendline(f"{READY[name]}; echo READY TO 'GO'")
        child.expect("READY TO GO", timeout=30)
        yield Typist(child)
    finally:
        child.close(force=True)


def offered(home: Path, *words: str, cwd: Path | None = None, **env: str) -> list[str]:
    """What bash offers for the last of the words; a file is `FILE`."""
    quoted = " ".join(f"'{word}'" for word in ("lynkr", *words))
    script = (
        'compopt() { COMPREPLY+=(FILE); }; eval "$(lynkr completion bash)"; '
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _lynkr_completion lynkr; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", script], env=environment(home, **{"PATH": PATH, **env}), cwd=cwd or home,
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def used(home: Path) -> str:
    """A machine that was used; the id of its last session."""
    profile(home, "work", '[lanes.azure]\nprovider = "anthropic"\nmodel = "m"\n[lanes.azure.headers]\nx-team = "a"\n')
    lynkr("key", "set", "corp", "--file", home=home, stdin="secret", LYNKR_PASSPHRASE="x")
    for _ in range(2):
        lynkr("run", "-q", "--", "true", home=home)
    return str(json.loads(lynkr("sessions", "--json", home=home).out)[0]["id"])


@pytest.mark.parametrize("name", SHELLS)
def test_a_tab_completes_what_was_begun(clean_machine: Path, name: str) -> None:
    used(clean_machine)
    with shell(name, clean_machine) as typist:
        assert typist.tab("lynkr doct") == ["doctor"]
        assert typist.tab("lynkr use hyb") == ["use", "hybrid"]
        assert typist.tab("lynkr use wo") == ["use", "work"]
        assert typist.tab("lynkr run -p frugal --lane mid") == ["run", "-p", "frugal", "--lane", "middle"]
        assert typist.tab("lynkr run --tier rea") == ["run", "--tier", "reasoning"]
        assert typist.tab("lynkr run --dry") == ["run", "--dry-run"]
        assert typist.tab("lynkr run openc") == ["run", "opencode"]
        assert typist.tab("lynkr key rm cor") == ["key", "rm", "corp"]
        assert typist.tab("lynkr key test openr") == ["key", "test", "openrouter"]
        assert typist.tab("lynkr shim install claude cop") == ["shim", "install", "claude", "copilot"]
        assert typist.tab("lynkr profile new x --from ent") == ["profile", "new", "x", "--from", "enterprise"]
        assert typist.tab("lynkr completion z") == ["completion", "zsh"]


@pytest.mark.parametrize("name", SHELLS)
def test_a_tab_completes_a_session(clean_machine: Path, name: str) -> None:
    last = used(clean_machine)
    with shell(name, clean_machine) as typist:
        assert typist.tab("lynkr report la") == ["report", "last"]
        assert typist.tab(f"lynkr report {last[:-1]}") == ["report", last]


def test_everything_is_offered_where_nothing_was_begun(clean_machine: Path) -> None:
    commands = lynkr("--help", home=clean_machine).out.partition("\nWork:")[2]
    assert offered(clean_machine, "") == re.findall(r"^  (\w+)  ", commands, re.M)
    profiles = [row["name"] for row in json.loads(lynkr("profile", "list", "--json", home=clean_machine).out)]
    assert offered(clean_machine, "use", "") == offered(clean_machine, "profile", "check", "") == profiles
    known = lynkr("shim", "install", home=clean_machine).err.partition("known: ")[2].rstrip(")\n").split(", ")
    assert offered(clean_machine, "run", "") == offered(clean_machine, "shim", "install", "") == known
    assert offered(clean_machine, "profile", "") == ["check", "edit", "list", "new", "path", "show"]
    assert {"anthropic", "groq"} <= set(offered(clean_machine, "key", "set", ""))


def test_the_lanes_are_those_of_the_profile_that_will_be_used(clean_machine: Path) -> None:
    lanes = ("run", "--lane", "")
    assert offered(clean_machine, *lanes) == ["anthropic", "openai", "gemini"]
    lynkr("use", "frugal", home=clean_machine)
    assert offered(clean_machine, *lanes) == ["small", "middle", "large"]
    assert offered(clean_machine, *lanes, LYNKR_PROFILE="local") == ["ollama"]
    assert offered(clean_machine, "run", "-p", "faithful", "--lane", "", LYNKR_PROFILE="local") == ["claude"]
    assert offered(clean_machine, "run", "-p", "nosuch", "--lane", "") == []


def test_the_lanes_are_those_of_a_projects_profile(clean_machine: Path) -> None:
    project = clean_machine / "project"
    (project / "src").mkdir(parents=True)
    lynkr("use", "hybrid", "--local", home=clean_machine, cwd=project)
    assert offered(clean_machine, "run", "--lane", "", cwd=project / "src") == ["claude", "local"]
    assert offered(clean_machine, "run", "--lane", "", cwd=project, LYNKR_PROFILE="local") == ["ollama"]


def test_only_lanes_are_offered_as_lanes(clean_machine: Path) -> None:
    text = '[lanes.azure]\nprovider = "anthropic"\n[lanes.azure.headers]\nx-team = "a"\n[lanes."my.lane"]\nprovider = "openai"\n'
    profile(clean_machine, "work", text)
    assert offered(clean_machine, "run", "-p", "work", "--lane", "") == ["azure", "my.lane"]


def test_a_broken_profile_or_project_does_not_speak_up_at_a_tab(clean_machine: Path) -> None:
    profile(clean_machine, "bad", "[lanes.a\n")
    (clean_machine / ".lynkr.toml").write_text("profile = \n")
    (clean_machine / "lynkr" / "data").mkdir()
    (clean_machine / "lynkr" / "data" / "ledger.db").write_text("garbage")
    (clean_machine / "lynkr" / "data" / "keys.json").write_text("garbage")
    assert "bad" in offered(clean_machine, "use", "")
    assert offered(clean_machine, "run", "-p", "bad", "--lane", "") in ([], ["a"])
    assert "anthropic" in offered(clean_machine, "key", "rm", "")
    assert set(offered(clean_machine, "report", "")) <= {"last"}
    offered(clean_machine, "run", "--lane", "")


def test_behind_the_tool_stands_what_is_the_tools(clean_machine: Path) -> None:
    assert offered(clean_machine, "run", "claude", "") == ["FILE"]
    assert offered(clean_machine, "run", "-p", "direct", "claude", "--") == ["FILE"]
    assert offered(clean_machine, "run", "claude", "-p", "") == ["FILE"]


@pytest.mark.parametrize("name", SHELLS)
def test_the_script_is_clicks_own(clean_machine: Path, name: str) -> None:
    shown = lynkr("completion", name, home=clean_machine)
    env = environment(clean_machine, PATH=PATH, _LYNKR_COMPLETE=f"{name}_source")
    own = subprocess.run([PROGRAM], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert (shown.status, shown.err, shown.out.strip()) == (0, "", own.stdout.strip())


@pytest.mark.parametrize(
    "words", ["lynkr use ", "lynkr run --lane ", "lynkr run ", "lynkr key rm ", "lynkr report ", "lynkr run --"]
)
def test_a_tab_imports_nothing_that_is_slow(clean_machine: Path, words: str) -> None:
    used(clean_machine)
    count = str(words.count(" "))
    env = environment(clean_machine, _LYNKR_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    command = [sys.executable, "-X", "importtime", str(PROGRAM)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"httpx", "httpcore", "h11", "anyio", "keyring", "cryptography", "tomlkit", "asyncio"}
    assert ("pathlib" in imported) == (words != "lynkr run --"), "an option's name is in no file"
