"""What a session remembers of its conversations: enough that a turn costs what is new in it, only so much, and nothing
that shows in what is sent.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lynkr.document import Document
from lynkr.formats import anthropic
from lynkr.transforms import shaper as module
from lynkr.transforms.shaper import Shaper

PASSED = "".join(f"tests/test_a.py::test_number_{n} PASSED [ {n}%]\n" for n in range(30))
STEPS = 4


def talk(name: str, length: int = 2 * STEPS + 1) -> list[dict[str, Any]]:
    """The first elements of a conversation: it runs its tests again and again."""
    said: list[dict[str, Any]] = [{"role": "user", "content": f"{name}: go on"}]
    for n in range(STEPS):
        use = {"type": "tool_use", "id": f"call{n}", "name": "Bash", "input": {"command": "pytest -v"}}
        result = {"type": "tool_result", "tool_use_id": f"call{n}", "content": f"{name}, run {n}\n{PASSED}"}
        said += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return said[:length]


def sent(shaper: Shaper, messages: list[dict[str, Any]]) -> bytes:
    document = Document.read(json.dumps({"messages": messages}).encode())
    shaped = shaper.shape(document, anthropic.TALK, anthropic.passages)
    assert shaped.faults == 0
    return document.splice(list(shaped.edits))


def alone(messages: list[dict[str, Any]]) -> bytes:
    """What a session sends that knows nothing of before."""
    after = sent(Shaper(), messages)
    assert len(messages) < 3 or b"[lynkr: " in after
    return after


@pytest.fixture
def shaped(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The elements that were looked into, as they come."""
    found, real = list[object](), module._shaped

    def counting(node: Any, *more: Any) -> Any:
        found.append(node.value)
        return real(node, *more)

    monkeypatch.setattr(module, "_shaped", counting)
    return found


def test_each_of_many_conversations_that_are_served_in_turn_is_shaped_where_it_is_new(shaped: list[object]) -> None:
    shaper, names = Shaper(), [f"conversation {n}" for n in range(20)]
    for length in range(1, 2 * STEPS + 2):
        for name in names:
            messages = talk(name, length)
            expected = alone(messages)
            shaped.clear()
            assert sent(shaper, messages) == expected
            assert shaped == messages[-1:]


def test_what_is_remembered_has_a_bound_and_the_one_that_was_served_longest_ago_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, shaped: list[object]
) -> None:
    whole = {name: talk(name) for name in "abcd"}
    size = len(json.dumps(whole["a"]))
    # Room for two and one more that is being served.
    monkeypatch.setattr(module, "_CHARACTERS", size * 5 // 2)
    shaper, expected = Shaper(), {name: alone(messages) for name, messages in whole.items()}
    for name, new in (("a", True), ("b", True), ("c", True), ("b", False), ("d", True), ("b", False), ("c", False),
                      ("a", True), ("d", True), ("c", False)):  # fmt: skip
        shaped.clear()
        assert sent(shaper, whole[name]) == expected[name]
        assert shaped == (whole[name] if new else []), name


def test_a_short_conversation_that_begins_as_a_long_one_does_is_shaped_once(shaped: list[object]) -> None:
    shaper, whole = Shaper(), talk("a")
    short = whole[:3]
    sent(shaper, whole)
    for messages, new in ((short, True), (short, False), (whole, False), (short, False), (whole, False)):
        expected = alone(messages)
        shaped.clear()
        assert sent(shaper, messages) == expected
        assert shaped == (messages if new else [])
