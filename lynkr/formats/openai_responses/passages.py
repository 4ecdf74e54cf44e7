"""The passages of one item: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats.values import added, instead, numbered, parsed_object, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Offer, Passage, Reshape, Said, Speaker

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


def reshaped(tools: list[Any], reshape: Reshape) -> list[Any]:
    """The tools as `reshape` wants them; OpenAI's own kinds stay."""
    kept = list[Any]()
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind == "namespace" and isinstance(tool.get("tools"), list):
            if inner := reshaped(tool["tools"], reshape):
                kept.append({**tool, "tools": inner})
        elif kind not in ("function", "custom") or not text(tool, "name"):
            kept.append(tool)
        elif new := reshape(Offer(tool["name"], text(tool, "description"), member(tool, "parameters") or None)):
            kept.append(instead(tool, new, "parameters"))
    return kept


def told(document: Document, words: str) -> list[Edit]:
    """The edits that add `words` to the system prompt, at its end."""
    return added(document, ("instructions",), words) or document.edits_of({"instructions": words})
