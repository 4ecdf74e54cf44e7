"""A prompt cache is kept through a pause as often as that pays, and only where somebody has asked for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio
import anyio.to_thread
import pytest
from proxied import anthropic_lane
from scripts import ANTHROPIC_USAGE, Asked, Step, Upstream, upstream, whole

from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import table
from lynkr.ledger.row import Row
from lynkr.proxy.warming import Sent, Warming
from lynkr.upstream.catalog import Address
from lynkr.upstream.client import Upstreams

PAUSE_S = 0.05
BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 32_000,
    "stream": True,
    "system": [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "go on"}],
}


def reads(tokens: int, status: int = 200) -> Callable[[Asked], Iterable[Step]]:
    def script(asked: Asked) -> Iterable[Step]:
        usage = {**ANTHROPIC_USAGE, "cache_read_input_tokens": tokens, "output_tokens": 0}
        body = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.json["model"], "content": []}
        return whole({**body, "stop_reason": "max_tokens", "stop_sequence": None, "usage": usage}, status)

    return script


def kept(
    up: Upstream,
    most: int,
    *,
    seconds: float = 1.0,
    prompt: int = 50_000,
    lane: Lane | None = None,
    body: dict[str, Any] | None = None,
    spoken: Format = Format.ANTHROPIC,
    spent: bool = False,
    notes: int = 1,
    during: Callable[[Callable[[], None]], Awaitable[None]] | None = None,
) -> list[Row]:
    """The rows of refreshes after `notes` requests that were answered one after the other, or while `during` is told
    how to answer one."""
    rows = list[Row]()
    used = lane or anthropic_lane(up.url, auth=Auth.KEY)

    async def run() -> None:
        upstreams = Upstreams({})
        warming = Warming(most, upstreams, Meter(table()), rows.append, lambda: f"{len(rows):03}",
                          lambda: "2026-11-21T00:00:00.000Z", lambda: spent, PAUSE_S)  # fmt: skip
        where = Address("http", "127.0.0.1", up.port, "/v1/messages")
        data = json.dumps(body or BODY).encode()
        headers = [
            (b"Host", where.authority.encode()),
            (b"Content-Length", str(len(data)).encode()),
            (b"x-api-key", b"k"),
        ]
        async with anyio.create_task_group() as group:
            group.start_soon(warming.run)

            def note() -> None:
                warming.note(Sent(used, where, headers, data, "claude-opus-5-5"), spoken, prompt)

            if during is not None:
                await during(note)
            for _ in range(0 if during else notes):
                note()
                await anyio.sleep(seconds)
            group.cancel_scope.cancel()
        await upstreams.aclose()

    anyio.run(run)
    return rows


def test_a_pause_is_refreshed_as_often_as_the_profile_says_with_the_same_request_and_no_answer() -> None:
    with upstream(reads(40_000)) as up:
        rows = kept(up, 3)
    assert [asked.json for asked in up.asked] == [{**BODY, "max_tokens": 0, "stream": False}] * 3
    assert {dict(asked.headers)["x-api-key"] for asked in up.asked} == {"k"}
    assert [(row.who, row.status, row.outcome, row.usage.cache_read) for row in rows] == [
        ("keepalive", 200, "ok", 40_000)
    ] * 3
    assert all(row.cost_usd and row.baseline_usd == 0.0 for row in rows), "its cost is seen, and no saving claimed"


def test_each_pause_has_its_own() -> None:
    with upstream(reads(40_000)) as up:
        assert len(kept(up, 2, notes=2)) == 4


@pytest.mark.parametrize("most", [1, 2])
def test_a_request_that_is_answered_while_a_refresh_is_under_way_begins_the_pause_anew(most: int) -> None:
    there, answered = threading.Event(), threading.Event()

    def script(asked: Asked) -> Iterable[Step]:
        there.set()
        answered.wait(10)
        return reads(40_000)(asked)

    async def during(note: Callable[[], None]) -> None:
        note()
        await anyio.to_thread.run_sync(there.wait, 10)
        note()
        answered.set()
        await anyio.sleep(20 * PAUSE_S)

    with upstream(script) as up:
        assert len(kept(up, most, during=during)) == 1 + most


def test_while_requests_come_nothing_is_refreshed() -> None:
    with upstream(reads(40_000)) as up:
        assert kept(up, 5, seconds=PAUSE_S / 5, notes=20) == []


def test_it_is_never_done_more_often_than_writing_anew_would_cost() -> None:
    """Opus 5.5: written at 5, read at 0.20 dollars a million: (5 - 0.2) / 0.2 = 24."""
    with upstream(reads(40_000)) as up:
        assert len(kept(up, 1000, seconds=4.0)) == 23


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("nobody asked for it", {"most": 0}),
        ("the prompt is small", {"prompt": 5_000}),
        ("the budget is spent", {"spent": True}),
        ("another format has no such entries", {"spoken": Format.OPENAI_CHAT}),
        ("the client sets no breakpoints", {"body": {**BODY, "system": "rules"}}),
        (
            "a budget of thoughts needs an answer",
            {"body": {**BODY, "thinking": {"type": "enabled", "budget_tokens": 9}}},
        ),
    ],
)
def test_it_is_left_alone_where(what: str, more: dict[str, Any]) -> None:
    with upstream(reads(40_000)) as up:
        assert kept(up, more.pop("most", 3), seconds=0.4, **more) == [], what
        assert up.asked == []


def test_never_with_the_tools_own_login() -> None:
    with upstream(reads(40_000)) as up:
        assert kept(up, 3, seconds=0.4, lane=anthropic_lane(up.url)) == []
        assert up.asked == []


def test_a_cache_that_is_gone_is_not_written_again_and_again() -> None:
    with upstream(reads(0)) as up:
        assert len(kept(up, 3, seconds=0.5)) == 1


def test_a_lane_that_refuses_is_asked_once() -> None:
    with upstream(reads(0, status=400)) as up:
        rows = kept(up, 3, seconds=0.5)
    assert [(row.status, row.outcome, row.cost_usd) for row in rows] == [(400, "refused", 0.0)]
