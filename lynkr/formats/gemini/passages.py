"""The passages of one content: see lynkr.passage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats.values import added, instead, numbered, text
from lynkr.formats.watch import member
from lynkr.passage import Called, Given, Offer, Passage, Reshape, Said, Speaker

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


def reshaped(tools: list[Any], reshape: Reshape) -> list[Any]:
    """The tools as `reshape` wants them; Google's own kinds stay."""
    kept = list[Any]()
    for tool in tools:
        if not isinstance(tool, dict):
            kept.append(tool)
            continue
        new = {key: _declared(value, reshape) if key in _DECLARED else value for key, value in tool.items()}
        if any(new.values()):
            kept.append(new)
    return kept


_DECLARED = ("functionDeclarations", "function_declarations")
_SCHEMAS = ("parametersJsonSchema", "parameters_json_schema", "parameters")


def _declared(functions: Any, reshape: Reshape) -> Any:
    kept = list[Any]()
    for said in functions if isinstance(functions, list) else ():
        if not isinstance(said, dict) or not text(said, "name"):
            kept.append(said)
            continue
        key = next((name for name in _SCHEMAS if name in said), "parameters")
        if new := reshape(Offer(said["name"], text(said, "description"), member(said, key) or None)):
            kept.append(instead(said, new, key))
    return kept


def told(document: Document, words: str) -> list[Edit]:
    """The edits that add `words` to the system prompt, at its end."""
    for name in ("systemInstruction", "system_instruction"):
        system = document.members.get(name)
        parts = system.value.get("parts") if system is not None and isinstance(system.value, dict) else None
        if isinstance(parts, list) and parts:
            return added(document, (name, "parts", len(parts) - 1, "text"), words)
        if system is not None and isinstance(system.value, str):
            return added(document, (name,), words)
    return document.edits_of({"systemInstruction": {"parts": [{"text": words}]}})
