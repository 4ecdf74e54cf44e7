"""Chores that need no model are answered here, where the lane has a key of its own; all else goes where it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from answering import CLIENTS, MODEL, PRICE, answering, body, said_by, send, target, text
from asked import BILLING, claude_title
from proxied import ask

from lynkr.answers.settings import Bypassing, Caching
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.row import Session
from lynkr.proxy.bypassing import Bypasses
from lynkr.report.values import report

PROMPT = "please fix the failing auth test in src/login.py"
TITLE = "Failing auth test in login.py"
OLDER = (
    "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title. Format your response "
    "as a JSON object with two fields: 'isNewTopic' (boolean) and 'title' (string, or null)."
)
TOPIC = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"isNewTopic": {"type": "boolean"}, "title": {"type": ["string", "null"]}},
        "required": ["isNewTopic", "title"],
        "additionalProperties": False,
    },
}
PLAIN = "Generate a short title for the conversation that starts with this message."
OWN_LOGIN: dict[str, Any] = {"auth": Auth.CLIENT, "model": None}
Body = dict[str, Any]


def quota() -> Body:
    """What Claude Code asks at its start to learn how much of a subscription is left."""
    return {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}],
            "metadata": {"user_id": "u"}}  # fmt: skip


def older(streamed: bool = False) -> Body:
    value = body(said=PROMPT, system=[BILLING, {"type": "text", "text": OLDER}], streamed=streamed)
    return value | {"output_config": {"format": TOPIC}}


def plain(streamed: bool = False) -> Body:
    return body(said=PROMPT, system=PLAIN, streamed=streamed)


TITLES: dict[str, tuple[Body, str]] = {
    "a schema with a title": (claude_title(PROMPT) | {"stream": False}, json.dumps({"title": TITLE})),
    "the older schema": (older(), json.dumps({"isNewTopic": True, "title": TITLE})),
    "plain text": (plain(), TITLE),
    "the form with a session's tags": (
        claude_title(f"<session>\n{PROMPT}\n</session>") | {"stream": False}, json.dumps({"title": TITLE}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TITLES)
def test_a_title_is_made_here_in_the_form_that_is_asked_for(what: str, tmp_path: Path) -> None:
    value, wanted = TITLES[what]
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        answer = send(lynkr, value)
        row = lynkr.row()
    assert up.asked == []
    made = json.loads(answer.body)
    assert (answer.status, text(answer), made["stop_reason"]) == (200, wanted, "end_turn")
    assert (made["type"], made["role"], made["model"]) == ("message", "assistant", MODEL)
    assert answer.header("x-lynkr-answered") == "bypass"
    assert (row.answered, row.who, row.cost_usd, row.outcome) == ("bypass:title", "title", 0.0, "ok")


def test_a_title_is_streamed_where_that_is_asked_for(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        answer = send(lynkr, claude_title(PROMPT) | {"stream": True})
    assert up.asked == []
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]
    said = "".join(event.get("delta", {}).get("text", "") for event in events)
    assert json.loads(said) == {"title": TITLE}


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_title_in_plain_text_comes_in_every_clients_format(client: str, streamed: bool, tmp_path: Path) -> None:
    system: Body = {
        "anthropic": {"system": PLAIN}, "openai-responses": {"instructions": PLAIN},
        "gemini": {"systemInstruction": {"parts": [{"text": PLAIN}]}},
    }.get(client, {})  # fmt: skip
    value = body(client, PROMPT, streamed=streamed) | system
    if client == "openai-chat":
        value["messages"] = [{"role": "system", "content": PLAIN}, *value["messages"]]
    with answering(tmp_path, caching=Caching(), script=said_by(client), spoken=client) as (up, lynkr):
        answer = send(lynkr, value, client, at=target(client, streamed=streamed))
    assert up.asked == []
    assert answer.status == 200
    assert (TITLE.encode() in answer.body, answer.ended) == (True, True)


@pytest.mark.parametrize("value", [v for v, _ in TITLES.values()] + [quota()])
def test_with_the_tools_own_login_chores_pass_as_they_came(value: Body, tmp_path: Path) -> None:
    data = json.dumps(value, indent=1).encode()
    with answering(tmp_path, caching=Caching(), **OWN_LOGIN) as (up, lynkr):
        answer = ask(lynkr.port, target("anthropic"), data, ["Authorization: Bearer sk-ant-oat01-x"])
    assert [asked.body for asked in up.posts()] == [data]
    assert answer.header("x-lynkr-answered") is None
    assert up.asked[0].header("authorization") == "Bearer sk-ant-oat01-x"


def test_the_quota_probe_is_answered_here_and_only_it(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        answer = send(lynkr, quota())
        made, row = json.loads(answer.body), lynkr.row()
        assert (answer.status, up.asked) == (200, [])
        assert (made["role"], made["stop_reason"], made["type"]) == ("assistant", "max_tokens", "message")
        assert (row.answered, row.cost_usd) == ("bypass:probe", 0.0)
        assert made["usage"]["input_tokens"] > 0
        for other in ({"max_tokens": 2}, {"messages": [{"role": "user", "content": "quotas"}]}):
            send(lynkr, quota() | other)
        assert len(up.posts()) == 2


def test_a_head_is_answered_here_on_a_lane_with_a_key(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        assert ask(lynkr.port, "/v1/nothing", method="HEAD").status == 200
    assert up.asked == []


UNKNOWN: dict[str, Body] = {
    "another schema": {"output_config": {"format": {"type": "json_schema", "schema": {
        "type": "object", "properties": {"title": {"type": "string"}, "emoji": {"type": "string"}}}}}},
    "a schema without a title": {"output_config": {"format": {"type": "json_schema", "schema": {
        "type": "object", "properties": {"name": {"type": "string"}}}}}},
    "json in words": {"system": f"{PLAIN} Answer as JSON."},
    "a verdict on safety": {"safeguards": [{"type": "dangerous_tool_use"}]},
    "tools": {"tools": [{"name": "Bash", "input_schema": {"type": "object"}}]},
}  # fmt: skip


@pytest.mark.parametrize("what", UNKNOWN)
def test_any_other_form_goes_to_a_model(what: str, tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        assert send(lynkr, plain() | UNKNOWN[what]).header("x-lynkr-answered") is None
    assert len(up.posts()) == 1


@pytest.mark.parametrize("value", [claude_title(PROMPT), older(), quota()])
def test_nothing_with_a_verdict_is_answered_here(value: Body, tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        send(lynkr, value | {"safeguards": [{"type": "x"}]})
    assert len(up.posts()) == 1


WORDS_OF_USERS = [
    "Write a title for my blog post about threads",
    "What is the title of this conversation?",
    "quota",
    "hi",
    "test",
]


@pytest.mark.parametrize("said", WORDS_OF_USERS)
def test_what_a_user_says_is_no_chore(said: str, tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        send(lynkr, body(said=said))
        send(lynkr, body(said=said, system="You are a careful coding agent. Answer at length."))
    assert len(up.posts()) == 2


def test_an_agent_whose_instructions_speak_of_titles_is_no_chore(tmp_path: Path) -> None:
    told = "You are an agent that writes the title and the body of a session's pull request. " * 60
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        send(lynkr, body(said="Do it.", system=told))
    assert len(up.posts()) == 1


@pytest.mark.parametrize("told", [
    "You write articles. Give each article a title, then write its text as a message of 500 words.",
    "Fix the title tag of the page in this task. Answer with the whole HTML.",
])  # fmt: skip
def test_instructions_that_want_more_than_a_title_go_to_a_model(told: str, tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        send(lynkr, body(said="Threads in Python", system=told))
    assert len(up.posts()) == 1


def test_switches_turn_each_kind_on_and_off() -> None:
    key, own = (Lane("l", "anthropic", (Format.ANTHROPIC,), auth) for auth in (Auth.KEY, Auth.CLIENT))
    for said, on_key, on_own in ((None, True, False), (True, True, True), (False, False, False)):
        switches = Bypasses(Bypassing(probes=said, titles=said))
        assert [switches._on(said, key), switches._on(said, own)] == [on_key, on_own]


# --- counts ------------------------------------------------------------------------------------------------------------

COUNTS = {
    "anthropic": ("/v1/messages/count_tokens", "input_tokens", "openai-chat"),
    "openai-responses": ("/v1/responses/input_tokens", "input_tokens", "anthropic"),
    "gemini": ("/v1beta/models/gemini-3-pro-preview:countTokens", "totalTokens", "anthropic"),
}


@pytest.mark.parametrize("client", COUNTS)
def test_tokens_are_counted_for_a_lane_that_counts_none(client: str, tmp_path: Path) -> None:
    at, name, spoken = COUNTS[client]
    found = []
    with answering(tmp_path, caching=Caching(), script=said_by(spoken), spoken=spoken) as (up, lynkr):
        for n, said in enumerate(("one two three", "one two three " * 100)):
            value = body(client, said)
            value.pop("max_tokens", None)
            answer = send(lynkr, value, client, at=at)
            found.append(json.loads(answer.body)[name])
            assert (answer.status, lynkr.row(n).answered, lynkr.row(n).cost_usd) == (200, "bypass:count", 0.0)
    assert up.asked == []
    assert 3 <= found[0] <= 20
    assert 300 <= found[1] <= 650


def test_a_lane_that_counts_is_asked_itself(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (up, lynkr):
        answer = send(lynkr, body(), at="/v1/messages/count_tokens")
    assert (json.loads(answer.body), len(up.posts())) == ({"input_tokens": 77}, 1)


# --- figures -----------------------------------------------------------------------------------------------------------


def test_the_report_says_what_chores_would_have_cost(tmp_path: Path) -> None:
    value = claude_title(PROMPT) | {"stream": False}
    with answering(tmp_path, caching=Caching()) as (_, lynkr):
        send(lynkr, value)
        send(lynkr, quota())
        rows = [lynkr.row(n) for n in range(2)]
    # Four characters are a token on both sides.
    said = json.dumps({"title": TITLE})
    sizes = [(len(json.dumps(value)) // 4, len(said) // 4), (len(json.dumps(quota())) // 4, 1)]
    worth = sum(read * PRICE.input + out * PRICE.output for read, out in sizes) / 1e6
    made = report(Session("s", "t", "work", "p", "2026-11-21T00:00:00Z"), rows)
    assert made["savings"]["bypass_usd"] == pytest.approx(worth, abs=2e-9)
    assert made["savings"]["answers_usd"] == made["totals"]["cost_usd"] == 0
    assert made["totals"]["saved_usd"] == pytest.approx(worth, abs=2e-9)
    assert [request["answered"] for request in made["requests"]] == ["bypass:title", "bypass:probe"]
