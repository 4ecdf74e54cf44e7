"""Takes the user's `/tier complex` out of what a model reads.

It is taken out of every one of the user's own texts that begins or ends with it, in every request alike, so that a
conversation's beginning stays the same from turn to turn. A text that would be empty without it stays, because
providers refuse empty ones; so does everything that is no plain text of the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr.document import Document, Edit
from lynkr.formats.values import dumps, numbered
from lynkr.proxy.outbound import Inbound, Reading
from lynkr.routing.asking import unmarked

_TEXTS = ("text", "input_text", None)


def without_marker(inbound: Inbound, document: Document, talk: str, read: Reading) -> Inbound:
    """The request without the marker; `read` reads the new body."""
    edits = list[Edit]()
    listed = document.members.get(talk)
    if listed and isinstance(listed.value, str) and (new := unmarked(listed.value)) != listed.value:
        edits.append(Edit(listed.start, listed.end, dumps(new)))
    for n, element in numbered(listed.value if listed else None):
        for path, text in _own_texts(element):
            if (new := unmarked(text)) != text and (node := document.find(talk, n, *path)):
                edits.append(Edit(node.start, node.end, dumps(new)))
    return inbound.instead(read(*document.spliced(edits))) if edits else inbound


def _own_texts(element: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The plain texts of the user's in one element of a conversation, and the way to each."""
    if element.get("role") != "user":
        return
    for key in ("content", "parts"):
        if isinstance(element.get(key), str):
            yield (key,), element[key]
        for n, part in numbered(element.get(key)):
            if part.get("type") in _TEXTS and isinstance(part.get("text"), str):
                yield (key, n, "text"), part["text"]
