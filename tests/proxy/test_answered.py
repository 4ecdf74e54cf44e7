"""Answers that are given again: the same question only, to the same asker only, in the client's own format.

What must not be crossed stands in test_answers_apart.py.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from answering import (
    ASKED,
    CLIENTS,
    HOUSES,
    MODEL,
    answering,
    body,
    numbered,
    said_by,
    send,
    session,
    target,
    text,
)
from proxied import Answer, Proxy, ask
from scripts import (
    ANTHROPIC_USAGE,
    Asked,
    Cut,
    Pause,
    Script,
    Step,
    anthropic,
    anthropic_events,
    chat,
    head,
    stream,
    upstream,
    whole,
)

from lynkr.answers.settings import Caching
from lynkr.lane import Auth
from lynkr.ledger.row import Session
from lynkr.proxy.message import MAX_COPY
from lynkr.report.values import report

LANES = sorted({*((client, client) for client in CLIENTS), *((client, "anthropic") for client in CLIENTS),
                ("anthropic", "openai-chat"), ("anthropic", "gemini"), ("openai-chat", "openai-responses")})  # fmt: skip
Body = dict[str, Any]


def figures(client: str, answer: Answer, *, streamed: bool) -> tuple[str, int, int]:
    """What an answer says, how long it says the prompt was, and how much of that was cached."""
    if streamed:
        lines = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: {")]
        values = [json.loads(line) for line in lines]
    else:
        values = [json.loads(answer.body)]
    said, usage = "", dict[str, Any]()
    for value in values:
        match client:
            case "anthropic":
                said += value.get("delta", {}).get("text", "")
                said += "".join(block["text"] for block in value.get("content", []))
                usage |= value.get("usage") or value.get("message", {}).get("usage") or {}
            case "openai-chat":
                for choice in value["choices"]:
                    said += (choice.get("delta") or choice.get("message") or {}).get("content") or ""
                usage |= value.get("usage") or {}
            case "openai-responses":
                done = value.get("response", value)
                usage |= done.get("usage") or {}
                if usage:
                    said = "".join(p["text"] for item in done["output"] for p in item.get("content", []))
            case _:
                said += "".join(part.get("text", "") for part in value["candidates"][0]["content"]["parts"])
                usage |= value.get("usageMetadata") or {}
    match client:
        case "anthropic":
            read = usage["cache_read_input_tokens"]
            prompt = usage["input_tokens"] + read + usage.get("cache_creation_input_tokens", 0)
        case "openai-chat":
            prompt, read = usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]
        case "openai-responses":
            prompt, read = usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"]
        case _:
            prompt, read = usage["promptTokenCount"], usage["cachedContentTokenCount"]
    return said, prompt, read


# --- hits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("client", "spoken"), LANES)
@pytest.mark.parametrize("streamed", [True, False])
def test_the_same_question_is_answered_again_in_the_clients_format(
    client: str, spoken: str, streamed: bool, tmp_path: Path
) -> None:
    with answering(tmp_path, script=said_by(spoken), spoken=spoken) as (up, lynkr):
        value, at = body(client, streamed=streamed), target(client, streamed=streamed)
        first, again, third = (send(lynkr, value, client, at=at) for _ in range(3))
        rows = [lynkr.row(n) for n in range(3)]
    assert len(up.posts()) == 1
    assert (first.status, again.status, again.ended) == (200, 200, True)
    said, prompt, read = figures(client, again, streamed=streamed)
    assert (said, prompt) == figures(client, first, streamed=streamed)[:2]
    assert read == prompt > 0
    assert (
        again.header(
            "content-type",
        ).partition(";")[0]
        == first.header("content-type").partition(";")[0]
    )  # type: ignore[union-attr]
    assert [answer.header("x-lynkr-answered") for answer in (first, again, third)] == [None, "exact", "exact"]
    assert [row.answered for row in rows] == [None, f"exact:{rows[0].id}", f"exact:{rows[0].id}"]
    assert again.header("x-lynkr-request") == rows[1].id
    assert [(row.outcome, row.status, row.cost_usd) for row in rows[1:]] == [("ok", 200, 0.0)] * 2


@pytest.mark.parametrize("client", CLIENTS)
def test_a_streamed_answer_serves_who_does_not_stream_and_the_other_way(client: str, tmp_path: Path) -> None:
    for n, ways in enumerate(((True, False), (False, True))):
        with answering(tmp_path / str(n), script=said_by(client), spoken=client) as (up, lynkr):
            answers = [send(lynkr, body(client, streamed=way), client, at=target(client, streamed=way)) for way in ways]
        assert len(up.posts()) == 1
        one, other = (figures(client, each, streamed=way)[0] for each, way in zip(answers, ways, strict=True))
        assert one == other != ""


def test_another_session_of_the_same_profile_gets_it_too(tmp_path: Path) -> None:
    with upstream(numbered()) as up:
        for _ in range(2):
            with session(up, tmp_path) as lynkr:
                assert text(send(lynkr, body())) == "Answer 1."
    assert len(up.posts()) == 1


def test_an_answer_is_kept_for_whoever_asks_next_also_if_its_client_goes_at_once(tmp_path: Path) -> None:
    with answering(tmp_path, script=said_by("openai-chat"), spoken="openai-chat") as (up, lynkr):
        for n in range(20):
            value = body(said=f"What is {n}?", streamed=True)
            assert ask(lynkr.port, target("anthropic"), json.dumps(value).encode()).status == 200
            lynkr.row(2 * n)
            send(lynkr, value)
    assert len(up.posts()) == 20


def test_semantic_answers_name_their_kind_and_their_request(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic") as (up, lynkr):
        send(lynkr, body())
        again = send(lynkr, body(said="Hi, how can I undo a commit? Thanks!"))
        assert lynkr.row(1).answered == f"semantic:{lynkr.row(0).id}"
    assert (again.header("x-lynkr-answered"), text(again), len(up.posts())) == ("semantic", "Answer 1.", 1)


def test_a_shelf_that_another_session_opens_for_long_keeps_nobody_waiting(tmp_path: Path) -> None:
    with answering(tmp_path) as (_, lynkr):
        send(lynkr, body())
    holder = sqlite3.connect(tmp_path / "answers" / "cache.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with answering(tmp_path) as (up, lynkr):
            began = time.monotonic()
            assert send(lynkr, body()).status == 200
            took = time.monotonic() - began
            holder.execute("ROLLBACK")
    finally:
        holder.close()
    assert len(up.posts()) == 1
    assert took < 10


def test_without_a_word_nothing_is_answered_again(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        assert [text(send(lynkr, body())) for _ in range(2)] == ["Answer 1.", "Answer 2."]
    assert len(up.posts()) == 2
    assert not (tmp_path / "answers").exists()


def test_exact_does_not_take_other_words(tmp_path: Path) -> None:
    with answering(tmp_path) as (up, lynkr):
        send(lynkr, body())
        send(lynkr, body(said=ASKED.lower()))
    assert len(up.posts()) == 2


def test_an_answer_is_good_for_as_long_as_the_profile_says(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching("exact", ttl_s=0.01)) as (up, lynkr):
        send(lynkr, body())
        threading.Event().wait(0.1)
        send(lynkr, body())
    assert len(up.posts()) == 2


# --- what is never kept ------------------------------------------------------------------------------------------------


def _refusing(asked: Asked) -> Iterable[Step]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "refusal",
               "content": [{"type": "text", "text": "No."}], "usage": {**ANTHROPIC_USAGE, "output_tokens": 4}}  # fmt: skip
    return whole(message)


def _cut_short(asked: Asked) -> Iterable[Step]:
    content = [{"type": "text", "text": "All"}]
    if not asked.json.get("stream"):
        return whole(b'{"type": "message"')
    return [*stream(anthropic_events(content, "end_turn", ANTHROPIC_USAGE, MODEL))[:5], Cut()]


def _too_long(asked: Asked) -> Iterable[Step]:
    return stream(anthropic_events([{"type": "text", "text": "All"}], "max_tokens", ANTHROPIC_USAGE, MODEL))


def _failing_late(asked: Asked) -> Iterable[Step]:
    events = anthropic_events([{"type": "text", "text": "All"}], "end_turn", ANTHROPIC_USAGE, MODEL)
    failure = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return stream([*events[:3], b"event: error\ndata: " + json.dumps(failure).encode() + b"\n\n"])


def _error(asked: Asked) -> Iterable[Step]:
    return whole({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, 400)


def _with_error_as_success(asked: Asked) -> Iterable[Step]:
    return whole({"type": "error", "error": {"type": "api_error", "message": "no"}})


CALL = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
NEVER: dict[str, tuple[Script, bool]] = {
    "a call": (anthropic("I look.", [CALL]), True),
    "a call, not streamed": (anthropic("I look.", [CALL]), False),
    "an error": (_error, False),
    "an error with 200": (_with_error_as_success, False),
    "a refusal": (_refusing, False),
    "a cut stream": (_cut_short, True),
    "half an answer": (_cut_short, False),
    "a stream that fails": (_failing_late, True),
    "an answer that was too long": (_too_long, True),
    "nothing": (anthropic(""), True),
}


@pytest.mark.parametrize("what", NEVER)
def test_it_is_never_kept(what: str, tmp_path: Path) -> None:
    script, streamed = NEVER[what]
    with answering(tmp_path, "semantic", script) as (up, lynkr):
        for _ in range(2):
            assert send(lynkr, body(streamed=streamed)).header("x-lynkr-answered") is None
    assert len(up.posts()) == 2


def test_a_chats_refusal_is_never_kept(tmp_path: Path) -> None:
    def script(asked: Asked) -> Iterable[Step]:
        message = {"role": "assistant", "content": None, "refusal": "I can not."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        return whole({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
                      "usage": usage})  # fmt: skip

    with answering(tmp_path, script=script, spoken="openai-chat") as (up, lynkr):
        for _ in range(2):
            send(lynkr, body("openai-chat"), "openai-chat")
    assert len(up.posts()) == 2


def test_a_verdict_is_never_kept(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic") as (up, lynkr):
        for _ in range(2):
            send(lynkr, body(safeguards=[{"type": "dangerous_tool_use"}]))
    assert len(up.posts()) == 2


def test_several_answers_at_once_are_never_kept(tmp_path: Path) -> None:
    with answering(tmp_path, script=chat(), spoken="openai-chat") as (up, lynkr):
        for _ in range(2):
            send(lynkr, body("openai-chat", n=2), "openai-chat")
    assert len(up.posts()) == 2


def test_a_packed_answer_harms_nothing(tmp_path: Path) -> None:
    def script(asked: Asked) -> Iterable[Step]:
        packed = gzip.compress(b"".join(anthropic("Packed.")(asked)).partition(b"\r\n\r\n")[2])  # type: ignore[arg-type]
        return [head(200, "Content-Type: application/json", "Content-Encoding: gzip",
                     f"Content-Length: {len(packed)}") + packed]  # fmt: skip

    with answering(tmp_path, script=script, auth=Auth.CLIENT, model=None) as (_, lynkr):
        for n in range(2):
            answer = send(lynkr, body(), headers=["Accept-Encoding: gzip", "x-api-key: sk-1"])
            plain = gzip.decompress(answer.body) if answer.header("content-encoding") == "gzip" else answer.body
            assert json.loads(plain)["content"][0]["text"] == "Packed."
            assert (lynkr.row(n).outcome, lynkr.row(n).error) == ("ok", None)


def test_an_odd_question_is_served(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic") as (_, lynkr):
        assert send(lynkr, body(said="x \x005\x00")).status == 200


# --- at once -----------------------------------------------------------------------------------------------------------


def together(lynkr: Proxy, many: int, value: Body) -> list[Answer]:
    """Asks the same several times, all at once."""
    found: list[Answer] = []
    data = json.dumps(value).encode()
    threads = [threading.Thread(target=lambda: found.append(ask(lynkr.port, target("anthropic"), data)))
               for _ in range(many)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == many
    return found


@pytest.mark.parametrize("streamed", [True, False])
def test_what_is_asked_several_times_at_once_is_sent_once(streamed: bool, tmp_path: Path) -> None:
    answer = numbered()
    with answering(tmp_path, script=lambda asked: [Pause(0.6), *answer(asked)]) as (up, lynkr):
        answers = together(lynkr, 5, body(streamed=streamed))
        assert len(up.posts()) == 1
        assert sorted(answer.header("x-lynkr-answered") or "" for answer in answers) == ["", *["exact"] * 4]
        assert {answer.status for answer in answers} == {200}
        assert all(b"Answer 1." in answer.body for answer in answers)


def test_different_questions_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    all_there = threading.Barrier(4)

    def script(asked: Asked) -> Iterable[Step]:
        all_there.wait(20)
        return anthropic()(asked)

    statuses = list[int]()
    with answering(tmp_path, script=script) as (_, lynkr):

        def ask_one(n: int) -> None:
            statuses.append(send(lynkr, body(said=f"What is {n}?")).status)

        threads = [threading.Thread(target=ask_one, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert statuses == [200] * 4


@pytest.mark.parametrize("failure", [_error, _cut_short])
def test_if_the_first_fails_the_second_asks_itself(failure: Script, tmp_path: Path) -> None:
    count = iter(range(100))

    def script(asked: Asked) -> Iterable[Step]:
        return [Pause(0.6), *(failure(asked) if next(count) == 0 else anthropic()(asked))]

    with answering(tmp_path, script=script) as (up, lynkr):
        answers = together(lynkr, 2, body())
    assert len(up.posts()) == 2
    assert sum(b"All done." in answer.body for answer in answers) == 1


# --- figures -----------------------------------------------------------------------------------------------------------


def test_the_report_says_what_asking_would_have_cost(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic") as (_, lynkr):
        for said in (ASKED, ASKED, "how can I undo a commit"):
            send(lynkr, body(said=said))
        rows = [lynkr.row(n) for n in range(3)]
    # input 12, written 100 for 5 minutes and 200 for an hour, read 4000, output 42, at PRICE
    paid = (12 * 2.0 + 100 * 2.5 + 200 * 4.0 + 4000 * 0.2 + 42 * 10.0) / 1e6
    worth = (4312 * 0.2 + 42 * 10.0) / 1e6
    made = report(Session("s", "t", "work", "p", "2026-11-21T00:00:00Z"), rows)
    assert made["savings"]["answers_usd"] == pytest.approx(2 * worth, abs=2e-9)
    assert made["savings"]["bypass_usd"] == made["savings"]["routing_usd"] == 0
    assert made["totals"]["cost_usd"] == pytest.approx(paid, abs=2e-9)
    assert made["totals"]["saved_usd"] == pytest.approx(2 * worth, abs=2e-9)
    assert made["totals"]["baseline_usd"] == pytest.approx(paid + 2 * worth, abs=2e-9)
    assert made["totals"]["cache_read_tokens"] == 4000, "what was not asked has no tokens"
    names = [request["answered"] for request in made["requests"]]
    assert names == [None, f"exact:{rows[0].id}", f"semantic:{rows[0].id}"]


@pytest.mark.parametrize("spoken", HOUSES)
def test_nothing_of_a_credential_is_on_disk(spoken: str, tmp_path: Path) -> None:
    with answering(tmp_path, script=said_by(spoken), spoken=spoken, key="sk-very-secret") as (_, lynkr):
        send(lynkr, body(spoken), spoken, at=target(spoken))
    kept = b"".join(path.read_bytes() for path in (tmp_path / "answers").rglob("*") if path.is_file())
    assert kept
    assert b"sk-very-secret" not in kept


def test_a_very_long_answer_is_not_kept(tmp_path: Path) -> None:
    with answering(tmp_path, script=anthropic("x" * (MAX_COPY + 1))) as (up, lynkr):
        for _ in range(2):
            send(lynkr, body())
    assert len(up.posts()) == 2
