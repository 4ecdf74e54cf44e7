"""Answers that were given where they should not have been, found by looking for them.

Whose answer it is, how old it is, whether it was one at all, and what is answered without a model although it needs one;
and what the shelf, or a client beside one, does to the others.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from answering import MODEL, answering, body, lane, numbered, said_by, send, session, target, text
from asked import claude_title
from proxied import ask, connect, proxy, request
from scripts import (
    ANTHROPIC_USAGE,
    CHAT_USAGE,
    END,
    RESPONSES_USAGE,
    STREAM_HEAD,
    Asked,
    Pause,
    Step,
    anthropic,
    anthropic_events,
    chunk,
    stream,
    upstream,
    whole,
)

from lynkr import formats
from lynkr.answers.settings import Caching
from lynkr.answers.shelf import Shelf
from lynkr.answers.title import title
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.answering import Answering, Question
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.routing.router import Router
from lynkr.secrets import Key
from lynkr.transforms.settings import OFF

EXACT = Caching("exact")
Body = dict[str, Any]


# --- whose it is -------------------------------------------------------------------------------------------------------


def test_the_answer_of_a_lane_that_stepped_in_while_the_first_rested_is_not_the_firsts(tmp_path: Path) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with (
        upstream(lambda asked: whole(overloaded, 529, "retry-after: 60")) as up,
        upstream(anthropic("The small one's.")) as small,
    ):
        lanes = (lane(up.url), lane(small.url, name="small", model="claude-haiku-5-5"))
        for n in range(2):
            router = Router(lanes, "complex", "first lane of the tier")
            keys = {"main": Key("sk-1"), "small": Key("sk-2")}
            with proxy(router=router, keys=keys, caching=EXACT, shelf=tmp_path / "answers") as lynkr:
                if n == 0:
                    send(lynkr, body(said="What makes it rest?"))
                again = send(lynkr, body(said="What is asked while it rests?"))
            up.script = anthropic("The strong one's.")
    assert (again.header("x-lynkr-answered"), text(again)) == (None, "The strong one's.")


def named(one: Lane, target: str = "/v1/messages") -> Question | None:
    """What a question is called on a lane."""
    value = json.dumps(body()).encode()
    asked = Request("POST", target, [], None)  # type: ignore[arg-type]
    inbound = Inbound(asked, {}, formats.match("POST", asked.path), value, "id", 0)
    kept: Any = None
    return Answering("exact", kept, "work", lambda: 0.0).question(inbound, one, Key("sk-1"))


ELSEWHERE: dict[str, Body] = {
    "region": {"region": "eu-central-1"},
    "project": {"project": "other"},
    "API version": {"api_version": "2026-10-21"},
    "format": {"formats": (Format.BEDROCK_CONVERSE,)},
    "headers": {"headers": {"X-Tenant": "b"}},
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_lane_that_the_profile_sends_elsewhere_is_another(what: str) -> None:
    here = Lane("main", "bedrock", (Format.BEDROCK_INVOKE,), Auth.KEY, model="m", region="us-east-1", project="one",
                api_version="2026-01-01", headers={"X-Tenant": "a"})  # fmt: skip
    assert named(here) is not None
    assert named(here._replace(**ELSEWHERE[what])) != named(here)


def test_another_query_is_another_question_on_a_lane_with_a_key() -> None:
    here = lane("http://127.0.0.1:1")
    assert named(here, "/v1/messages?api-version=1") != named(here, "/v1/messages?api-version=2")


def test_an_answer_of_one_server_is_not_given_for_another_that_the_tool_is_pointed_at(tmp_path: Path) -> None:
    own = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT)
    with upstream(anthropic("One.")) as one, upstream(anthropic("Other.")) as other:
        for up, said in ((one, "One."), (other, "Other.")):
            with proxy(own, caching=EXACT, shelf=tmp_path / "answers", origins={"anthropic": up.url}) as lynkr:
                assert text(send(lynkr, body(), headers=["x-api-key: any"])) == said


@pytest.mark.parametrize("header", ["X-Portkey-Api-Key", "cf-aig-authorization", "Ocp-Apim-Subscription-Key"])
def test_what_lets_a_client_into_a_gateway_counts(header: str, tmp_path: Path) -> None:
    with answering(tmp_path, auth=Auth.CLIENT, model=None) as (up, lynkr):
        for value in ("ann", "bob", "ann"):
            send(lynkr, body(), headers=["x-api-key: any", f"{header}: {value}"])
    assert len(up.posts()) == 2


def test_what_was_said_in_few_words_is_not_given_where_the_profile_asks_for_no_such_thing(tmp_path: Path) -> None:
    with upstream(numbered()) as up:
        found = []
        for how in (OFF._replace(terse="ultra"), OFF):
            with proxy(lane(up.url), keys={"main": Key("sk-1")}, caching=EXACT, shelf=tmp_path / "answers",
                       compress=how) as lynkr:  # fmt: skip
                found.append(text(send(lynkr, body(system="You help."))))
    assert found == ["Answer 1.", "Answer 2."]


def test_an_answer_is_no_older_than_the_profile_of_the_one_who_asks_allows(tmp_path: Path) -> None:
    with upstream(numbered()) as up:
        for ttl_s, said in ((3600.0, "Answer 1."), (0.2, "Answer 2.")):
            with session(up, tmp_path, caching=Caching("exact", ttl_s=ttl_s)) as lynkr:
                assert text(send(lynkr, body())) == said
            time.sleep(0.4)


def test_the_order_of_what_the_answer_is_to_hold_counts(tmp_path: Path) -> None:
    """Models fill a schema in its order: whether they reason before their verdict or after it."""
    members = {"reason": {"type": "string"}, "verdict": {"type": "string"}}
    with answering(tmp_path) as (up, lynkr):
        for order in (members, dict(reversed(members.items()))):
            schema = {"type": "object", "properties": order}
            send(lynkr, body(output_config={"format": {"type": "json_schema", "schema": schema}}))
    assert len(up.posts()) == 2


def test_a_system_prompt_behind_the_billing_line_counts(tmp_path: Path) -> None:
    with answering(tmp_path) as (up, lynkr):
        for who in ("a judge", "a pirate"):
            told = f"x-anthropic-billing-header: cc_version=2.1.329; cch=00000;\nYou are {who}."
            send(lynkr, body(system=[{"type": "text", "text": told}]))
    assert len(up.posts()) == 2


# --- what it looks like ------------------------------------------------------------------------------------------------


def test_an_answer_that_the_provider_is_to_remember_is_one_that_it_gave(tmp_path: Path) -> None:
    """The next request names it: `previous_response_id`."""
    count = iter(range(100))

    def script(asked: Asked) -> Iterable[Step]:
        return whole({**responded(), "id": f"resp_{next(count)}"})

    with answering(tmp_path, script=script, spoken="openai-responses") as (_, lynkr):
        value = body("openai-responses", store=True)
        ids = [json.loads(send(lynkr, value, "openai-responses").body)["id"] for _ in range(2)]
    assert all(name.startswith("resp_") for name in ids), ids


def test_figures_are_streamed_only_to_who_asks_for_them(tmp_path: Path) -> None:
    with answering(tmp_path, script=said_by("openai-chat"), spoken="openai-chat") as (_, lynkr):
        value = body("openai-chat", streamed=True)
        send(lynkr, value, "openai-chat")
        del value["stream_options"]
        assert b'"choices":[]' not in send(lynkr, value, "openai-chat").body.replace(b" ", b"")


# --- whether it was one ------------------------------------------------------------------------------------------------


def messaged(stop: str | None) -> Body:
    content = [{"type": "text", "text": "Half an"}]
    return {"id": "m", "type": "message", "role": "assistant", "model": MODEL, "content": content,
            "stop_reason": stop, "usage": ANTHROPIC_USAGE}  # fmt: skip


def chatted(finish: str | None, **more: Any) -> Body:
    message = {"role": "assistant", "content": "Half an", **more}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": CHAT_USAGE,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}]}  # fmt: skip


def responded(status: str = "completed", item: Body | None = None, **more: Any) -> Body:
    content = [{"type": "output_text", "text": "Half an", "annotations": [], **more}]
    output = [{"type": "message", "id": "msg_1", "role": "assistant", "content": content, **(item or {})}]
    return {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", "output": output,
            "usage": RESPONSES_USAGE}  # fmt: skip


def generated(finish: str, *more: Body, **beside: Any) -> Body:
    first = {"content": {"role": "model", "parts": [{"text": "Half an"}]}, "finishReason": finish, "index": 0}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}
    return {"candidates": [{**first, **beside}, *more], "usageMetadata": usage, "responseId": "r"}


def streamed_chat(*deltas: Body, finish: str | None) -> list[bytes]:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish:
        said.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    said.append({**head, "choices": [], "usage": CHAT_USAGE})
    return [*(b"data: " + json.dumps(each).encode() + b"\n\n" for each in said), b"data: [DONE]\n\n"]


# Answers that their providers did not finish, by format; some are vLLM's and SGLang's.
UNFINISHED: dict[str, tuple[str, Body | list[bytes]]] = {
    "messages, no reason": ("anthropic", messaged(None)),
    "messages, an unknown reason": ("anthropic", messaged("guardrail_intervened")),
    "chat, abort": ("openai-chat", chatted("abort")),
    "chat, no reason": ("openai-chat", chatted(None)),
    "chat, streamed, no reason": ("openai-chat", streamed_chat({"content": "Half an"}, finish=None)),
    "responses, cancelled": ("openai-responses", responded("cancelled")),
    "responses, in progress": ("openai-responses", responded("in_progress")),
    "responses, failed": ("openai-responses", responded("failed")),
    "gemini, another reason": ("gemini", generated("OTHER")),
    "gemini, an unknown reason": ("gemini", generated("FINISH_REASON_UNSPECIFIED")),
}
SECOND = {"content": {"role": "model", "parts": [{"text": "Or so."}]}, "finishReason": "STOP", "index": 1}
LINK = [{"type": "url_citation", "url": "http://127.0.0.1/", "start_index": 0, "end_index": 4}]
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
DETAILS = [{"type": "reasoning.encrypted", "data": "AAAA", "index": 0}]
PICKED = [{"token": "Half", "logprob": -0.5}]
# Answers with more in them than text and thoughts.
FULLER: dict[str, tuple[str, Body | list[bytes]]] = {
    "chat, streamed, links": ("openai-chat", streamed_chat({"content": "See", "annotations": LINK}, finish="stop")),
    "chat, a picture": ("openai-chat", chatted("stop", images=IMAGE)),
    "chat, sealed thoughts": ("openai-chat", chatted("stop", reasoning="Hm.", reasoning_details=DETAILS)),
    "responses, links": ("openai-responses", responded(annotations=LINK)),
    "responses, probabilities": ("openai-responses", responded(logprobs=PICKED)),
    "responses, what it is said for": ("openai-responses", responded(item={"phase": "commentary"})),
    "gemini, two answers": ("gemini", generated("STOP", SECOND)),
    "gemini, probabilities": ("gemini", generated("STOP", logprobsResult={"chosenCandidates": PICKED})),
}


def kept(folder: Path, spoken: str, answer: Body | list[bytes]) -> bool:
    """Whether an answer is given again."""
    streamed = isinstance(answer, list)
    with answering(
        folder, script=lambda asked: stream(answer) if isinstance(answer, list) else whole(answer), spoken=spoken
    ) as (up, lynkr):
        for _ in range(2):
            assert send(lynkr, body(spoken, streamed=streamed), spoken, at=target(spoken)).status == 200
    return len(up.posts()) == 1


@pytest.mark.parametrize("what", UNFINISHED)
def test_an_answer_that_was_not_finished_is_never_kept(what: str, tmp_path: Path) -> None:
    assert not kept(tmp_path, *UNFINISHED[what])


@pytest.mark.parametrize("what", FULLER)
def test_an_answer_that_cannot_be_given_again_whole_is_never_kept(what: str, tmp_path: Path) -> None:
    assert not kept(tmp_path, *FULLER[what])


def test_answers_as_those_are_kept_where_nothing_is_wrong_with_them(tmp_path: Path) -> None:
    right: dict[str, Body | list[bytes]] = {
        "anthropic": messaged("end_turn"), "openai-chat": streamed_chat({"content": "All."}, finish="stop"),
        "openai-responses": responded(), "gemini": generated("STOP"),
    }  # fmt: skip
    assert [spoken for spoken, answer in right.items() if not kept(tmp_path / spoken, spoken, answer)] == []


# --- what needs a model ------------------------------------------------------------------------------------------------

TITLED = {"type": "json_schema", "schema": {"type": "object", "properties": {"title": {"type": "string"}}}}
NEEDED: dict[str, Body] = {
    "the title of a book": body(said="It was the best of times.", output_config={"format": TITLED},
                                system="You name the book that a sentence is from."),
    "a title to translate": body(said="Translate: The Old Man and the Sea", output_config={"format": TITLED}),
    "a title and an answer": body(said="Fix the login.", system="Generate a title for this conversation, then answer it."),
    "a title and a summary": body(said="Fix the login.", system="Generate a title for this chat and a summary of it."),
    "titles, and marks for them": body(said="Fix the login.",
                                       system="You are a title generator for this chat. Give ten, and rate each."),
    "a title in tags": body(said="Fix the login.", system="Write a title for this chat, in French, in <title> tags."),
    "a word to judge": {"model": MODEL, "max_tokens": 1, "system": "Answer 1 if the word is a noun, else 0.",
                        "messages": [{"role": "user", "content": "quota"}]},
}  # fmt: skip


@pytest.mark.parametrize("what", NEEDED)
def test_what_asks_for_more_than_a_chore_goes_to_a_model(what: str, tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        assert send(lynkr, NEEDED[what]).header("x-lynkr-answered") is None
    assert len(up.posts()) == 1


@pytest.mark.parametrize("safeguards", [[], {}, None, 0, "", [{}]])
def test_whatever_stands_where_a_verdict_is_asked_for_is_no_chore(safeguards: object, tmp_path: Path) -> None:
    value = claude_title("fix the login") | {"stream": False, "safeguards": safeguards}
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        assert send(lynkr, value).header("x-lynkr-answered") is None
    assert len(up.posts()) == 1


LONG: dict[str, Callable[[], object]] = {
    "a wide table": lambda: title("name" + " " * 6000 + "value"),
    "a tag without an end": lambda: _titled("<session>" + " " * 1500 + "fix it"),
}


def _titled(said: str) -> object:
    from lynkr.proxy.bypassing import _title

    return _title(formats.CODECS[Format.ANTHROPIC].read_request(claude_title(said)), said)


@pytest.mark.parametrize("what", LONG)
def test_a_title_takes_no_time_whatever_it_is_made_of(what: str) -> None:
    began = time.process_time()
    LONG[what]()
    assert time.process_time() - began < 0.7, "everything else in the session waits for it"


# --- what never stops a session ----------------------------------------------------------------------------------------


def test_a_body_that_is_nested_deeply_is_served_as_without_a_cache(tmp_path: Path) -> None:
    begin, depth = '{"type":"tool_result","tool_use_id":"t","content":[', 400
    inner = begin * depth + '{"type":"text","text":"x"}' + "]}" * depth
    value = f'{{"model":"{MODEL}","max_tokens":9,"messages":[{{"role":"user","content":[{inner}]}}]}}'
    for n, caching in enumerate((Caching(), EXACT)):
        with answering(tmp_path / str(n), caching=caching) as (up, lynkr):
            assert ask(lynkr.port, "/v1/messages", value.encode()).status == 200, caching
        assert len(up.posts()) == 1


POISON: dict[str, Body] = {
    "parts that are a text": {"parts": "x"},
    "parts that are lists": {"parts": [[]]},
    "half a seal": {"parts": [{"text": "x"}, {"thinking": "x", "seal": ["x"]}]},
    "infinity": {"usage": dict.fromkeys(("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"),
                                        float("inf"))},
    "a figure that is too large": {"at": 10**400},
}  # fmt: skip


@pytest.mark.parametrize("what", POISON)
def test_an_entry_that_somebody_has_spoilt_is_a_miss(what: str, tmp_path: Path) -> None:
    with answering(tmp_path) as (up, lynkr):
        send(lynkr, body())
        with sqlite3.connect(tmp_path / "answers" / "cache.db") as db:
            value = json.loads(zlib.decompress(db.execute("SELECT value FROM Cache").fetchone()[0]))
            db.execute("UPDATE Cache SET value = ?", (zlib.compress(json.dumps(value | POISON[what]).encode()),))
        db.close()
        assert send(lynkr, body()).status == 200
    assert len(up.posts()) == 2


def test_a_damaged_cache_that_several_requests_meet_at_once_is_begun_anew(tmp_path: Path) -> None:
    for n in range(6):
        folder = tmp_path / str(n) / "answers"
        folder.mkdir(parents=True)
        (folder / "cache.db").write_bytes(b"no database at all" * 100)
        said: list[str] = []
        shelf, all_there = Shelf(folder, 3600, 10**7, said.append), threading.Barrier(6)

        def ask_one(shelf: Shelf = shelf, all_there: threading.Barrier = all_there) -> None:
            all_there.wait(20)
            shelf.get("k")

        threads = [threading.Thread(target=ask_one) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        shelf.put("k", {"text": "a"})
        assert (shelf.get("k"), len(said)) == ({"text": "a", "schema": 1}, 1)
        shelf.close()


def test_a_folder_that_was_there_becomes_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "cache.db").touch()
    (folder / "cache.db").chmod(0o644)
    folder.chmod(0o777)
    shelf = Shelf(folder, 3600, 10**7)
    shelf.put("k", {"text": "a"})
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in (folder, *folder.iterdir())
            if path.stat().st_mode & 0o077} == {}  # fmt: skip
    shelf.close()


# --- at once -----------------------------------------------------------------------------------------------------------


def test_who_waits_is_answered_though_the_first_client_leaves(tmp_path: Path) -> None:
    events = anthropic_events([{"type": "text", "text": "All done."}], "end_turn", ANTHROPIC_USAGE, MODEL)
    begun = threading.Event()

    def script(asked: Asked) -> Iterable[Step]:
        begun.set()
        return [STREAM_HEAD, chunk(events[0]), Pause(1.0), *map(chunk, events[1:]), END]

    data, found = json.dumps(body(streamed=True)).encode(), []
    with answering(tmp_path, script=script) as (up, lynkr):
        with connect(lynkr.port) as first:
            first.sendall(request(lynkr.port, target("anthropic"), data))
            assert begun.wait(20)
            second = threading.Thread(target=lambda: found.append(ask(lynkr.port, target("anthropic"), data)))
            second.start()
            time.sleep(0.3)
        second.join(30)
    assert [(answer.status, answer.ended, b"message_stop" in answer.body) for answer in found] == [(200, True, True)]
    assert len(up.posts()) == 2


def test_who_waits_does_not_wait_for_a_client_that_reads_no_more(tmp_path: Path) -> None:
    data = json.dumps(body(streamed=True)).encode()
    with answering(tmp_path, script=anthropic("x" * 6_000_000)) as (up, lynkr), connect(lynkr.port) as stopped:
        stopped.sendall(request(lynkr.port, target("anthropic"), data))
        while not up.posts():
            time.sleep(0.01)
        with connect(lynkr.port, timeout=15) as other:
            other.sendall(request(lynkr.port, target("anthropic"), data))
            assert other.recv(12) == b"HTTP/1.1 200"
