"""The passages of one content: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.formats.values import numbered, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Passage, Said, Speaker

TALK = "contents"


def passages(content: dict[str, Any]) -> Iterator[Passage]:
    """What stands in `content`, as far as it can be read. Both spellings of Google's names are taken."""
    by: Speaker = "model" if content.get("role") == "model" else "user"
    for n, part in numbered(content.get("parts")):
        if call := member(part, "functionCall") or member(part, "function_call"):
            yield Called(text(call, "id") or text(call, "name"), text(call, "name"), member(call, "args"))
        elif "functionResponse" in part or "function_response" in part:
            key = "functionResponse" if "functionResponse" in part else "function_response"
            given = member(part, key)
            call_id, name = text(given, "id") or text(given, "name"), text(given, "name")
            for words, path in _texts(given.get("response"), ("parts", n, key, "response")):
                yield Given(call_id, words, path, name)
        elif text(part, "text") and part.get("thought") is not True:
            yield Said(text(part, "text"), by)


def _texts(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every text in a response, which may have any shape, and the way to it."""
    if isinstance(value, str):
        yield value, path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _texts(inner, (*path, n))
