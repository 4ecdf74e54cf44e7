"""A conversation that is read on the heels of an earlier one is what it is when it is read by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.said import body_of, stories

from lynkr.document import Document
from lynkr.errors import ClientError
from lynkr.formats import CODECS
from lynkr.lane import Format


def read(client: Format, body: dict[str, Any], document: Document | None = None) -> object:
    """What is read of `body`, with what a comparison of turns leaves out; or the error that it is."""
    try:
        trail = document.trail if document else None
        conversation = CODECS[client].read_request(document.value if document else body, trail)
    except ClientError as error:
        return error.sentence
    return conversation, [turn.span for turn in conversation.turns]


@pytest.mark.parametrize("client", CODECS)
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_what_is_read_on_is_what_is_read_anew(client: Format, data: st.DataObject) -> None:
    talk = CODECS[client].TALK
    bodies = [body_of(client, data.draw(stories(client))) for _ in range(2)]
    lists = [body[talk] if isinstance(body[talk], list) else [] for body in bodies]
    document: Document | None = None
    for _ in range(data.draw(st.integers(2, 6))):
        # Grown, gone back, gone on otherwise, with what no client should say in between.
        one, other = data.draw(st.permutations(lists))
        said = one[: data.draw(st.integers(0, len(one)))] + other[data.draw(st.integers(0, len(other))) :]
        if data.draw(st.integers(0, 9)) == 0:
            said = [*said, {"role": "nobody", "type": "item_reference"}]
        body = {**bodies[0], talk: said}
        document = Document.read(json.dumps(body).encode(), document)
        expected = read(client, body)
        if data.draw(st.booleans()):
            assert read(client, body, document) == expected
        assert read(client, body, document) == expected


def test_a_conversation_that_grows_is_read_on_and_not_anew() -> None:
    def message(n: int) -> dict[str, Any]:
        return {"role": "user" if n % 2 else "assistant", "content": f"message {n}"}

    def body(count: int) -> bytes:
        return json.dumps({"model": "m", "messages": [message(n) for n in range(count)]}).encode()

    earlier = Document.read(body(40))
    before = CODECS[Format.ANTHROPIC].read_request(earlier.value, earlier.trail)
    unread = Document.read(body(41), earlier)
    later = Document.read(body(43), unread)
    now = CODECS[Format.ANTHROPIC].read_request(later.value, later.trail)
    assert [turn is was for turn, was in zip(now.turns, before.turns, strict=False)] == [True] * 40


def test_documents_that_nobody_reads_further_do_not_keep_each_other() -> None:
    document = Document.read(b'{"messages": []}')
    for _ in range(5):
        document = Document.read(b'{"messages": []}', document)
    assert document.trail == Document.read(b'{"messages": []}').trail
