"""What stands in a request in a rare, new or odd way is read as it is meant, or refused in words, and nothing vanishes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lynkr.changes import Changes
from lynkr.conversation import Conversation, Home, Opaque, Result, Text
from lynkr.errors import ClientError
from lynkr.formats import CODECS, SPEECHES
from lynkr.lane import Format
from lynkr.target import Target
from lynkr.translate.request import write
from lynkr.upstream.fit import fit

ANTHROPIC, CHAT, RESPONSES, GEMINI = CODECS
TARGET = Target(Home("main", "m"))


def parts(spoken: Format, body: dict[str, Any]) -> list[Any]:
    """All parts of what was said in a request."""
    return [part for turn in CODECS[spoken].read_request(body).turns for part in turn.parts]


def written(c: Conversation, lane: Format) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """What a lane gets of a conversation, and what is noted of that."""
    changes = Changes()
    body = json.loads(write(c, SPEECHES[lane], TARGET, fit, changes).body)
    return body, {(change.what, change.did) for change in changes.listed()}


# --- parts of a tool's result -----------------------------------------------------------------------------------------

DOCUMENT = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "One."},
                                                                          {"type": "text", "text": "Two."}]}}  # fmt: skip


def test_a_document_made_of_blocks_keeps_its_words_in_a_result_as_it_does_in_the_users_turn() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [DOCUMENT]}
    body = {"messages": [{"role": "user", "content": [DOCUMENT, result]}]}
    in_turn, found = parts(ANTHROPIC, body)
    assert (in_turn.what, in_turn.text) == ("document", "One.\nTwo.")
    assert found == Result("t", (in_turn,))
    messages = written(CODECS[ANTHROPIC].read_request(body), CHAT)[0]["messages"]
    assert [(message["role"], message["content"]) for message in messages] == [
        ("tool", "One.\nTwo."),
        ("user", "One.\nTwo."),
    ]


NEW = {"type": "hologram", "data": "AAAA"}
SAID = {"type": "text", "text": "here"}
OF_A_RESULT = {
    CHAT: {"messages": [
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "ls", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": [SAID, NEW]}]},
    RESPONSES: {"input": [
        {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [SAID, NEW]}]},
}  # fmt: skip


@pytest.mark.parametrize("client", OF_A_RESULT)
def test_a_part_of_a_result_that_nobody_knows_is_kept_as_it_is(client: Format) -> None:
    (result,) = [part for part in parts(client, OF_A_RESULT[client]) if isinstance(part, Result)]
    assert result.parts == (Text("here"), Opaque(client, "hologram", NEW))


@pytest.mark.parametrize(
    ("client", "lane"), [(client, lane) for client in OF_A_RESULT for lane in SPEECHES if lane is not client]
)
def test_a_part_of_a_result_that_nobody_knows_is_noted_where_it_cannot_be_said(client: Format, lane: Format) -> None:
    body, noted = written(CODECS[client].read_request(OF_A_RESULT[client]), lane)
    assert ("hologram", "dropped") in noted
    assert "here" in json.dumps(body)


# --- odd requests -----------------------------------------------------------------------------------------------------

HI = {"role": "user", "content": "hi"}
ODD = [
    pytest.param(CHAT, {"messages": [HI, {"role": role, "content": [{"type": "thinking", "thinking": 5}]}]}, id=f"thinking of the {role}'s")
    for role in ("assistant", "user")
] + [
    pytest.param(CHAT, {"messages": [HI, {"role": "assistant", "content": "a", "reasoning_details": 5}]}, id="details"),
    pytest.param(CHAT, {"messages": [HI, {"role": "assistant", "content": "a", "reasoning_details": [5]}]}, id="a detail"),
    pytest.param(RESPONSES, {"input": [{"type": "message", "role": "user", "content": []},
                                       {"type": "function_call_output", "call_id": "c", "output": "x"}]}, id="empty turn"),
]  # fmt: skip


@pytest.mark.parametrize(("client", "body"), ODD)
def test_an_odd_request_is_read_or_refused_and_is_no_fault_of_ours(client: Format, body: dict[str, Any]) -> None:
    try:
        conversation = CODECS[client].read_request(body)
    except ClientError as error:
        assert error.status == 400
        return
    for lane in SPEECHES:
        said, _ = written(conversation, lane)
        # What is odd is left out or stays as it is; the plain words beside it arrive.
        assert '"hi"' in json.dumps(said) or '"x"' in json.dumps(said)


def test_a_result_behind_a_turn_without_a_word_is_heard() -> None:
    body = {"input": [{"type": "message", "role": "user", "content": []},
                      {"type": "function_call_output", "call_id": "c", "output": "x"}]}  # fmt: skip
    assert parts(RESPONSES, body) == [Result("c", (Text("x"),))]


# --- Google's two spellings -------------------------------------------------------------------------------------------

INLINE = {"mimeType": "image/png", "data": "iVBO"}
CAMEL: dict[str, Any] = {
    "functionCall": {"functionCall": {"id": "c", "name": "ls", "args": {"in_here": 1}}},
    "functionResponse": {"functionResponse": {"id": "c", "name": "ls", "response": {"output": "a_b"},
                                              "parts": [{"inlineData": INLINE}]}},
    "inlineData": {"inlineData": INLINE},
}  # fmt: skip
SNAKE: dict[str, Any] = {
    "functionCall": {"function_call": CAMEL["functionCall"]["functionCall"]},
    "functionResponse": {"function_response": {"id": "c", "name": "ls", "response": {"output": "a_b"},
                                               "parts": [{"inline_data": {"mime_type": "image/png", "data": "iVBO"}}]}},
    "inlineData": {"inline_data": {"mime_type": "image/png", "data": "iVBO"}},
}  # fmt: skip


def of_part(part: dict[str, Any]) -> list[Any]:
    return parts(GEMINI, {"contents": [{"role": "user", "parts": [part]}]})


@pytest.mark.parametrize("name", CAMEL)
def test_a_part_that_is_spelt_with_underscores_is_the_same_part(name: str) -> None:
    (found,) = of_part(SNAKE[name])
    assert not isinstance(found, Opaque)
    assert [found] == of_part(CAMEL[name])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"executable_code": {"language": "PYTHON", "code": "print(1)"}}, "print(1)"),
        ({"executableCode": {"language": "PYTHON", "code": "print(1)"}}, "print(1)"),
        ({"code_execution_result": {"outcome": "OUTCOME_OK", "output": "1\n"}}, "1\n"),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}, "1\n"),
    ],
)
def test_code_that_google_ran_keeps_its_words_in_both_spellings(part: dict[str, Any], words: str) -> None:
    (found,) = of_part(part)
    assert (type(found), found.text, found.value) == (Opaque, words, part)
