"""The passages of one message: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats.values import added, dumps, instead, numbered, parsed_object, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Offer, Passage, Reshape, Said, Speaker

TALK = "messages"


def passages(message: dict[str, Any]) -> Iterator[Passage]:
    """What stands in `message`, as far as it can be read."""
    role, content = message.get("role"), message.get("content")
    found: list[tuple[str, tuple[str | int, ...]]] = [(content, ("content",))] if isinstance(content, str) else []
    found += [(text(part, "text"), ("content", n, "text")) for n, part in numbered(content) if "text" in part]
    if role in ("tool", "function"):
        name = text(message, "name")
        for words, path in found:
            yield Given(text(message, "tool_call_id") or name, words, path, name)
        return
    by: Speaker = "model" if role == "assistant" else "user"
    for words, _ in found:
        yield Said(words, by)
    for _, call in numbered(message.get("tool_calls")):
        yield _called(text(call, "id"), member(call, "function") or member(call, "custom"))
    if old := member(message, "function_call"):
        yield _called(text(old, "name"), old)


def _called(call_id: str, said: dict[str, Any]) -> Called:
    arguments = text(said, "arguments") or text(said, "input")
    return Called(call_id, text(said, "name"), parsed_object(arguments) or arguments)


def reshaped(tools: list[Any], reshape: Reshape) -> list[Any]:
    """The tools as `reshape` wants them."""
    kept = list[Any]()
    for tool in tools:
        said = member(tool, "function") if isinstance(tool, dict) else {}
        if not text(said, "name"):
            kept.append(tool)
        elif new := reshape(Offer(said["name"], text(said, "description"), member(said, "parameters") or None)):
            kept.append({**tool, "function": instead(said, new, "parameters")})
    return kept


def told(document: Document, words: str) -> list[Edit]:
    """The edits that add `words` to the system prompt, at its end."""
    messages = document.elements(TALK)
    leading = 0
    while leading < len(messages) and messages[leading].value.get("role") in ("system", "developer"):
        leading += 1
    if leading:
        content = messages[leading - 1].value.get("content")
        inner = (len(content) - 1, "text") if isinstance(content, list) else ()
        return added(document, (TALK, leading - 1, "content", *inner), words)
    talk = document.members.get(TALK)
    if talk is None or not messages:
        return []
    said = dumps({"role": "system", "content": words})
    return [Edit(messages[0].start, messages[0].start, f"{said}, ")]
