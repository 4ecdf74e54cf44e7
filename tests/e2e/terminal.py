"""A real terminal: tmux, typed into and read like a screen."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
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
        """Types a line. Its Enter comes when the line is on the screen: tools take both in one go for a paste."""
        self._tmux("send-keys", "-l", text)
        typed = _squeezed(text)
        self._until(lambda screen: typed in _squeezed(screen), text)
        time.sleep(0.3)
        self._tmux("send-keys", "Enter")

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-J", "-S", "-200")

    def wait(self, *texts: str, seconds: float = 100) -> str:
        """The screen once it shows one of the texts."""
        return self._until(lambda screen: any(text in screen for text in texts), " or ".join(texts), seconds)

    def _until(self, shows: Callable[[str], bool], what: str, seconds: float = 100) -> str:
        deadline = time.monotonic() + seconds
        while not shows(screen := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} never came; the screen:\n{screen}")
            time.sleep(0.1)
        return screen

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))


def _squeezed(text: str) -> str:
    """The text without white space, as a screen breaks its lines anywhere."""
    return "".join(text.split())


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
