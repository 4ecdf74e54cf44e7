"""Cache breakpoints put into a request that has none, span by span: as `translate.breakpoints` does it for values."""

from __future__ import annotations

from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats.values import dumps

_MARK = {"type": "ephemeral"}
_SPLICED = f',"cache_control":{dumps(_MARK)}'
_CAN_END = ("text", "image", "document", "tool_use", "tool_result")
# The message that ends the request, and the one that ended the last.
_LAST = 2


def breakpoints(document: Document) -> list[Edit]:
    """The edits that set them; none where there are some, or the request looks like a single question."""
    value = document.value
    messages, tools = _list(value, "messages"), _list(value, "tools")
    goes_on = bool(tools) or any(message.get("role") == "assistant" for message in messages)
    if b'"cache_control"' in document.body or not goes_on:
        return []
    ends = [n for n, message in enumerate(messages) if message.get("role") == "user"][-_LAST:]
    edits = [edit for n in ends for edit in _behind(document, ("messages", n, "content"), messages[n].get("content"))]
    if not edits:
        return []
    edits += _behind(document, ("system",), value.get("system"))
    at = next((n for n in reversed(range(len(tools))) if not tools[n].get("defer_loading")), None)
    return edits if at is None else edits + _into(document, ("tools", at))


def _behind(document: Document, path: tuple[str | int, ...], content: Any) -> list[Edit]:
    """The edit that puts a breakpoint behind a text or the last of some blocks."""
    if isinstance(content, str):
        node = document.find(*path)
        if node is None or not content.strip():
            return []
        block = {"type": "text", "text": content, "cache_control": _MARK}
        return [Edit(node.start, node.end, dumps([block]))]
    blocks = content if isinstance(content, list) else []
    at = next((n for n in reversed(range(len(blocks))) if _can_end(blocks[n])), None)
    return [] if at is None else _into(document, (*path, at))


def _into(document: Document, path: tuple[str | int, ...]) -> list[Edit]:
    node = document.find(*path)
    return [] if node is None else [Edit(node.end - 1, node.end - 1, _SPLICED)]


def _can_end(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") not in _CAN_END:
        return False
    return block["type"] != "text" or bool(str(block.get("text", "")).strip())


def _list(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list; none where one of its elements is something else: nothing is done by halves."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) and all(isinstance(item, dict) for item in found) else []
