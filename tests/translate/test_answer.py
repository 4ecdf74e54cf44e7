"""An answer that comes in one piece is told up to where it cannot be read, as it is when it comes in several."""

from __future__ import annotations

import pytest

from lynkr.changes import Changes
from lynkr.conversation import Home
from lynkr.events import Delta, MalformedStream
from lynkr.formats import CODECS, SPEECHES
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.translate.answer import Interpreter
from lynkr.translate.tools import Names

SAID = (
    b'{"model": "m", "message": {"role": "assistant", "content": "one "}, "done": false}\n'
    b'{"model": "m", "message": {"role": "assistant", "content": "two"}, "done": false}\n'
)


def interpreter() -> Interpreter:
    label = Label(Home("main", "m"), "m", "1")
    return Interpreter(SPEECHES[Format.OLLAMA], CODECS[Format.ANTHROPIC], label, Names(), Changes())


def test_what_came_before_something_unreadable_is_told_and_then_the_error_comes() -> None:
    reader = interpreter()
    events = reader.feed(SAID + b"no JSON\n" + SAID)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "one two"
    with pytest.raises(MalformedStream, match="not a JSON object"):
        reader.feed(SAID)
    with pytest.raises(MalformedStream, match="not a JSON object"):
        reader.finish()


def test_where_nothing_came_before_it_the_error_comes_at_once() -> None:
    reader = interpreter()
    with pytest.raises(MalformedStream, match="not a JSON object"):
        reader.feed(b"no JSON\n")
