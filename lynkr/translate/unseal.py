"""Taking lynkr's own sealed reasoning out of a request that goes, untranslated, to somebody who cannot read it.

A conversation that ran on another maker's model and is resumed on the client's own would be refused for it. Only the
items concerned are touched; the text of all others stays as it is.
"""

from __future__ import annotations

import base64
from typing import Any

from lynkr.conversation import ENVELOPE, SUMMARY, unwrap
from lynkr.document import Document, Edit
from lynkr.formats.gemini.envelope import NO_SIGNATURE
from lynkr.formats.values import dumps

_IN_BASE64 = base64.b64encode(ENVELOPE.encode())[:12].decode()  # of whole groups of three bytes
_LISTS = ("messages", "input", "contents")
_ITEMS = ("signature", "data", "encrypted_content")
_FIELDS = ("thoughtSignature", "thought_signature")
MARKS = (ENVELOPE.encode(), _IN_BASE64.encode())


def unseal(document: Document) -> list[Edit]:
    """The edits that take lynkr's seals out."""
    return [edit for name in _LISTS if (edit := _list(document, name)) is not None]


def _list(document: Document, name: str) -> Edit | None:
    node = document.members.get(name)
    if node is None or not isinstance(node.value, list):
        return None
    kept, changed = list[str](), False
    for n, value in enumerate(node.value):
        cleaned = _cleaned(value)
        if cleaned is value:
            element = document.find(name, n)
            assert element is not None
            kept.append(document.text[element.start : element.end])
            continue
        changed = True
        if cleaned is not None:
            kept.append(dumps(cleaned))
    return Edit(node.start, node.end, f"[{','.join(kept)}]") if changed else None


def _cleaned(value: Any) -> Any:
    """`value` without sealed parts: itself where there are none, None where it is one."""
    if not isinstance(value, dict):
        return value
    if any(_sealed(value.get(field)) for field in _ITEMS):
        return _readable(value)
    cleaned = value
    if any(_sealed(value.get(field)) for field in _FIELDS):
        cleaned = {name: inner for name, inner in value.items() if name not in _FIELDS}
        if "functionCall" in cleaned or "function_call" in cleaned:
            cleaned["thoughtSignature"] = NO_SIGNATURE
    for name in ("content", "parts"):
        inner = cleaned.get(name)
        if not isinstance(inner, list):
            continue
        parts = [_cleaned(part) for part in inner]
        if any(part is not before for part, before in zip(parts, inner, strict=True)):
            parts = [part for part in parts if part is not None]
            if not parts:
                return None
            cleaned = {**cleaned, name: parts}
    return cleaned


def _readable(item: dict[str, Any]) -> Any:
    """A summary of ours is words that anybody may read; what else is sealed is for its maker alone."""
    held = unwrap(str(item.get("encrypted_content", "")))
    if held is None or held[0].kind != SUMMARY:
        return None
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": held[0].data}]}


def _sealed(value: object) -> bool:
    return isinstance(value, str) and value.startswith((ENVELOPE, _IN_BASE64))
