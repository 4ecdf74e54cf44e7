"""Taking what is not for the addressee out of a request that goes untranslated.

A conversation that ran on another maker's model and is resumed on the client's own would be refused for the reasoning
that lynkr has sealed in it. Only the items concerned are touched; the text of all others stays as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from lynkr.conversation import ENVELOPE, SUMMARY, unwrap
from lynkr.document import Document, Edit
from lynkr.formats import CODECS
from lynkr.formats.gemini.envelope import NO_SIGNATURE
from lynkr.formats.values import dumps

_IN_BASE64 = base64.b64encode(ENVELOPE.encode())[:12].decode()  # of whole groups of three bytes
_LISTS = tuple(dict.fromkeys(codec.TALK for codec in CODECS.values()))
_ITEMS = ("signature", "data", "encrypted_content")
_FIELDS = ("thoughtSignature", "thought_signature")
_MARK, _ENCODED = ENVELOPE.encode(), _IN_BASE64.encode()


def marked(body: bytes, begin: int = 0) -> bool:
    """Whether there may be a seal of lynkr's in a body, that does not end before `begin`."""
    begin = max(0, begin - len(_ENCODED) + 1)
    return body.find(_MARK, begin) >= 0 or body.find(_ENCODED, begin) >= 0


def unseal(document: Document) -> list[Edit]:
    """The edits that take lynkr's seals out."""
    return [edit for name in _LISTS if (edit := _list(document, name, _cleaned)) is not None]


def unscope(document: Document) -> list[Edit]:
    """The edits that take the scope out of cache breakpoints: only Anthropic itself knows it."""
    if b'"scope"' not in document.body:
        return []
    return [e for name in ("tools", "system", "messages") if (e := _list(document, name, _unscoped)) is not None]


def _unscoped(value: Any) -> Any:
    if isinstance(value, list):
        inner = [_unscoped(item) for item in value]
        return inner if any(a is not b for a, b in zip(inner, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    marks, content = value.get("cache_control"), value.get("content")
    if isinstance(marks, dict) and "scope" in marks:
        value = {**value, "cache_control": {name: mark for name, mark in marks.items() if name != "scope"}}
    if (inner := _unscoped(content)) is not content:
        value = {**value, "content": inner}
    return value


def _list(document: Document, name: str, clean: Callable[[Any], Any]) -> Edit | None:
    kept, changed = list[str](), False
    for element in document.elements(name):
        cleaned = clean(element.value)
        if cleaned is element.value:
            kept.append(document.text[element.start : element.end])
            continue
        changed = True
        if cleaned is not None:
            kept.append(dumps(cleaned))
    node = document.members[name] if changed else None
    return Edit(node.start, node.end, f"[{','.join(kept)}]") if node else None


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
