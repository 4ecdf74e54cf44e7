"""Failure drills: each way in which a lane can fail, for each client format, streamed and not.

What the client saw, what the ledger says, that it was over in time, that nobody was asked twice and nothing stays open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from proxied import Answer, ask
from proxy.drills import (
    BEFORE, CLIENT_S, ENDLESS, NEXT, PAGE, WITHIN, Fault, Left, Stage, comes_true, error, is_well, stage,
)
from proxy.test_translating import CLIENTS, body, target
import json

each_client = pytest.mark.parametrize("client", CLIENTS)
SETUPS = {"same": lambda c: (c, c), "other": lambda c: (c, NEXT[c]), "translated": lambda c: (NEXT[c], c)}
each_setup = pytest.mark.parametrize("setup", SETUPS)


def each(faults):
    return pytest.mark.parametrize(
        ("fault", "streamed"), [(f, w) for f in faults for w in f.ways], ids=lambda v: {True: "streamed", False: "whole"}.get(v, str(v)) if isinstance(v, bool) else str(v)
    )

@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    left = Left()
    yield
    assert left.nothing_more()


def send(stage: Stage, client: str, streamed: bool) -> tuple[Answer, float]:
    began = time.monotonic()
    answer = ask(stage.lynkr.port, target(client, streamed), json.dumps(body(client, streamed)).encode(), [])
    return answer, time.monotonic() - began


@each_client
@each(BEFORE)
@each_setup
def test_another_lane_steps_in(fault: Fault, streamed: bool, client: str, setup: str) -> None:
    first, second = SETUPS[setup](client)
    with stage(fault, streamed, first, second) as drill:
        answer, took = send(drill, client, streamed)
        row = drill.lynkr.row()
        assert is_well(client, answer, streamed)
        assert answer.header("x-lynkr-lane") == "second"
        assert took < CLIENT_S
        assert len(drill.healthy.asked) == 1
        assert (row.status, row.outcome, row.lane, row.error) == (200, "ok", "second", None)
        assert [(tried.lane, tried.status) for tried in row.tried] == [("first", fault.says)]
        assert row.tried[0].why and fault.why in row.tried[0].why
        if drill.faulty and fault.name != "unknown certificate":
            assert len(drill.faulty.asked) == 1
        if fault.slow or "endless" in fault.name:
            assert comes_true(lambda: drill.faulty.closed_early == 1)
    assert len(drill.lynkr.rows) == 1

@each_client
@each(BEFORE)
def test_alone(fault: Fault, streamed: bool, client: str) -> None:
    with stage(fault, streamed, client) as drill:
        answer, took = send(drill, client, streamed)
        row = drill.lynkr.row()
        print(answer.status, answer.header("x-lynkr-lane"), answer.body[-300:], answer.ended, took)
        print(row)
        assert answer.status == fault.alone
