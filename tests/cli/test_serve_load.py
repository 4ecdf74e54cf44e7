"""`lynkr serve` when there is too much for it, and when what it stands on gives way."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

import pytest
from conftest import profile
from proxied import connect
from scripts import Upstream
from standing import LANE, STREAM, WHOLE, Slow, serving, streams, until, whole

DEEP = "/health/ready?deep=1"


SHAPES = {
    "anthropic": ("/v1/messages", STREAM),
    "openai-chat": ("/v1/chat/completions", b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}'),
    "openai-responses": ("/v1/responses", b'{"model": "m", "input": "Hi"}'),
    "gemini": ("/v1beta/models/m:generateContent", b'{"contents": [{"parts": [{"text": "Hi"}]}]}'),
}


def error_of(spoken: str, body: bytes) -> dict[str, object]:
    """The error of an answer, after a look at what its vendor's SDK reads."""
    said = json.loads(body)
    error = said["error"]
    assert isinstance(error["message"], str)
    if spoken == "anthropic":
        assert said["type"] == "error"
        assert isinstance(error["type"], str)
    elif spoken == "gemini":
        assert (error["code"], error["status"]) == (503, "UNAVAILABLE")
    else:
        assert {"type", "code", "param"} <= set(error)
    return dict(error)


@pytest.mark.parametrize("spoken", SHAPES)
@pytest.mark.parametrize(
    ("option", "why"), [(("--max-requests", "2"), "requests"), (("--max-memory", "1"), "memory")], ids=["many", "much"]
)
def test_more_than_it_takes_is_turned_away_in_the_clients_own_words(
    clean_machine: Path, up: Upstream, slow: Slow, spoken: str, option: tuple[str, str], why: str
) -> None:
    path, body = SHAPES[spoken]
    much = STREAM.replace(b"Hi", b"x" * 70_000)  # eight bytes for each, so that the second is too much
    body = body.replace(b"Hi", b"x" * 70_000)
    with serving(clean_machine, "-p", "work", *option) as stood:
        with streams(stood, slow, 2 if why == "requests" else 1, body=much) as answers:
            for _ in range(3):
                answer = stood.ask(path, body)
                assert answer.status == 503
                assert 0 < int(answer.header("retry-after") or 0) < 60
                assert why in str(error_of(spoken, answer.body)["message"])
            assert stood.shows("/health/live") == stood.shows("/health/ready") == 200
            assert f'lynkr_shed_total{{reason="{why}"}} 3.0' in stood.get("/metrics").body.decode()
        assert all(map(whole, answers))
        assert stood.ask(body=much).status == 200


def test_a_single_request_is_taken_however_large(clean_machine: Path, up: Upstream) -> None:
    with serving(clean_machine, "-p", "work", "--max-memory", "1") as stood:
        assert stood.ask(body=WHOLE.replace(b"Hi", b"x" * 3_000_000)).status == 200


def test_strangers_who_only_connect_keep_nobody_out(clean_machine: Path, up: Upstream) -> None:
    with serving(clean_machine, "-p", "work", "--max-requests", "2") as stood:
        strangers = [connect(stood.port) for _ in range(6)]
        time.sleep(0.3)
        status = stood.ask().status
        for each in strangers:
            each.close()
        assert status == 200


@pytest.mark.parametrize("words", [(), ("--max-requests", "400")])
def test_it_asks_for_as_many_descriptors_as_it_may_have(
    clean_machine: Path, up: Upstream, words: tuple[str, ...]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with serving(clean_machine, "-p", "work", *words) as stood:
            limits = Path(f"/proc/{stood.process.pid}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3] == line.split()[4]


# --- What it stands on ------------------------------------------------------------------------------------------------


def test_without_a_lane_that_can_be_reached_it_is_ready_only_on_the_surface(clean_machine: Path) -> None:
    profile(clean_machine, "work", LANE.format(name="main", url="http://127.0.0.1:9"))
    with serving(clean_machine, "-p", "work") as stood:
        assert stood.shows("/health/ready") == 200
        answer = stood.get(DEEP)
        assert answer.status == 503
        assert list(json.loads(answer.body)["unreachable"]["work"]) == ["main"]


def test_a_deep_look_carries_no_credential_and_is_not_taken_at_every_call(clean_machine: Path, up: Upstream) -> None:
    with serving(clean_machine, "-p", "work") as stood:
        assert {stood.get(DEEP).status for _ in range(20)} == {200}
        assert len(up.asked) == 1
        assert {name.lower() for name, _ in up.asked[0].headers} == {"host"}


def test_a_ledger_that_cannot_be_written_costs_no_request_and_no_row(clean_machine: Path, up: Upstream) -> None:
    with serving(clean_machine, "-p", "work", "--notice", "0") as stood:
        path, aside = stood.where.ledger, stood.home / "aside"
        stood.row(stood.ask().header("x-lynkr-request"))
    path.rename(aside)
    path.mkdir()
    with serving(clean_machine, "-p", "work", "--notice", "0") as stood:
        identity = stood.ask().header("x-lynkr-request")
        until(lambda: stood.shows(DEEP) == 503)
        assert "ledger" in json.loads(stood.get(DEEP).body)
        assert stood.shows("/health/ready") == 200
        assert stood.lynkr("serve", "stop").status == 0
        stood.ended()
        assert "the rows are kept in" in stood.err
    path.rmdir()
    aside.rename(path)
    with serving(clean_machine, "-p", "work", "--notice", "0") as stood:
        assert stood.lynkr("serve", "stop").status == 0
        stood.ended()
        assert str(identity) in [row.id for _, row in stood.rows()]


def test_what_cannot_be_cleaned_up_costs_no_row(clean_machine: Path, up: Upstream) -> None:
    old = clean_machine / "lynkr" / "data" / "kept" / "originals" / "aa" / "a-folder-that-nobody-expects"
    old.mkdir(parents=True)
    os.utime(old, (1, 1))
    with serving(clean_machine, "-p", "work") as stood:
        identity = stood.ask().header("x-lynkr-request")
        until(lambda: identity in [row.id for _, row in stood.rows()], 5)
