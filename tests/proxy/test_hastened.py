"""What left ahead and went well is over without anybody having woken for it: the connection takes the next request as if
somebody had, keeps its times, and nothing is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from proxied import Proxy, anthropic_lane, ask, connect, proxy, read, request
from proxy.test_connections import until
from scripts import END, STREAM_HEAD, Asked, Pause, Step, Upstream, anthropic, chunk, event, upstream, whole

from lynkr.ledger.meter import Meter
from lynkr.proxy import message
from lynkr.proxy.case import Case
from lynkr.proxy.hastened import Hastened
from lynkr.proxy.server import Connection
from lynkr.upstream.wire import Wire

PATH = "/v1/messages"
BODY = b'{"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Why?"}]}'
STREAMED = BODY[:-1] + b', "stream": true}'


@contextmanager
def warmed() -> Iterator[tuple[Proxy, Upstream]]:
    """A proxy with a connection to its lane by which the next can leave."""
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as found:
        assert ask(found.port, PATH, BODY).status == 200
        found.row(0)
        yield found, up


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of those whose own task served them."""
    found, serve = list[str](), Case.serve

    async def serving(case: Case) -> None:
        found.append(case.notes["id"])
        await serve(case)

    monkeypatch.setattr(Case, "serve", serving)
    return found


def closed(client: socket.socket, within: float) -> bool:
    """Whether the other side closes in time, and says nothing more."""
    client.settimeout(within)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False


def test_nobody_wakes_for_what_goes_well(woken: list[str]) -> None:
    slow = [STREAM_HEAD, Pause(0.05), chunk(event("ping", {"type": "ping"})), Pause(0.05), END]
    with warmed() as (found, up), connect(found.port) as client:
        for body in (BODY, STREAMED, BODY):
            client.sendall(request(found.port, PATH, body))
            assert read(client).ended
        up.script = lambda _: slow
        client.sendall(request(found.port, PATH, STREAMED))
        assert read(client).ended
        rows = [found.row(n) for n in range(5)]
    assert woken == ["000000"]
    assert [row.outcome for row in rows] == ["ok"] * 5
    assert [row.usage.output for row in rows] == [42, 42, 42, 42, 0]
    assert all(row.ms >= (row.first_byte_ms or 0) > 0 and row.asked_model == "claude-opus-5-5" for row in rows)
    assert rows[4].ms > 80


def test_somebody_does_where_the_connection_is_to_end(woken: list[str]) -> None:
    with warmed() as (found, _), connect(found.port) as client:
        client.sendall(request(found.port, PATH, BODY, ["Connection: close"]))
        assert read(client).ended
        assert closed(client, 5)
        assert found.row(1).outcome == "ok"
    assert woken == ["000000", "000001"]


def test_the_time_to_ask_again_begins_with_the_end_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.proxy.server.IDLE_S", 1.0)
    with warmed() as (found, _), connect(found.port) as client:
        for _ in range(4):
            client.sendall(request(found.port, PATH, BODY))
            assert read(client).status == 200
            time.sleep(0.6)
        assert closed(client, 10)


def test_the_time_for_a_head_begins_with_its_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.proxy.server.HEAD_S", 1.0)
    with warmed() as (found, _), connect(found.port) as client:
        for _ in range(3):
            said = request(found.port, PATH, BODY)
            time.sleep(0.7)
            client.sendall(said[:20])
            time.sleep(0.5)
            client.sendall(said[20:])
            assert read(client).status == 200
        client.sendall(said[:20])
        assert closed(client, 10)
        assert len(found.rows) == 4


def test_a_time_that_runs_out_as_the_answer_ends_does_not_end_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end is told by call_soon, as asyncio does where more has come by TLS than fits its buffer."""
    arrived, clients = Wire.data_received, list[Connection]()
    made = Connection.connection_made

    def making(client: Connection, transport: Any) -> None:
        clients.append(client)
        made(client, transport)

    def late(wire: Wire, data: bytes) -> None:
        arrived(wire, data[:-4])
        client = clients[-1]
        assert client._listener is not None
        loop = client._listener.get_loop()
        loop.call_soon(arrived, wire, data[-4:])
        client._until = loop.time() - 1
        client._time(None)
        client._late()

    monkeypatch.setattr(Connection, "connection_made", making)
    with warmed() as (found, up), connect(found.port) as client:
        up.script = lambda _: whole(b"1234last")
        with monkeypatch.context() as patched:
            patched.setattr(Wire, "data_received", late)
            client.sendall(request(found.port, PATH, BODY))
            assert read(client).body == b"1234last"
        client.sendall(request(found.port, PATH, BODY))
        assert read(client).body == b"1234last"
        assert [found.row(n).outcome for n in range(3)] == ["ok"] * 3


def test_empty_lines_keep_nobody_who_has_not_shown_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.proxy.server.HEAD_S", 0.5)
    with warmed() as (found, _), connect(found.port) as client:
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 10:
                client.sendall(b"\r\n")
                time.sleep(0.1)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("behind", ["whole", "half", "no request"])
def test_what_stands_behind_one_that_went_ahead_is_heard(behind: str) -> None:
    with warmed() as (found, _), connect(found.port) as client:
        said = request(found.port, PATH, STREAMED)
        last = request(found.port, PATH, BODY, ["Connection: close"])
        pieces = {"whole": [said + last], "half": [said + last[:20], last[20:]], "no request": [said + b"none\r\n\r\n"]}
        for piece in pieces[behind]:
            client.sendall(piece)
            assert until(lambda: len(found.rows) >= 2)
        with client.makefile("rb") as reader:
            answers = reader.read()
        assert answers.count(b"HTTP/1.1 ") == 2
        assert (b"HTTP/1.1 400 " in answers) == (behind == "no request")
        assert until(lambda: len(found.rows) == (2 if behind == "no request" else 3))


def test_a_fault_in_the_accounts_leaves_the_answer_and_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Hastened) -> None:
        raise ZeroDivisionError("nothing")

    with warmed() as (found, _), connect(found.port) as client:
        with monkeypatch.context() as patched:
            patched.setattr(Hastened, "_read", fails)
            client.sendall(request(found.port, PATH, BODY))
            assert read(client).status == 200
            assert found.row(1).outcome == "ok"
        client.sendall(request(found.port, PATH, BODY))
        assert read(client).status == 200
        assert found.row(2).asked_model == "claude-opus-5-5"
        assert b"lynkr_requests_in_flight 0" in ask(found.port, "/metrics", method="GET").body
    assert found.troubles == ["a fault of its own (ZeroDivisionError('nothing')); please report it"]


def test_a_row_says_what_the_client_waited_for_and_not_what_its_accounts_took(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Meter.count

    def slow(*args: Any, **more: Any) -> Any:
        time.sleep(0.5)
        return count(*args, **more)

    with warmed() as (found, _):
        monkeypatch.setattr(Meter, "count", slow)
        assert ask(found.port, PATH, BODY).status == 200  # ahead
        assert ask(found.port, PATH, BODY[:-1] + b" " * 70_000 + b"}").status == 200
        assert all(found.row(n).ms < 450 for n in (1, 2))


def test_the_client_has_its_turn_when_an_answer_begins_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for each event: there may be very many."""
    turns = list[int]()
    monkeypatch.setattr(message, "give_way", lambda: turns.append(1))
    events = [chunk(event("ping", {"type": "ping"})) for _ in range(50)]
    with upstream(lambda _: [STREAM_HEAD, *events, END]) as up, proxy(anthropic_lane(up.url)) as found:
        for n in range(3):
            assert ask(found.port, PATH, STREAMED).ended
            found.row(n)
            assert len(turns) == 2 * (n + 1)


def test_of_two_clients_each_hears_its_own() -> None:
    """One asks while the other's answer is under way, by the same connection afterwards."""

    def script(asked: Asked) -> Iterable[Step]:
        data = event("ping", {"type": "ping", "who": asked.json["metadata"]})
        return [STREAM_HEAD, Pause(0.02), chunk(data), END]

    with warmed() as (found, up), connect(found.port) as one, connect(found.port) as other:
        up.script = script
        for n in range(20):
            for name, client in (("one", one), ("other", other)):
                client.sendall(
                    request(found.port, PATH, STREAMED[:-1] + b', "metadata": "%b-%d"}' % (name.encode(), n))
                )
            for name, client in (("one", one), ("other", other)):
                assert f'"{name}-{n}"'.encode() in read(client).body
        assert until(lambda: len(found.rows) == 41)
