"""A real Chromium without a window, driven over a pipe by its DevTools protocol.

The protocol is JSON between zero bytes, on file descriptors 3 and 4 (`--remote-debugging-pipe`), so that there is no
port that anybody else could reach: https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A machine that does other things at the same time may take its time.
PATIENCE_S = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-sync", "--disable-component-update", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip


@dataclass
class Tab:
    """One page that is open. `events` is all that happened since it was opened."""

    browser: Browser
    session: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Asks for something and waits for the answer."""
        return self.browser.do(method, self.session, **params)

    def open(self, file: Path) -> None:
        """Loads a file, from its beginning to its `load`."""
        self.events.clear()
        self.do("Page.navigate", url=file.as_uri())
        self.browser.wait(lambda: self.happened("Page.loadEventFired"))

    def happened(self, method: str) -> list[dict[str, Any]]:
        """What was told under this name."""
        return [event["params"] for event in self.events if event["method"] == method]

    def tell(self, script: str) -> Any:
        """The value of an expression in the page, of a promise when it is kept."""
        found = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def look(self, *, width: int = 1280, scheme: str = "light", media: str = "") -> None:
        """Sets how wide the window is, and what the user prefers."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.do("Emulation.setEmulatedMedia", media=media, features=features)

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.do("Page.printToPDF", printBackground=True)["data"])


class Browser:
    """A process of Chromium."""

    def __init__(self, program: str, folder: Path) -> None:
        ours, theirs = _pipe(), _pipe()
        self._in, self._out = theirs[1], ours[0]
        self._read, self._asked, self._tabs = b"", 0, dict[str, Tab]()
        self._answers: dict[int, dict[str, Any]] = {}
        nothing = os.open(os.devnull, os.O_RDWR)
        self._process = os.posix_spawn(
            program,
            [program, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs[0], 3),
                (os.POSIX_SPAWN_DUP2, ours[1], 4),
                *((os.POSIX_SPAWN_DUP2, nothing, number) for number in (0, 1, 2)),
            ],
            setpgroup=0,
        )
        for handle in (theirs[0], ours[1], nothing):
            os.close(handle)

    def close(self) -> None:
        """Ends it, and all that it started."""
        with suppress(AssertionError, OSError):
            self.do("Browser.close")
        os.close(self._in)
        os.close(self._out)
        deadline = time.monotonic() + 10
        while os.waitpid(self._process, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.killpg(self._process, signal.SIGKILL)
            time.sleep(0.05)

    def tab(self) -> Tab:
        """A new page, that tells what it loads and what it complains of."""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        made = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Network", "Log", "Runtime"):
            made.do(f"{domain}.enable")
        return made

    def do(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Asks for something and waits for the answer."""
        self._asked += 1
        number = self._asked
        asked = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        data = json.dumps(asked).encode() + b"\0"
        while data:
            data = data[os.write(self._in, data) :]
        self.wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        found: dict[str, Any] = answer["result"]
        return found

    def wait(self, until: Any) -> None:
        """Takes in what is told until that is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not until():
            ready, _, _ = select.select([self._out], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"Chromium said nothing for {PATIENCE_S:.0f} s"
            got = os.read(self._out, 1 << 20)
            assert got, "Chromium has ended"
            *told, self._read = (self._read + got).split(b"\0")
            for text in told:
                self._take(json.loads(text))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif tab := self._tabs.get(message.get("sessionId", "")):
            tab.events.append(message)


def _pipe() -> tuple[int, int]:
    """A pipe with numbers that are not in the way of those that Chromium wants."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed (apt-get install --no-install-recommends chromium)")
    browser = Browser(found, folder)
    try:
        yield browser
    finally:
        browser.close()
