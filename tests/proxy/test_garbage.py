"""A request that is over is gone: nothing of it points back to it, so its body is freed at once and not when somebody
looks for garbage. A session's memory, and its pauses, rest on that."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from proxied import Proxy, anthropic_lane, ask, nobody, proxy
from scripts import STREAM_HEAD, Cut, anthropic, chat, chunk, upstream, whole

from lynkr.answers.settings import Caching
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.outbound import Inbound
from lynkr.routing.router import Router
from lynkr.routing.settings import Routing
from lynkr.secrets import Key
from lynkr.transforms.settings import Settings

REFUSED = whole({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, 400)
BUSY = whole({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, 529)
CHUNK = b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "Yes"}, "finish_reason": null}]}\n\n'
KEYS = {name: Key("sk-lanes-own") for name in ("main", "other")}


def keyed(url: str, name: str = "main") -> Lane:
    return Lane(name, "anthropic", (Format.ANTHROPIC,), Auth.KEY, url, model="claude-sonnet-5")


def translated(url: str) -> Lane:
    return Lane("main", "openai", (Format.OPENAI_CHAT,), Auth.KEY, url + "/v1", model="gpt-5.5")


def left_over(lynkr: Proxy, streamed: bool, *, same: bool = False) -> int:
    """How many requests are there still after five that are over; they are the `same`, or differ in a figure."""
    for n in range(5):
        text = "\n".join(f"tests/test_a.py::test_{line} PASSED [ {line}%]" for line in range(100))
        said: list[Any] = [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash",
                                               "input": {"command": "pytest -v"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]},
        ]  # fmt: skip
        body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": streamed, "temperature": 0 if same else n / 10,
                "messages": [{"role": "user", "content": "Why?"}, *said]}  # fmt: skip
        ask(lynkr.port, "/v1/messages", json.dumps(body).encode())
        lynkr.row(n)
    return sum(isinstance(each, Inbound) for each in gc.get_objects())


def outcomes(lynkr: Proxy) -> set[tuple[str, int | None]]:
    return {(row.outcome, row.status) for row in lynkr.rows}


both_ways = pytest.mark.parametrize("streamed", [True, False])
# One that its connection still waits for may be there for a moment longer.
FEW = 1


@both_ways
@pytest.mark.usefixtures("nobody_looks")
def test_of_a_request_that_was_relayed_nothing_is_left(streamed: bool) -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        assert left_over(lynkr, streamed) <= FEW
        assert outcomes(lynkr) == {("ok", 200)}


@both_ways
@pytest.mark.usefixtures("nobody_looks")
def test_nor_of_one_that_was_compressed(streamed: bool) -> None:
    with upstream(anthropic()) as up:
        with proxy(keyed(up.url), keys=KEYS, compress=Settings(tool_results=True), keep=lambda *_: None) as lynkr:
            assert left_over(lynkr, streamed) <= FEW
            assert all(row.savings for row in lynkr.rows)


@both_ways
@pytest.mark.usefixtures("nobody_looks")
def test_nor_of_one_that_was_translated(streamed: bool) -> None:
    with upstream(chat()) as up, proxy(translated(up.url), keys=KEYS) as lynkr:
        assert left_over(lynkr, streamed) <= FEW
        assert outcomes(lynkr) == {("ok", 200)}
        assert up.asked[0].target == "/v1/chat/completions"


@both_ways
@pytest.mark.usefixtures("nobody_looks")
def test_nor_of_one_that_was_answered_before(streamed: bool, tmp_path: Path) -> None:
    with upstream(anthropic()) as up:
        caching = Caching(answers="exact")
        with proxy(keyed(up.url), keys=KEYS, caching=caching, shelf=tmp_path) as lynkr:
            assert left_over(lynkr, streamed, same=True) <= FEW
            assert [bool(row.answered) for row in lynkr.rows] == [False, True, True, True, True]


@both_ways
@pytest.mark.parametrize("lane", [anthropic_lane, keyed, translated])
@pytest.mark.usefixtures("nobody_looks")
def test_nor_of_one_that_was_refused(lane: Callable[[str], Lane], streamed: bool) -> None:
    with upstream(lambda _: REFUSED) as up, proxy(lane(up.url), keys=KEYS) as lynkr:
        assert left_over(lynkr, streamed) <= FEW
        assert outcomes(lynkr) == {("refused", 400)}


@both_ways
@pytest.mark.parametrize("lane", [anthropic_lane, keyed, translated])
@pytest.mark.usefixtures("nobody_looks")
def test_nor_of_one_that_went_nowhere(lane: Callable[[str], Lane], streamed: bool) -> None:
    with nobody() as url, proxy(lane(url), keys=KEYS) as lynkr:
        assert left_over(lynkr, streamed) <= FEW
        assert outcomes(lynkr) == {("refused", 502)}


@pytest.mark.parametrize("lane", [anthropic_lane, keyed, translated])
@pytest.mark.usefixtures("nobody_looks")
def test_nor_of_one_whose_answer_was_cut(lane: Callable[[str], Lane]) -> None:
    begun = CHUNK if lane is translated else b'event: ping\ndata: {"type": "ping"}\n\n'
    with upstream(lambda _: [STREAM_HEAD, chunk(begun), Cut()]) as up, proxy(lane(up.url), keys=KEYS) as lynkr:
        assert left_over(lynkr, streamed=True) <= FEW
        assert {row.outcome for row in lynkr.rows} == {"cut"}


@both_ways
@pytest.mark.usefixtures("nobody_looks")
def test_nor_where_another_lane_stepped_in(streamed: bool) -> None:
    with upstream(lambda _: BUSY) as busy, upstream(anthropic()) as up:
        lanes = (keyed(busy.url), keyed(up.url, "other"))
        router = Router(lanes, "complex", "first lane of the tier", routing=Routing(breaker_failures=0))
        with proxy(*lanes, keys=KEYS, router=router) as lynkr:
            assert left_over(lynkr, streamed) <= FEW
            assert {row.lane for row in lynkr.rows} == {"other"}
