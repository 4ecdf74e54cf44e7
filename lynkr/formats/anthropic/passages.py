"""The passages of one message: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats.values import added, instead, numbered, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Offer, Passage, Reshape, Said, Speaker

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


def reshaped(tools: list[Any], reshape: Reshape) -> list[Any]:
    """The tools as `reshape` wants them; those of Anthropic's own kinds, which have no schema here, stay."""
    kept = list[Any]()
    for tool in tools:
        if (
            not isinstance(tool, dict)
            or not isinstance(tool.get("name"), str)
            or tool.get("type") not in (None, "custom")
        ):
            kept.append(tool)
            continue
        new = reshape(Offer(tool["name"], text(tool, "description"), member(tool, "input_schema") or None))
        if new is not None:
            kept.append(instead(tool, new, "input_schema"))
        elif "cache_control" in tool and kept and isinstance(kept[-1], dict):
            # The breakpoint stands behind all tools, whichever is the last.
            kept[-1] = {**kept[-1], "cache_control": tool["cache_control"]}
    return kept


def told(document: Document, words: str) -> list[Edit]:
    """The edits that add `words` to the system prompt, at its end."""
    system = document.members.get("system")
    if system is not None and isinstance(system.value, list):
        last = len(system.value) - 1
        return added(document, ("system", last, "text"), words)
    return added(document, ("system",), words) or document.edits_of({"system": words})
