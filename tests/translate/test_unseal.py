"""What lynkr sealed is taken out of a request for somebody who cannot read it; all else leaves byte for byte."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.conversation import ENVELOPE, SUMMARY, Home, Seal, Thinking, wrap
from lynkr.document import Document
from lynkr.formats.gemini.envelope import NO_SIGNATURE, closed
from lynkr.translate.unseal import marked, unseal

few = settings(max_examples=150, deadline=None)

HOME = Home("a lane", "its model")
SEALED = wrap(Seal("chat.reasoning", "so it is"), HOME)
OF_CALL = wrap(Seal("gemini.signature", "c2ln"), HOME, of_call=True)
IN_BASE64 = closed(Thinking("so it is", Seal("anthropic.signature", "c2ln")), HOME)
THEIRS = "EqQBCgYIBRgCKkBq2k"


def unsealed(body: str | bytes) -> bytes:
    document = Document.read(body if isinstance(body, bytes) else body.encode())
    return document.splice(unseal(document))


def value(body: Any) -> Any:
    return json.loads(unsealed(json.dumps(body)))


def messages(*contents: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "assistant", "content": content} for content in contents]}


TEXT = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": SEALED},
        {"type": "redacted_thinking", "data": SEALED},
        {"type": "redacted_thinking", "data": OF_CALL},
    ],
)
def test_a_thought_in_an_envelope_is_taken_out_of_a_message(block: dict[str, Any]) -> None:
    assert value(messages([block, TEXT])) == messages([TEXT])
    assert value(messages([TEXT, block, TEXT])) == messages([TEXT, TEXT])


def test_a_message_that_was_only_sealed_thoughts_goes_as_a_whole() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": SEALED}
    assert value(messages([TEXT], [block, block], "b")) == messages([TEXT], "b")


def test_a_reasoning_item_is_taken_out_of_the_input() -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": SEALED}
    assert value({"input": [said, item, {**item, "encrypted_content": OF_CALL}, said]}) == {"input": [said, said]}


def test_a_summary_of_ours_is_words_to_whoever_gets_it() -> None:
    item = {"type": "compaction", "encrypted_content": wrap(Seal(SUMMARY, "what was said so far"), HOME)}
    (found,) = value({"input": [item]})["input"]
    assert found["role"] == "user"
    assert [part["text"] for part in found["content"]] == ["what was said so far"]


@pytest.mark.parametrize("name", ["thoughtSignature", "thought_signature"])
def test_a_call_of_gemini_s_loses_its_signature_and_stays(name: str) -> None:
    part = {"functionCall": {"name": "f", "args": {}}, name: IN_BASE64}
    (found,) = value({"contents": [{"role": "model", "parts": [part]}]})["contents"][0]["parts"]
    assert found["functionCall"] == part["functionCall"]
    # Google's own word for a call that was made elsewhere.
    assert found.get(name) in (None, NO_SIGNATURE)
    assert IN_BASE64 not in json.dumps(found)


@pytest.mark.parametrize(
    "body",
    [
        messages([{"type": "thinking", "thinking": ENVELOPE, "signature": THEIRS}]),
        messages([{"type": "redacted_thinking", "data": THEIRS}]),
        messages([{"type": "text", "text": SEALED}]),
        messages(SEALED),
        messages([{"type": "tool_use", "id": "c", "name": "f", "input": {"data": SEALED, "signature": SEALED}}]),
        messages([{"type": "image", "source": {"type": "base64", "data": IN_BASE64}}]),
        messages([{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": SEALED}]}]),
        {"model": SEALED, "system": [{"type": "text", "text": SEALED}], "tools": [{"name": "data", "data": SEALED}]},
        {"input": SEALED},
        {"input": [{"type": "function_call", "arguments": SEALED}, {"type": "reasoning", "encrypted_content": THEIRS}]},
        {"contents": [{"parts": [{"functionCall": {"args": {"thoughtSignature": IN_BASE64}}}]}]},
        {"contents": [{"parts": [{"thoughtSignature": base64.b64encode(b"lynkr").decode(), "text": "a"}]}]},
        {"messages": None, "input": {}, "contents": [1, None, "a", []]},
        [],
    ],
)
def test_without_a_seal_of_ours_the_very_same_bytes_leave(body: Any) -> None:
    """An envelope in words, arguments or results is what somebody said, and nobody's seal."""
    raw = json.dumps(body, indent=1).encode()
    document = Document.read(raw)
    assert unseal(document) == []
    assert document.splice(unseal(document)) is raw


ODD = r'{"role" : "user","content":[ {"type":"text","text":"\u0041\/ \ud800 é"} ], "n":1e0, "n": -0.0 }'


def test_messages_that_are_not_concerned_and_all_around_keep_every_byte() -> None:
    sealed = '{"role":"assistant","content":[{"type":"redacted_thinking","data":"%s"},{"type":"text","text":"b"}]}'
    before, after = '{ "odd" : [1e0 , "\\ud800"],\n "messages" : ', ' , "model":"m" , "odd" : {} }'
    found = unsealed(f"{before}[ {ODD} ,\n{sealed % SEALED},{ODD}]{after}").decode()
    assert found.startswith(before + "[")
    assert found.endswith("]" + after)
    assert found.count(ODD) == 2
    assert SEALED not in found
    assert json.loads(found)["messages"][1] == {"role": "assistant", "content": [{"type": "text", "text": "b"}]}


def test_bytes_that_are_not_utf_8_stay_in_messages_that_are_not_concerned() -> None:
    odd = b'{"role":"user","content":"\xff\xe9"}'
    sealed = b'{"role":"assistant","content":[{"type":"redacted_thinking","data":"' + SEALED.encode() + b'"}]}'
    assert unsealed(b'{"messages":[' + sealed + b"," + odd + b"]}") == b'{"messages":[' + odd + b"]}"


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\\udc80"])
def test_a_message_that_is_concerned_may_hold_half_a_character(half: str) -> None:
    """Clients cut texts in the middle of an emoji; JSON has an escape for a half, UTF-8 has no bytes."""
    sealed, words = '{"type":"redacted_thinking","data":"' + SEALED + '"}', '{"type":"text","text":"a' + half + '"}'
    found = unsealed('{"messages":[{"role":"assistant","content":[' + f"{sealed},{words}" + "]}]}")
    assert json.loads(found)["messages"][0]["content"] == [{"type": "text", "text": json.loads(f'"a{half}"')}]


@few
@given(st.lists(st.sampled_from(["own", "theirs", "words", "only"]), max_size=6), st.booleans())
def test_exactly_what_is_sealed_is_gone(kinds: list[str], bare: bool) -> None:
    blocks = {
        "own": [{"type": "thinking", "thinking": "hm", "signature": SEALED}, TEXT],
        "theirs": [{"type": "thinking", "thinking": "hm", "signature": THEIRS}, TEXT],
        "words": [TEXT, {"type": "text", "text": SEALED}],
        "only": [{"type": "redacted_thinking", "data": SEALED}],
    }
    kept = {**blocks, "own": [TEXT]}
    found = unsealed(json.dumps(messages(*(blocks[kind] for kind in kinds)), ensure_ascii=bare))
    assert json.loads(found) == messages(*(kept[kind] for kind in kinds if kind != "only"))


def test_whatever_is_sealed_bears_one_of_the_marks() -> None:
    """They are looked for in the bytes before anything is read."""
    for sealed in (SEALED, OF_CALL, IN_BASE64):
        assert marked(sealed.encode())
