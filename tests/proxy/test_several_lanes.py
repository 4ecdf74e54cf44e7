"""Several lanes in one session: whose thoughts go where, how many requests at once, what a spent budget does, and who
is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from proxied import Proxy, anthropic_lane, ask, openai_lane, proxy
from scripts import Asked, Hang, Script, Step, Upstream, anthropic, upstream, whole

from lynkr.health import Healths
from lynkr.lane import Auth, Lane
from lynkr.ledger.row import Try
from lynkr.proxy.peek import late
from lynkr.routing.breaker import Health
from lynkr.routing.router import Router
from lynkr.routing.settings import Budget, OnExceed, Routing
from lynkr.secrets import Key

KEYS = {"main": Key("sk-main"), "spare": Key("sk-spare")}
SEALED = {"type": "thinking", "thinking": "", "signature": "EqQBCgIYAhIM-of-the-first"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}


def tiered(up: Upstream, spare: Upstream, *, routing: Routing | None = None) -> Router:
    """A strong lane and a small one of the same format, told apart by tier."""
    main = anthropic_lane(up.url, auth=Auth.KEY, model="claude-opus-5-5")
    small = main._replace(name="spare", base_url=spare.url, model="claude-haiku-5-5")
    tiers: dict[str, tuple[Lane, ...]] = {"simple": (small,), "complex": (main, small)}
    return Router((main, small), "complex", "by tier", tiers, routing or Routing(wait_s=2))


def said(lynkr: Proxy, messages: list[dict[str, Any]]) -> int:
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": messages, "tools": [{"name": "Bash"}]}
    return ask(lynkr.port, "/v1/messages", json.dumps(body).encode()).status


def refusing_after(times: int) -> Script:
    served = 0

    def script(asked: Asked) -> Iterable[Step]:
        nonlocal served
        served += 1
        if served > times:
            return whole({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529)
        return anthropic()(asked)

    return script


def test_what_one_model_has_sealed_is_not_sent_to_another_of_the_same_format_and_comes_back_at_home() -> None:
    first = [
        {"role": "user", "content": "refactor the whole parser and migrate every module. Think hard. /tier complex"}
    ]
    second = [
        *first,
        {"role": "assistant", "content": [SEALED, CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"}]},
    ]
    with upstream(refusing_after(1)) as up, upstream(anthropic()) as spare:
        with proxy(router=tiered(up, spare), keys=KEYS) as lynkr:
            assert [said(lynkr, first), said(lynkr, second)] == [200, 200]
            assert [lynkr.row(n).lane for n in range(2)] == ["main", "spare"]
            up.script = anthropic()
    at_home, elsewhere = up.asked[1].json["messages"], spare.asked[0].json["messages"]
    assert at_home[1]["content"] == [SEALED, CALL], "the lane that made it was asked first, with all of it"
    assert elsewhere[1]["content"] == [CALL]
    assert elsewhere[2] == at_home[2]


def test_no_more_requests_are_under_way_than_a_lane_takes_at_once() -> None:
    under_way, most, lock = 0, 0, threading.Lock()
    third_there = threading.Event()

    def script(asked: Asked) -> Iterable[Step]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            if under_way > 2:
                third_there.set()
        third_there.wait(0.5)
        with lock:
            under_way -= 1
        return anthropic()(asked)

    with upstream(script) as up:
        lane = anthropic_lane(up.url, auth=Auth.KEY, concurrency=2)
        with proxy(lane, keys=KEYS) as lynkr:
            statuses = list[int]()
            threads = [
                threading.Thread(target=lambda: statuses.append(said(lynkr, [{"role": "user", "content": "hi"}])))
                for _ in range(6)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
    assert statuses == [200] * 6
    assert most == 2


@pytest.mark.parametrize(
    ("on_exceed", "status", "lane"), [("warn", 200, "main"), ("downgrade", 200, "spare"), ("stop", 400, None)]
)
def test_when_a_budget_is_spent(on_exceed: OnExceed, status: int, lane: str | None) -> None:
    hard = [{"role": "user", "content": "refactor the whole parser and migrate every module /tier complex"}]
    with upstream(anthropic()) as up, upstream(anthropic()) as spare:
        budget = Budget(session_usd=0.0001, on_exceed=on_exceed)
        with proxy(router=tiered(up, spare), keys=KEYS, budget=budget) as lynkr:
            assert said(lynkr, hard) == 200
            assert lynkr.row().lane == "main"
            assert (said(lynkr, hard), lynkr.row(1).lane) == (status, lane)
    assert (len(up.asked), len(spare.asked)) == {"warn": (2, 0), "downgrade": (1, 1), "stop": (1, 0)}[on_exceed]


def test_what_is_under_way_counts_against_a_budget() -> None:
    """Of eight at once that would cost more than the budget together, not all are let in."""
    release = threading.Event()

    def script(asked: Asked) -> Iterable[Step]:
        release.wait(20)
        return anthropic()(asked)

    large = [{"role": "user", "content": "word " * 20_000}]
    with upstream(script) as up:
        lane = anthropic_lane(up.url, auth=Auth.KEY, model="claude-opus-5-5")
        with proxy(lane, keys=KEYS, budget=Budget(session_usd=0.3)) as lynkr:
            statuses = list[int]()
            threads = [threading.Thread(target=lambda: statuses.append(said(lynkr, large))) for _ in range(8)]
            for thread in threads:
                thread.start()
            while len(up.asked) + len(statuses) < 8:
                threading.Event().wait(0.02)
            release.set()
            for thread in threads:
                thread.join(30)
    assert sorted(set(statuses)) == [200, 400]
    assert len(up.asked) == statuses.count(200) < 5


# --- who is asked, and what becomes of a rest -------------------------------------------------------------------------

HELLO = [{"role": "user", "content": "hi"}]
WRONG = whole({"error": {"message": "messages: too short", "type": "invalid_request_error", "code": None}}, 400)


def in_turn(first: Lane, second: Lane, **more: Any) -> Router:
    """Two lanes that are not told apart."""
    return Router((first, second), "complex", "first lane of the tier", routing=Routing(**{"wait_s": 2.0, **more}))


def noted(folder: Path, lane: Lane, rests_s: float) -> Health:
    """What another session has noted of a lane that failed: it rests for so long, and nobody tries it."""
    health = Health(3, time.time(), time.time() + rests_s, 1, 0.0, "500")
    Healths(folder, time.time).put(lane, health)
    return health


def known(folder: Path, lane: Lane) -> Health:
    return Healths(folder, time.time).of(lane)


@pytest.mark.parametrize(("script", "status"), [(anthropic(), 200), (lambda _: WRONG, 400)], ids=["answers", "refuses"])
def test_a_lane_alone_that_rests_is_asked_all_the_same(tmp_path: Path, script: Script, status: int) -> None:
    with upstream(script) as up:
        lane = anthropic_lane(up.url, auth=Auth.KEY, concurrency=1)
        noted(tmp_path, lane, 300.0)
        router = Router((lane,), "complex", "first lane of the tier", routing=Routing(retries=1))
        with proxy(router=router, keys=KEYS, healths=tmp_path) as lynkr:
            assert said(lynkr, HELLO) == status
            assert lynkr.row().lane == "main"
        assert len(up.asked) == 1


def test_a_lane_that_refuses_the_request_it_is_tried_with_has_answered(tmp_path: Path) -> None:
    with upstream(lambda _: WRONG) as up, upstream(anthropic()) as spare:
        first = openai_lane(up.url + "/v1", auth=Auth.KEY, model="gpt-5.5")
        noted(tmp_path, first, 0.0)
        router = in_turn(first, anthropic_lane(spare.url, auth=Auth.KEY))
        with proxy(router=router, keys={**KEYS, "gpt": Key("sk-gpt")}, healths=tmp_path) as lynkr:
            assert said(lynkr, HELLO) == 400
            assert (lynkr.row().lane, lynkr.row().outcome) == ("gpt", "refused")
    assert known(tmp_path, first) == Health()


def test_a_request_that_cannot_be_made_for_a_lane_leaves_it_to_another_to_try_it(tmp_path: Path) -> None:
    with upstream(anthropic()) as up:
        first = openai_lane("http://127.0.0.1:9/v1", auth=Auth.KEY)
        health = noted(tmp_path, first, 0.0)
        router = in_turn(first, anthropic_lane(up.url, auth=Auth.KEY))
        with proxy(router=router, keys={**KEYS, "gpt": Key("sk-gpt")}, healths=tmp_path) as lynkr:
            assert said(lynkr, HELLO) == 400
            assert lynkr.row().error == "no_model"
    assert known(tmp_path, first) == health


@pytest.mark.parametrize("spoken", ["anthropic", "openai-chat"])
def test_a_prompt_that_we_find_too_long_for_the_first_lane_goes_to_a_wider_one(spoken: str) -> None:
    long = [{"role": "user", "content": "word " * 9000}]
    with upstream(anthropic()) as up, upstream(anthropic()) as spare:
        narrow = openai_lane(up.url + "/v1", auth=Auth.KEY, model="gpt-5.5", context=2048)
        if spoken == "anthropic":
            narrow = anthropic_lane(up.url, auth=Auth.KEY, model="claude-haiku-5-5", context=2048)
        first = narrow._replace(name="spare")
        with proxy(router=in_turn(first, anthropic_lane(spare.url, auth=Auth.KEY)), keys=KEYS) as lynkr:
            assert said(lynkr, long) == 200
            row = lynkr.row()
        assert (row.lane, row.tried) == ("main", (Try("spare", None, "context"),))
        assert (len(up.asked), len(spare.asked)) == (0, 1)


@pytest.mark.parametrize(("timeout_s", "limit"), [(None, "wait_s in [route]"), (0.3, "its timeout_s")])
def test_of_a_lane_that_is_too_slow_the_limit_is_named_that_it_has(timeout_s: float | None, limit: str) -> None:
    assert f"no answer within 0.3 s; raise {limit} if" in late(anthropic_lane(None, timeout_s=timeout_s), 0.3).sentence


def test_where_all_lanes_were_only_too_slow_the_client_may_try_again() -> None:
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": HELLO, "stream": True}
    with upstream(lambda _: [Hang()]) as up, upstream(lambda _: [Hang()]) as spare:
        first, second = (anthropic_lane(each.url, auth=Auth.KEY) for each in (up, spare))
        with proxy(router=in_turn(first, second._replace(name="spare"), wait_s=0.1), keys=KEYS) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", json.dumps(body).encode())
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["type"], answer.header("x-should-retry")) == (529, "overloaded_error", None)
    assert error["message"].endswith("; try again")
    assert error["message"].count("no answer within 0.1 s") == 2
