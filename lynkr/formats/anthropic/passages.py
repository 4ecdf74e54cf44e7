"""The passages of one message: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.formats.values import numbered, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Passage, Said, Speaker

TALK = "messages"


def passages(message: dict[str, Any]) -> Iterator[Passage]:
    """What stands in `message`, as far as it can be read."""
    content = message.get("content")
    by: Speaker = "model" if message.get("role") == "assistant" else "user"
    if isinstance(content, str):
        yield Said(content, by)
        return
    for n, block in numbered(content):
        match block.get("type"):
            case "text":
                yield Said(text(block, "text"), by)
            case "tool_use":
                yield Called(text(block, "id"), text(block, "name"), member(block, "input"))
            case "tool_result":
                yield from _given(block, n)


def _given(block: dict[str, Any], n: int) -> Iterator[Passage]:
    call_id, inner = text(block, "tool_use_id"), block.get("content")
    if isinstance(inner, str):
        yield Given(call_id, inner, ("content", n, "content"))
        return
    for m, part in numbered(inner):
        if part.get("type") == "text":
            yield Given(call_id, text(part, "text"), ("content", n, "content", m, "text"))
