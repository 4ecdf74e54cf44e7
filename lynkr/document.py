"""A JSON body that can be changed in one place without touching any other byte.

The body is read once: every top-level member gets its value and the span of text that holds it. A change replaces a
span; everything outside of it (spacing, key order, duplicate keys, `1e0`, lone surrogates) leaves as it came, and with
no change the very same bytes leave. Deeper spans are found on demand, by scanning only the member that is asked for.

Where a key occurs twice the last one counts, as in `json.loads`; what `json.loads` rejects is rejected here too
(`tests/properties/test_document.py` holds the two against each other).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # C speed; public by name, absent from the stubs
from typing import Any, NamedTuple

_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_SPACE = " \t\n\r"
# Bytes that are not UTF-8 survive decoding and encoding as lone surrogates.
_CODEC = ("utf-8", "surrogateescape")


class MalformedDocument(ValueError):
    """The text is not one JSON value."""


class Node(NamedTuple):
    """A value and where its text stands: `text[start:end]`."""

    value: Any
    start: int
    end: int


class Edit(NamedTuple):
    """`text[start:end]` becomes `new` (JSON text). Edits of one document must not overlap."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON body.

    `text` is the decoded body, `value` what `json.loads` would give, `members` the top-level members of an object
    (empty for any other value).
    """

    body: bytes
    text: str
    value: Any
    members: dict[str, Node]

    @classmethod
    def read(cls, body: bytes) -> Document:
        """The document in `body` (UTF-8). Raises MalformedDocument."""
        text = body.decode(*_CODEC)
        start = _skip(text, 0)
        try:
            if text[start : start + 1] == "{":
                found, end = _members(text, start)
                value: Any = {key: node.value for key, node in found.items()}
            else:
                value, end = _value(text, start)
                found = {}
        except RecursionError as error:
            raise MalformedDocument("nested too deeply") from error
        if _skip(text, end) != len(text):
            raise MalformedDocument(f"extra data at {end}")
        return cls(body, text, value, found)

    def find(self, *path: str | int) -> Node | None:
        """The node at `path` (member names and array indexes), or None where there is none."""
        if not path or not isinstance(path[0], str):
            return None
        node = self.members.get(path[0])
        for step in path[1:]:
            if node is None:
                return None
            node = _child(self.text, node, step)
        return node

    def elements(self, name: str) -> list[Node]:
        """The elements of the top-level array `name`, found in one pass; none where there is no array."""
        node = self.members.get(name)
        return list(_elements(self.text, node.start)) if node is not None and isinstance(node.value, list) else []

    def splice(self, edits: list[Edit]) -> bytes:
        """The body with `edits` made; with none, the same bytes object."""
        if not edits:
            return self.body
        parts, at = [], 0
        for edit in sorted(edits):
            if edit.start < at:
                raise ValueError("edits overlap")
            parts += [self.text[at : edit.start], edit.new]
            at = edit.end
        parts.append(self.text[at:])
        return "".join(parts).encode(*_CODEC)

    def edits_of(self, members: Mapping[str, Any]) -> list[Edit]:
        """The edits that set top-level members to values; None takes a member out. New ones stand at the end."""
        pairs = list(_pairs(self.text, _skip(self.text, 0))) if self.members else []
        edits: list[Edit] = []
        kept_before, end = False, pairs[-1].node.end if pairs else _skip(self.text, 0) + 1
        for n, pair in enumerate(pairs):
            if pair.key not in members or members[pair.key] is not None:
                kept_before = True
                if pair.key in members and pair.node == self.members[pair.key]:
                    edits.append(Edit(pair.node.start, pair.node.end, json.dumps(members[pair.key])))
            elif kept_before:
                edits.append(Edit(pairs[n - 1].node.end, pair.node.end, ""))
            else:
                edits.append(Edit(pair.start, pairs[n + 1].start if n + 1 < len(pairs) else pair.node.end, ""))
        fresh = {key: value for key, value in members.items() if value is not None and key not in self.members}
        if fresh:
            said = json.dumps(fresh, ensure_ascii=True)[1:-1]
            edits.append(Edit(end, end, f", {said}" if kept_before else said))
        return edits


def _child(text: str, node: Node, step: str | int) -> Node | None:
    if isinstance(step, str):
        return _members(text, node.start)[0].get(step) if isinstance(node.value, dict) else None
    if not isinstance(node.value, list) or not 0 <= step < len(node.value):
        return None
    for index, element in enumerate(_elements(text, node.start)):
        if index == step:
            return element
    return None


class _Pair(NamedTuple):
    """A member of an object, and where its name begins."""

    key: str
    start: int
    node: Node


def _members(text: str, start: int) -> tuple[dict[str, Node], int]:
    """The members of the object at `start`, and the index after it."""
    members: dict[str, Node] = {}
    at = start + 1
    for key, _, node in _pairs(text, start):
        members[key] = node
        at = node.end
    return members, _skip(text, at) + 1


def _pairs(text: str, start: int) -> Iterator[_Pair]:
    """The members of the object at `start`, in order. Raises MalformedDocument, also where the object has no end."""
    at = _skip(text, start + 1)
    if text[at : at + 1] == "}":
        return
    while True:
        begin_key = at
        if text[at : at + 1] != '"':
            raise MalformedDocument(f"expected a member name at {at}")
        try:
            key, at = scanstring(text, at + 1)
        except ValueError as error:
            raise MalformedDocument(str(error)) from error
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise MalformedDocument(f"expected ':' at {at}")
        begin = _skip(text, at + 1)
        value, end = _value(text, begin)
        yield _Pair(key, begin_key, Node(value, begin, end))
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            return
        if text[at : at + 1] != ",":
            raise MalformedDocument(f"expected ',' or '}}' at {at}")
        at = _skip(text, at + 1)


def _elements(text: str, start: int) -> Iterator[Node]:
    """The elements of the array at `start`, which is known to be well formed."""
    at = _skip(text, start + 1)
    while text[at] != "]":
        value, end = _value(text, at)
        yield Node(value, at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _value(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _scan(text, start)
    except StopIteration as stop:
        raise MalformedDocument(f"expected a value at {stop.value}") from stop
    except ValueError as error:
        raise MalformedDocument(str(error)) from error
    return value, end


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE and at < len(text):
        at += 1
    return at
