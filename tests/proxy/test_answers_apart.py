"""What must not be crossed: with any one thing changed that counts, the lane is asked again.

Each test asks twice, with one thing changed, and wants two requests upstream; the controls beside it change nothing that
counts and want one.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import answering as shared
import pytest
from answering import ASKED, CLIENTS, MODEL, answering, body, numbered, said_by, send, session, target, text
from scripts import upstream

from lynkr.lane import Auth

BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329; cch=a1b2c;"}
TOOL = {"name": "Bash", "description": "Runs it.", "input_schema": {"type": "object"}}
Body = dict[str, Any]


LONG: Body = body(
    messages=[
        {"role": "user", "content": [{"type": "text", "text": "List it."}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a.txt"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "One file."}]},
        {"role": "user", "content": [{"type": "text", "text": "Which?"}]},
    ],
    system=[{"type": "text", "text": "You help."}],
    tools=[TOOL],
    temperature=0.5,
)
CROSSED: dict[str, Callable[[Body], Any]] = {
    "model": lambda b: b.update(model="claude-sonnet-5"),
    "system prompt": lambda b: b["system"][0].update(text="You help much."),
    "no system prompt": lambda b: b.pop("system"),
    "tools": lambda b: b["tools"][0].update(description="Runs it at once."),
    "no tools": lambda b: b.pop("tools"),
    "first message": lambda b: b["messages"][0]["content"][0].update(text="List them."),
    "call": lambda b: b["messages"][1]["content"][0]["input"].update(command="ls -a"),
    "result": lambda b: b["messages"][2]["content"][0].update(content="b.txt"),
    "answer": lambda b: b["messages"][3]["content"][0].update(text="Two files."),
    "last message": lambda b: b["messages"][4]["content"][0].update(text="Which one?"),
    "temperature": lambda b: b.update(temperature=0.6),
    "no temperature": lambda b: b.pop("temperature"),
    "limit": lambda b: b.update(max_tokens=999),
    "format": lambda b: b.update(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}),
    "thinking": lambda b: b.update(thinking={"type": "adaptive"}),
    "choice of tool": lambda b: b.update(tool_choice={"type": "none"}),
}
VOLATILE: dict[str, Callable[[Body], Any]] = {
    "nothing": lambda b: None,
    "ids": lambda b: b.update(metadata={"user_id": "user_1_session_2"}),
    "billing line": lambda b: b["system"].insert(0, BILLING),
    "breakpoints": lambda b: b["messages"][4]["content"][0].update(cache_control={"type": "ephemeral"}),
}


def changed(change: Callable[[Body], Any]) -> Body:
    value = copy.deepcopy(LONG)
    change(value)
    return value


@pytest.mark.parametrize("what", CROSSED)
def test_with_something_else_in_it_the_lane_is_asked(what: str, tmp_path: Path) -> None:
    with answering(tmp_path, model=None) as (up, lynkr):
        assert text(send(lynkr, LONG)) == "Answer 1."
        assert text(send(lynkr, changed(CROSSED[what]))) == "Answer 2."
    assert len(up.posts()) == 2


@pytest.mark.parametrize("what", VOLATILE)
def test_what_names_the_occasion_does_not_count(what: str, tmp_path: Path) -> None:
    with answering(tmp_path) as (up, lynkr):
        send(lynkr, LONG)
        assert text(send(lynkr, changed(VOLATILE[what]))) == "Answer 1."
    assert len(up.posts()) == 1


HEADERS = {"anthropic-beta": ("a-2026-01-01", "b-2026-01-01"), "anthropic-version": ("2023-06-01", "2026-10-21")}


@pytest.mark.parametrize("name", HEADERS)
def test_with_another_header_that_asks_for_something_the_lane_is_asked(name: str, tmp_path: Path) -> None:
    with answering(tmp_path) as (up, lynkr):
        for value in (*HEADERS[name], *HEADERS[name]):
            send(lynkr, body(), headers=[f"{name}: {value}"])
    assert len(up.posts()) == 2


SETTINGS: dict[str, Body] = {
    "profile": {"whose": "home"},
    "lane": {"name": "other"},
    "model of the lane": {"model": "claude-sonnet-5"},
    "credential of the lane": {"key": "sk-other"},
    "provider": {"provider": "custom"},
}


@pytest.mark.parametrize("what", SETTINGS)
def test_in_another_setting_the_lane_is_asked(what: str, tmp_path: Path) -> None:
    with upstream(numbered()) as up:
        for more in ({}, SETTINGS[what], {}):
            more = dict(more)
            provider = more.pop("provider", None)
            with contextlib.ExitStack() as stack:
                if provider:
                    patch = stack.enter_context(pytest.MonkeyPatch.context())
                    patch.setitem(shared.HOUSES, "anthropic", (provider, MODEL))
                send(stack.enter_context(session(up, tmp_path, **more)), body())
    assert len(up.posts()) == 2


OWN = [
    ("anthropic", "X-Api-Key: sk-1", "X-Api-Key: sk-2"),
    ("anthropic", "Authorization: Bearer 1", "Authorization: Bearer 2"),
    ("openai-chat", "Authorization: Bearer 1", "Authorization: Bearer 2"),
    ("gemini", "X-Goog-Api-Key: 1", "X-Goog-Api-Key: 2"),
]
UNSEEN = [
    ("openai-chat", "api-key: 1", "api-key: 2"),
    ("openai-responses", "ChatGPT-Account-Id: 1", "ChatGPT-Account-Id: 2"),
    ("openai-chat", "OpenAI-Organization: 1", "OpenAI-Organization: 2"),
    ("openai-chat", "OpenAI-Project: 1", "OpenAI-Project: 2"),
    ("anthropic", "Cookie: session=1", "Cookie: session=2"),
]


@pytest.mark.parametrize(("client", "one", "other"), [
    *OWN,
    *UNSEEN,
])  # fmt: skip
def test_with_another_credential_of_the_clients_the_lane_is_asked(
    client: str, one: str, other: str, tmp_path: Path
) -> None:
    with answering(tmp_path, script=said_by(client), spoken=client, auth=Auth.CLIENT, model=None) as (up, lynkr):
        for header in (one, other, one):
            assert send(lynkr, body(client), client, [header]).status == 200
    assert len(up.posts()) == 2


def test_with_another_key_in_the_address_the_lane_is_asked(tmp_path: Path) -> None:
    with answering(tmp_path, script=said_by("gemini"), spoken="gemini", auth=Auth.CLIENT, model=None) as (up, lynkr):
        for key in ("AIza1", "AIza2", "AIza1"):
            assert send(lynkr, body("gemini"), "gemini", at=f"{target('gemini')}?key={key}").status == 200
    assert len(up.posts()) == 2


def test_a_question_in_another_format_is_another(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic") as (up, lynkr):
        for client in CLIENTS:
            assert send(lynkr, body(client), client).header("x-lynkr-answered") is None
    assert len(up.posts()) == len(CLIENTS)


APART: dict[str, Body] = {
    "system prompt": {"system": "You help."},
    "temperature": {"temperature": 0.5},
    "limit": {"max_tokens": 999},
    "tools": {"tools": [TOOL]},
    "format": {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
    "model": {"model": "claude-sonnet-5"},
    "something before it": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                                         {"role": "user", "content": ASKED.lower()}]},
    "a second text": {"messages": [{"role": "user", "content": [{"type": "text", "text": "In this file: x = 1"},
                                                               {"type": "text", "text": ASKED.lower()}]}]},
    "a beginning of the answer": {"messages": [{"role": "user", "content": ASKED.lower()},
                                               {"role": "assistant", "content": "Use"}]},
}  # fmt: skip


@pytest.mark.parametrize("what", APART)
def test_in_semantic_mode_all_but_the_words_has_to_be_the_same(what: str, tmp_path: Path) -> None:
    with answering(tmp_path, "semantic", model=None) as (up, lynkr):
        send(lynkr, body())
        assert send(lynkr, body(said=ASKED.lower()) | APART[what]).header("x-lynkr-answered") is None
        send(lynkr, body(said=ASKED.lower()))
    assert len(up.posts()) == 2


def test_in_semantic_mode_a_speakers_name_counts(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic", script=said_by("openai-chat"), spoken="openai-chat") as (up, lynkr):
        for name in ("ann", "bob"):
            send(lynkr, body("openai-chat", messages=[{"role": "user", "name": name, "content": ASKED}]), "openai-chat")
    assert len(up.posts()) == 2


def test_in_semantic_mode_other_system_prompts_of_chats_count(tmp_path: Path) -> None:
    with answering(tmp_path, "semantic", script=said_by("openai-chat"), spoken="openai-chat") as (up, lynkr):
        for said in ("You help.", "You do not help."):
            talk = [{"role": "system", "content": said}, {"role": "user", "content": ASKED}]
            send(lynkr, body("openai-chat", messages=talk), "openai-chat")
    assert len(up.posts()) == 2


def test_at_another_address_the_lane_is_asked(tmp_path: Path) -> None:
    with upstream(numbered()) as one, upstream(numbered()) as other:
        for up in (one, other, one, other):
            with session(up, tmp_path) as lynkr:
                assert text(send(lynkr, body())) == "Answer 1."
        assert (len(one.posts()), len(other.posts())) == (1, 1)
