"""What waits for a moment is done all the same: in its order, at the latest when the session ends, and never while a
client waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from proxied import Proxy, anthropic_lane, ask, connect, proxy, read, request
from proxy.test_connections import until
from scripts import Asked, Cut, Step, anthropic, upstream

from lynkr.ledger.row import Row
from lynkr.proxy import afterwards
from lynkr.proxy.case import Case

PATH = "/v1/messages"
BODY = b'{"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Why?"}]}'


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment does not come."""
    monkeypatch.setattr(afterwards, "_PAUSE_S", 600.0)


def talk(found: Proxy, count: int) -> None:
    """Asks so many times, one after another, on one connection."""
    with connect(found.port) as client:
        for _ in range(count):
            client.sendall(request(found.port, PATH, BODY))
            assert read(client).status == 200


def ids(found: Proxy) -> list[int]:
    return [int(row.id) for row in found.rows]


@pytest.mark.usefixtures("never")
def test_whoever_asks_again_does_not_wait_for_accounts() -> None:
    recorded = list[int]()

    def script(asked: Asked) -> Iterable[Step]:
        recorded.append(len(found.rows))
        return anthropic()(asked)

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as found:
        talk(found, 4)
        # The first had no connection yet by which it could have left.
        assert (recorded, ids(found)) == ([0, 1, 1, 1], [0])
    assert ids(found) == [0, 1, 2, 3]
    assert all(row.outcome == "ok" and row.usage.output == 42 and row.asked_model for row in found.rows)


def test_they_are_made_in_a_moment() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as found:
        talk(found, 5)
        assert until(lambda: len(found.rows) == 5)
        talk(found, 3)
        assert until(lambda: len(found.rows) == 8)
    assert ids(found) == list(range(8))


@pytest.mark.usefixtures("never")
def test_a_row_says_how_long_its_request_took_and_not_when_it_was_written() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as found:
        talk(found, 2)
        time.sleep(0.5)
    assert found.rows[1].first_byte_ms is not None
    assert found.rows[1].first_byte_ms <= found.rows[1].ms < 500


@pytest.mark.usefixtures("never")
def test_what_is_recorded_at_once_comes_after_what_waits() -> None:
    def script(asked: Asked) -> Iterable[Step]:
        return [Cut()] if b"cut" in asked.body else anthropic()(asked)

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as found:
        talk(found, 3)
        with connect(found.port) as client:
            client.sendall(request(found.port, PATH, BODY.replace(b"Why", b"cut")))
            assert read(client).status == 502
        assert ids(found) == [0]
        # What has no body to send on is served the usual way.
        assert ask(found.port, PATH, method="HEAD").status == 200
        assert until(lambda: len(found.rows) == 5)
    assert ids(found) == [0, 1, 2, 3, 4]
    assert [row.outcome for row in found.rows] == ["ok", "ok", "ok", "refused", "ok"]


@pytest.mark.usefixtures("never")
def test_they_do_not_pile_up() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as found:
        talk(found, 200)
        assert 200 - afterwards._MOST - 1 <= len(found.rows) <= 200 - afterwards._MOST + 1
    assert ids(found) == list(range(200))


def test_a_fault_in_one_is_told_at_the_end_and_keeps_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    finished = Case._finished

    def failing(case: Case) -> Row:
        if case.notes["id"] == "000002":
            raise ZeroDivisionError("two")
        return finished(case)

    monkeypatch.setattr(Case, "_finished", failing)
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as found:
        talk(found, 5)
        assert until(lambda: len(found.rows) == 4)
    assert ids(found) == [0, 1, 3, 4]
    assert found.troubles == ["a fault of its own (ZeroDivisionError('two')); please report it"]
