"""A real `lynkr serve`: a process with a home of its own, started as a user would and spoken to as a client does."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import Ran, command_line, environment, lynkr
from proxied import Answer, connect, read
from scripts import ANTHROPIC_USAGE, END, STREAM_HEAD, Asked, Pause, Step, anthropic, anthropic_events, chunk

from lynkr.ledger.row import Row, Session
from lynkr.ledger.store import Ledger
from lynkr.paths import Paths, paths
from lynkr.stands import standing

KEY = "sk-none-of-your-business-0123456789"
LANE = '[lanes.{name}]\nprovider = "anthropic"\nmodel = "claude-haiku-5-5"\nbase_url = "{url}"\n'
OPEN = '[lanes.{name}]\nprovider = "anthropic"\nauth = "client"\nbase_url = "{url}"\n'
STREAMED = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
STREAM = json.dumps(STREAMED).encode()
WHOLE = json.dumps({**STREAMED, "stream": False}).encode()
MESSAGES = "/v1/messages"
_WORDS = "a word and another one"


def until(enough: Callable[[], Any], within: float = 15.0) -> Any:
    """What `enough` gives once that is something; fails where it stays nothing."""
    deadline = time.monotonic() + within
    while not (found := enough()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
    return found


@dataclass
class Serve:
    """A standing proxy; `out` and `err` are the files that it writes to."""

    process: subprocess.Popen[bytes]
    home: Path
    port: int
    token: str

    @property
    def out(self) -> str:
        return (self.home / "serve.out").read_text("utf-8")

    @property
    def err(self) -> str:
        return (self.home / "serve.err").read_text("utf-8")

    @property
    def where(self) -> Paths:
        return paths({"LYNKR_HOME": str(self.home / "lynkr")})

    def ask(
        self,
        path: str = MESSAGES,
        body: bytes = WHOLE,
        headers: Sequence[str] = (),
        *,
        method: str = "POST",
        host: str = "",
        token: str | None = None,
        inside: Callable[[], None] = lambda: None,
        heard: Callable[[], None] = lambda: None,
    ) -> Answer:
        """One request on a connection of its own; its path begins with the token unless that is said to be another.
        `inside` is called when it has been sent, `heard` when its answer has begun."""
        shown = self.token if token is None else token
        lines = [f"{method} {f'/{shown}' if shown else ''}{path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}"]
        lines += [*headers, f"Content-Length: {len(body)}"] if method == "POST" else headers
        with connect(self.port) as connection:
            connection.sendall(
                ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body if method == "POST" else b"")
            )
            inside()
            if connection.recv(1, socket.MSG_PEEK):
                heard()
            return read(connection)

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask(path, method="GET", **more)

    def shows(self, path: str) -> int | None:
        """The status of a GET; None where nobody lets us in."""
        try:
            return self.get(path).status
        except (OSError, IndexError):
            return None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, within: float = 20.0) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(within)

    def lynkr(self, *words: str, **env: str) -> Ran:
        """Another command of the same user's."""
        return lynkr(*words, home=self.home, timeout=60, **env)

    def rows(self) -> list[tuple[Session, Row]]:
        """All that the ledger has by now."""
        if not self.where.ledger.exists():
            return []
        with Ledger(self.where.ledger) as ledger:
            return list(ledger.between())

    def row(self, identity: str | None) -> Row:
        """The row of a request, once it is there; it is written a moment after its answer."""
        return until(lambda: next((row for _, row in self.rows() if row.id == identity), None))


def start(home: Path, *words: str, port: int = 0, **env: str) -> subprocess.Popen[bytes]:
    """Starts it. Whoever starts us may ignore signals, and what is ignored would be inherited."""

    def as_ever() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    with (home / "serve.out").open("wb") as out, (home / "serve.err").open("wb") as err:
        return subprocess.Popen(
            command_line("serve", "--port", str(port), *words),
            env=environment(home, ANTHROPIC_API_KEY=KEY, **env),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            preexec_fn=as_ever,
            start_new_session=True,  # no terminal to ask at
        )


@contextlib.contextmanager
def serving(home: Path, *words: str, port: int = 0, token: str = "", **env: str) -> Iterator[Serve]:
    """A proxy that stands and hears signals; it is killed in the end where it has not ended."""
    given = {"LYNKR_SERVE_TOKEN": token} if token else {}
    process = start(home, *words, port=port, **given, **env)
    try:
        found = until(lambda: process.poll() is not None or noted(process, home, token), 30)
        assert isinstance(found, Serve), (home / "serve.err").read_text("utf-8")
        until(lambda: found.shows("/health/live") == 200)
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def noted(process: subprocess.Popen[bytes], home: Path, token: str = "") -> Serve | None:
    """The proxy that this process is, once it has left its note."""
    where = paths({"LYNKR_HOME": str(home / "lynkr")})
    note = next((note for note in standing(where) if note.pid == process.pid), None)
    return Serve(process, home, note.port, token or (where.stands / "token").read_text()) if note else None


class Slow:
    """A lane that begins every stream at once and goes on with it when it is told to."""

    def __init__(self, text: str = _WORDS) -> None:
        self.go = threading.Event()
        self._text = text

    def __call__(self, asked: Asked) -> Iterable[Step]:
        if asked.method != "POST" or not asked.json.get("stream"):
            yield from anthropic(self._text)(asked)
            return
        words = [{"type": "text", "text": self._text}]
        first, *others = anthropic_events(words, "end_turn", ANTHROPIC_USAGE, asked.json["model"])
        yield STREAM_HEAD + chunk(first)
        self.go.wait(30)
        yield Pause(0.01)
        for event in others:
            yield chunk(event)
        yield END


@contextlib.contextmanager
def streams(serve: Serve, slow: Slow, count: int, path: str = MESSAGES, body: bytes = STREAM) -> Iterator[list[Answer]]:
    """`count` streams that are under way within the block; the answers are in the list after it."""
    answers = list[Answer]()
    heard = list[int]()
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(serve.ask, path, body, heard=lambda: heard.append(1)) for _ in range(count)]
        try:
            until(lambda: len(heard) >= count)
            yield answers
        finally:
            slow.go.set()
        answers += [each.result(30) for each in asked]


def whole(answer: Answer) -> bool:
    """Whether a stream came to its end."""
    return answer.status == 200 and answer.ended and b"message_stop" in answer.body
