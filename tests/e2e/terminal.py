"""A real terminal: tmux, typed into and read like a screen."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Terminal:
    socket: Path

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self.socket), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def type(self, *keys: str) -> None:
        """Sends keys by tmux's names (`Enter`, `C-c`, `C-z`); anything else is typed as it is."""
        self._tmux("send-keys", *keys)

    def line(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        time.sleep(0.3)  # a paste and an Enter in one go are a line break in some tools
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-J", "-S", "-200")

    def wait(self, *texts: str, seconds: float = 40) -> str:
        """The screen once it shows one of the texts."""
        deadline = time.monotonic() + seconds
        while not any(text in (screen := self.screen()) for text in texts):
            if time.monotonic() > deadline:
                raise AssertionError(f"{' or '.join(texts)} never came; the screen:\n{screen}")
            time.sleep(0.1)
        return screen

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))


@contextlib.contextmanager
def terminal(folder: Path, environment: Mapping[str, str], cwd: Path) -> Iterator[Terminal]:
    """A shell in a terminal of 110 columns; skips the test where tmux is missing."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed (tests/setup installs it)")
    found = Terminal(folder / "tmux")
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    shell = f"exec env -i {variables} PS1='READY> ' bash --norc --noprofile -i"
    found._tmux("-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "40", "-c", str(cwd), shell)
    try:
        found.wait("READY>")
        yield found
    finally:
        found._tmux("kill-server")
