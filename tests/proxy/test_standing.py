"""A standing proxy inside of the test: what a reload changes and what it leaves as it was, and how it ends."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from asked import CHEAP, SIMPLE, STRONG, TWO, Talk, begun, claude_says
from proxied import SECRET, Answer, ask, connect, read, request
from scripts import anthropic, upstream

from lynkr.errors import LynkrError
from lynkr.formats import CODECS
from lynkr.ledger.row import Row
from lynkr.proxy.accepting import serve
from lynkr.proxy.gate import Gate
from lynkr.proxy.house import House
from lynkr.proxy.load import Load
from lynkr.proxy.message import Reply, Request
from lynkr.proxy.setting import Door, Setting
from lynkr.proxy.standing import Patience, Stand, Standing, _reload
from lynkr.routing.router import router
from lynkr.routing.settings import Budget
from lynkr.secrets import Key

BODY = b'{"model":"claude-opus-5-5","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'


def setting(url: str, **more: Any) -> Setting:
    """A profile with a strong lane and a cheap one at `url`, told apart by tier."""
    counter = itertools.count()
    lanes = {lane.name: lane._replace(base_url=url) for lane in (STRONG, CHEAP)}
    made = Setting(
        router=router(lanes, TWO),
        origins={},
        keys={name: Key(f"sk-{name}") for name in lanes},
        environ={},
        speaks=tuple(CODECS),
        record=list[Row]().append,
        alarm=list[str]().append,
        now=lambda: "2026-11-21T00:00:00.000Z",
        new_id=lambda: f"{next(counter):06}",
        profile="work",
    )
    return replace(made, **more)


def beside(first: Setting, act: Callable[[Standing, Door], Awaitable[None]]) -> list[Exception]:
    """Lets `act` happen beside a standing proxy, which then ends; the proxy's own faults."""
    faults = list[Exception]()

    async def run(door: Door) -> None:
        standing = Standing(Load(8, 1 << 30, 8), lambda: "")

        async def acting() -> None:
            await act(standing, door)
            standing.stop()

        await standing.run([first], door, (), acting, faults.append)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        anyio.run(run, Door(listener, listener.getsockname()[1], SECRET))
    return faults


async def lane_of(door: Door, talk: Talk) -> str | None:
    """The lane that answers a conversation's next request."""

    def send() -> Answer:
        named = [f"{name}: {value}" for name, value in claude_says().items()]
        return ask(door.port, "/v1/messages", json.dumps(talk.body).encode(), named)

    return (await anyio.to_thread.run_sync(send)).header("x-lynkr-lane")


# --- A reload ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LynkrError("lynkr: there is no profile 'work'"), "lynkr: there is no profile 'work'"),
        (PermissionError("work.toml cannot be read"), "work.toml cannot be read"),
        (RecursionError("too deep"), "too deep"),
        (KeyError(), "KeyError()"),
    ],
    ids=["LynkrError", "OSError", "RecursionError", "KeyError"],
)
@pytest.mark.parametrize("when", ["read", "begun"])
def test_a_reload_that_fails_in_whatever_way_leaves_all_as_it_was(error: Exception, why: str, when: str) -> None:
    told, said = list[tuple[list[str], str]](), list[str]()

    def fails(*_: Any) -> Any:
        raise error

    with upstream(anthropic()) as up:
        first = setting(up.url)
        other = setting("http://127.0.0.1:9", profile="other", budget=Budget(day_usd=1.0), spent=fails)

        async def act(standing: Standing, door: Door) -> None:
            reread = fails if when == "read" else lambda: [first, other]
            made = Stand([first], door, (), Load(8, 1 << 30, 8), Patience(0, 0), lambda: "", reread,
                         lambda profiles, why: told.append((list(profiles), why)), said.append)  # fmt: skip
            await _reload(standing, made)
            assert await lane_of(door, begun(SIMPLE)) == "cheap"

        assert beside(first, act) == []
    assert told == [(["work"], why)]
    assert said == [f"not reloaded, all goes on as before: {why}"]


def test_a_reload_keeps_where_conversations_sit() -> None:
    """Whoever does not know a conversation that goes on takes it for one that is worth the strong lane."""
    talk = begun(SIMPLE)
    with upstream(anthropic()) as up:

        async def act(standing: Standing, door: Door) -> None:
            assert await lane_of(door, talk) == "cheap"
            await standing.replace([setting(up.url)])
            assert await lane_of(door, talk.calls()) == "cheap"
            await standing.replace([setting(up.url, profile="other")])
            assert await lane_of(door, talk.calls()) == "strong"

        assert beside(setting(up.url), act) == []


def test_a_ledger_that_says_nothing_for_a_moment_has_not_forgotten_what_was_spent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lynkr.proxy.house._LOOK_S", 0.01)
    known, says = list[Mapping[str, float]](), [{"day": 4.0}, {}, {"day": 5.0}]

    def spent() -> Mapping[str, float]:
        known.append(house.purse.before)
        if len(known) == 4:
            anyio.from_thread.run_sync(enough.set)
        return says[min(len(known), len(says)) - 1]

    enough: anyio.Event
    house = House(setting("http://127.0.0.1:9", budget=Budget(day_usd=9.0), spent=spent), [])

    async def run() -> None:
        nonlocal enough
        enough = anyio.Event()
        await house.begin()
        async with anyio.create_task_group() as group:
            group.start_soon(house.run)
            with anyio.fail_after(10):
                await enough.wait()
            group.cancel_scope.cancel()
        await house.aclose()

    anyio.run(run)
    assert known[:4] == [{}, {"day": 4.0}, {"day": 4.0}, {"day": 5.0}]


# --- What is no request -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "status"), [("/health/live", 200), ("/p/nobody/v1/messages", 404)])
def test_a_body_in_chunks_that_are_none_is_no_fault_of_ours_where_nobody_reads_it(target: str, status: int) -> None:
    def send(port: int) -> Answer:
        sent = request(port, target, headers=["Transfer-Encoding: chunked"]).replace(b"Content-Length: 0\r\n", b"")
        with connect(port) as connection:
            connection.sendall(sent + b"none\r\n")
            return read(connection)

    async def act(_standing: Standing, door: Door) -> None:
        answer = await anyio.to_thread.run_sync(send, door.port)
        assert (answer.status, answer.header("connection"), answer.ended) == (status, "close", True)

    assert beside(setting("http://127.0.0.1:9"), act) == []


# --- Its end ----------------------------------------------------------------------------------------------------------


class Leaving(socket.socket):
    """Where a drain begins in the very turn in which the second client is let in."""

    drain: anyio.Event
    let_in = 0

    def accept(self) -> Any:
        found = super().accept()
        self.let_in += 1
        if self.let_in == 2:
            self.drain.set()
        return found


def test_a_client_that_is_let_in_as_a_drain_begins_does_not_hold_it() -> None:
    answers = list[Answer]()
    with Leaving() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        async def run() -> None:
            listener.drain, under_way, go = anyio.Event(), anyio.Event(), anyio.Event()

            async def slowly(_request: Request, reply: Reply) -> None:
                under_way.set()
                await go.wait()
                await reply.whole(200, b"well", [])

            async def clients() -> None:
                with connect(port) as one:
                    one.sendall(request(port, "/v1/messages", BODY))
                    await under_way.wait()
                    with connect(port) as other:
                        await listener.drain.wait()
                        go.set()
                        answers.append(await anyio.to_thread.run_sync(read, one))
                        assert await anyio.to_thread.run_sync(other.recv, 1) == b""

            async with anyio.create_task_group() as group:
                group.start_soon(clients)
                with anyio.fail_after(10):
                    await serve(listener, Gate(SECRET, port), slowly, anyio.Event(), faults.append, listener.drain)

        faults = list[Exception]()
        anyio.run(run)
    assert [(answer.status, answer.header("connection")) for answer in answers] == [(200, "close")]
    assert faults == []
