"""What every test starts from: a machine where lynkr was never used, and no way to the user's own things."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lynkr.paths import Paths, paths
from lynkr.profile import Profile, read

TOOLS = Path(os.environ.get("LYNKR_TEST_TOOLS", Path(__file__).parent.parent / ".cache" / "tools"))


@pytest.fixture(autouse=True)
def clean_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Moves LYNKR_HOME and HOME aside and takes away every variable that would point a client somewhere."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("LYNKR_", "ANTHROPIC_", "OPENAI_", "CLAUDE", "CODEX_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LYNKR_HOME", str(home / "lynkr"))
    yield home


@pytest.fixture
def where(clean_machine: Path) -> Paths:
    """The folders of somebody who has used lynkr before."""
    found = paths({"LYNKR_HOME": str(clean_machine / "lynkr")})
    found.profiles.mkdir(parents=True)
    return found


def reading(folder: Path, text: str) -> Profile:
    """The profile with that text."""
    path = folder / "work.toml"
    path.write_text(text, "utf-8")
    return read(path, "work")


@dataclass
class Ran:
    """What a `lynkr` command did."""

    status: int
    out: str
    err: str
    home: Path

    def report(self, which: str = "last") -> dict[str, Any]:
        """The report that the ledger has of the session."""
        return json.loads(lynkr("report", which, "--json", home=self.home).out)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A clean environment for a client: nothing of ours but what it needs to run."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM", "SSL_CERT_DIR") if name in os.environ}
    return {**kept, "HOME": str(home), "LYNKR_HOME": str(home / "lynkr"), "TERM": "xterm-256color", **more}


def command_line(*words: str) -> list[str]:
    return [sys.executable, "-m", "lynkr", *words]


def lynkr(
    *words: str, home: Path, cwd: Path | None = None, timeout: float = 120, stdin: str | None = None, **env: str
) -> Ran:
    """Runs the command line as a user would, in a clean environment."""
    done = subprocess.run(
        command_line(*words),
        env=environment(home, **env),
        cwd=cwd or home,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, home)


def profile(home: Path, name: str, text: str) -> Path:
    """Writes a profile of the user's."""
    path = home / "lynkr" / "config" / "profiles" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def real_tool(name: str) -> str:
    """The path of a coding tool from npm; skips the test where it is not installed."""
    for found in (TOOLS / "node_modules" / ".bin" / name, shutil.which(name)):
        if found and Path(found).exists():
            return str(found)
    pytest.skip(f"{name} is not installed (tests/setup installs it from npm under {TOOLS})")
