"""The passages of one item: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.formats.values import numbered, parsed_object, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Passage, Said, Speaker

TALK = "input"


def passages(item: dict[str, Any]) -> Iterator[Passage]:
    """What stands in `item`, as far as it can be read."""
    match text(item, "type") or "message":
        case "message":
            by: Speaker = "model" if item.get("role") == "assistant" else "user"
            for words, _ in _texts(item, "content"):
                yield Said(words, by)
        case "function_call":
            arguments = text(item, "arguments")
            yield Called(text(item, "call_id"), text(item, "name"), parsed_object(arguments) or arguments)
        case "custom_tool_call":
            yield Called(text(item, "call_id"), text(item, "name"), text(item, "input"))
        case "local_shell_call" | "shell_call":
            yield Called(text(item, "call_id"), "shell", member(item, "action"))
        case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" | "shell_call_output":
            for words, path in _texts(item, "output"):
                yield Given(text(item, "call_id"), words, path)


def _texts(item: dict[str, Any], key: str) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The texts of a member that is one, or a list of parts, and the way to each."""
    value = item.get(key)
    if isinstance(value, str):
        yield value, (key,)
    for n, part in numbered(value):
        for name in ("text", "stdout", "stderr"):
            if isinstance(part.get(name), str):
                yield part[name], (key, n, name)
