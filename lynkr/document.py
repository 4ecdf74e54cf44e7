"""A JSON body that can be changed in one place without touching any other byte.

The body is read once: every top-level member gets its value and the span of text that holds it. A change replaces a
span; everything outside of it (spacing, key order, duplicate keys, `1e0`, lone surrogates) leaves as it came, and with
no change the very same bytes leave. Deeper spans are found on demand, by scanning only the member that is asked for.

A coding tool sends the whole conversation again with every turn, so a document may be read on the heels of a `known`
one: what the two have in common at their beginning is taken from there, values and spans alike, and only the rest is
parsed. What was read of its list goes on likewise (`Trail`). That changes how long reading takes and nothing else.

Where a key occurs twice the last one counts, as in `json.loads`; what `json.loads` rejects is rejected here too
(`tests/properties/test_document.py` holds the two against each other).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from json.decoder import scanstring  # type: ignore[attr-defined]  # C speed; public by name, absent from the stubs
from operator import is_
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_SPACES = re.compile(r"[ \t\n\r]*")
# A member's name as nearly all are, up to its value, and what stands between two members.
_NAME = re.compile(r'"([\w $.:/-]*)"[ \t\n\r]*:[ \t\n\r]*')
_AFTER = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
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


class ListReader(Protocol):
    """A dataclass that makes something of a list, element by element, and keeps what that takes in its fields."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def take(self, elements: list[dict[str, Any]], n: int) -> None:
        """Takes `elements[n]`."""
        ...


R = TypeVar("R", bound=ListReader)
S = TypeVar("S", str, bytes)
# Before how many of the last elements a reader's state is kept. Clients change what they sent last, above all where
# they move a cache breakpoint; further back they change nothing.
_BACK = (8, 4, 3, 2, 1, 0)


@dataclass(slots=True)
class Trail:
    """What the reader of a document's list had made of it on its way: whoever reads a list that begins with the same
    elements goes on from there. The same are those that are one object, as documents that share them have it."""

    _before: Trail | None = None
    _elements: list[dict[str, Any]] = field(default_factory=list)
    _states: list[tuple[int, Any]] = field(default_factory=list)

    def read(self, elements: list[dict[str, Any]], reader: R) -> R:
        """What `reader`, which has taken nothing yet, is once it has taken all elements. Raises what `take` raises."""
        begin = 0
        for trail in filter(None, (self, self._before)):
            for count, state in trail._states:
                same = begin < count <= len(elements) and elements[count - 1] is trail._elements[count - 1]
                if same and type(state) is type(reader) and all(map(is_, elements[:count], trail._elements)):
                    begin, reader = count, state
        reader, states = _copied(reader), list[tuple[int, Any]]()
        for n in range(begin, len(elements) + 1):
            if len(elements) - n in _BACK:
                states.append((n, _copied(reader)))
            if n < len(elements):
                reader.take(elements, n)
        self._before, self._elements, self._states = None, elements, states
        return reader

    def onward(self) -> Trail:
        """The trail of a document that is read on the heels of this one's."""
        return Trail(self if self._states else self._before)


def _copied(reader: R) -> R:
    return replace(reader, **{each.name: copy(getattr(reader, each.name)) for each in fields(reader)})


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON body.

    `text` is the decoded body, `value` what `json.loads` would give, `members` the top-level members of an object
    (empty for any other value). Values may be shared with other documents, so they are not to be changed.
    """

    body: bytes
    text: str
    value: Any
    members: dict[str, Node]
    lists: dict[str, list[Node]] = field(default_factory=dict, repr=False)
    trail: Trail = field(default_factory=Trail, repr=False, compare=False)

    @classmethod
    def read(cls, body: bytes, known: Document | None = None, text: str | None = None) -> Document:
        """The document in `body` (UTF-8), whose decoded `text` may be at hand. Raises MalformedDocument."""
        text = body.decode(*_CODEC) if text is None else text
        start = _skip(text, 0)
        lists: dict[str, list[Node]] = {}
        try:
            if text[start : start + 1] == "{":
                found, lists, end = _Top(text, known, common(text, known.text) if known else 0).members(start)
                value: Any = {key: node.value for key, node in found.items()}
            else:
                value, end = _value(text, start)
                found = {}
        except RecursionError as error:
            raise MalformedDocument("nested too deeply") from error
        if _skip(text, end) != len(text):
            raise MalformedDocument(f"extra data at {end}")
        return cls(body, text, value, found, lists, known.trail.onward() if known else Trail())

    @classmethod
    def of(cls, body: bytes, text: str | None = None) -> Document:
        """The same, of a body that stands alone."""
        return cls.read(body, None, text)

    def find(self, *path: str | int) -> Node | None:
        """The node at `path` (member names and array indexes), or None where there is none."""
        if not path or not isinstance(path[0], str) or (node := self.members.get(path[0])) is None:
            return None
        rest = path[1:]
        if rest and isinstance(rest[0], int) and (elements := self.lists.get(path[0])) is not None:
            # Where the elements of the top-level lists stand is known.
            if not 0 <= rest[0] < len(elements):
                return None
            node, rest = elements[rest[0]], rest[1:]
        return self.places(node, [rest]).get(rest) if rest else node

    def places(self, node: Node, paths: Iterable[tuple[str | int, ...]]) -> dict[tuple[str | int, ...], Node]:
        """The nodes that paths lead to from `node`, each container read once; one that leads nowhere is left out."""
        found, further = dict[tuple[str | int, ...], Node](), dict[str | int, list[tuple[str | int, ...]]]()
        for path in paths:
            if path:
                further.setdefault(path[0], []).append(path[1:])
            else:
                found[path] = node
        for step, inner in _children(self.text, node, further) if further else ():
            found |= {(step, *path): place for path, place in self.places(inner, further[step]).items()}
        return found

    def elements(self, name: str) -> list[Node]:
        """The elements of the top-level array `name`; none where there is no array."""
        return self.lists.get(name, [])

    def splice(self, edits: list[Edit]) -> bytes:
        """The body with `edits` made; with none, the same bytes object."""
        return self.spliced(edits)[0]

    def spliced(self, edits: list[Edit]) -> tuple[bytes, str]:
        """The same, and its text."""
        if not edits:
            return self.body, self.text
        parts, at = [], 0
        # Of several at one place the first in the list comes first.
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
            if edit.start < at:
                raise ValueError("edits overlap")
            parts += [self.text[at : edit.start], edit.new]
            at = edit.end
        parts.append(self.text[at:])
        text = "".join(parts)
        return text.encode(*_CODEC), text

    def _pairs(self) -> Iterator[_Pair]:
        again = _Top(self.text, self, len(self.text) + 1)
        return _pairs(self.text, _skip(self.text, 0), again.value)

    def edits_of(self, members: Mapping[str, Any]) -> list[Edit]:
        """The edits that set top-level members to values; None takes a member out. New ones stand at the end."""
        pairs = list(self._pairs()) if self.members else []
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


def _children(text: str, node: Node, steps: Container[str | int]) -> Iterator[tuple[str | int, Node]]:
    """Those of a node's members or elements that `steps` name."""
    if isinstance(node.value, dict):
        yield from ((key, inner) for key, inner in _members(text, node.start).items() if key in steps)
    elif isinstance(node.value, list):
        yield from ((n, inner) for n, inner in enumerate(_elements(text, node.start)) if n in steps)


class _Pair(NamedTuple):
    """A member of an object, and where its name begins."""

    key: str
    start: int
    node: Node


# Pieces that are compared at once: large ones would have to be copied into memory that is new each time.
_PIECE = 16 * 1024


def common(text: S, known: S) -> int:
    """How many characters, or bytes, two texts have in common at their beginning."""
    most = min(len(text), len(known))
    low = 0
    while low < most and text[low : low + _PIECE] == known[low : low + _PIECE]:
        low += _PIECE
    low, high = min(low, most), min(low + _PIECE, most)
    while low < high:
        middle = (low + high + 1) // 2
        if text.startswith(known[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(slots=True)
class _Top:
    """Reads a top-level object. The first `same` characters are those of `known`."""

    text: str
    known: Document | None
    same: int
    lists: dict[str, list[Node]] = field(default_factory=dict)

    def members(self, start: int) -> tuple[dict[str, Node], dict[str, list[Node]], int]:
        """The members, those that are lists once more as their elements, and the index after the object."""
        members: dict[str, Node] = {}
        at = start + 1
        for key, _, node in _pairs(self.text, start, self.value):
            members[key] = node
            at = node.end
        lists = {key: nodes for key, nodes in self.lists.items() if isinstance(members[key].value, list)}
        return members, lists, _skip(self.text, at) + 1

    def value(self, key: str, start: int) -> tuple[Any, int]:
        was = self.known.members.get(key) if self.known else None
        if self.known is None or was is None or was.start != start:
            was = None
        # What stands behind it is the same as well: a number might go on.
        elif was.end < self.same:
            if key in self.known.lists:
                self.lists[key] = self.known.lists[key]
            return was.value, was.end
        if self.text[start : start + 1] != "[":
            return _value(self.text, start)
        return self.elements(key, start, self.known.lists.get(key, []) if self.known and was else [])

    def elements(self, key: str, start: int, known: list[Node]) -> tuple[list[Any], int]:
        found = known[: bisect_right(known, self.same, key=lambda node: node.end)]
        # A number that ends where the texts part might go on in this one; what closes itself does not.
        if found and found[-1].end == self.same and self.text[self.same - 1] not in '}]"':
            found.pop()
        at = _skip(self.text, found[-1].end if found else start + 1)
        if not found and self.text[at : at + 1] != "]":
            value, end = _value(self.text, at)
            found.append(Node(value, at, end))
            at = _skip(self.text, end)
        while self.text[at : at + 1] != "]":
            if self.text[at : at + 1] != ",":
                raise MalformedDocument(f"expected ',' or ']' at {at}")
            at = _skip(self.text, at + 1)
            value, end = _value(self.text, at)
            found.append(Node(value, at, end))
            at = _skip(self.text, end)
        self.lists[key] = found
        return [node.value for node in found], at + 1


def _members(text: str, start: int) -> dict[str, Node]:
    """The members of the object at `start`."""
    return {key: node for key, _, node in _pairs(text, start, lambda _, begin: _value(text, begin))}


def _pairs(text: str, start: int, value_at: Callable[[str, int], tuple[Any, int]]) -> Iterator[_Pair]:
    """The members of the object at `start`, in order. Raises MalformedDocument, also where the object has no end.

    `value_at` reads the value of a member: it takes the name and where the value begins, and gives where it ends.
    """
    at = _skip(text, start + 1)
    if text[at : at + 1] == "}":
        return
    while True:
        begin_key = at
        if plain := _NAME.match(text, at):
            key, begin = plain[1], plain.end()
        else:
            key, begin = _name(text, at)
        value, end = value_at(key, begin)
        yield _Pair(key, begin_key, Node(value, begin, end))
        if (after := _AFTER.match(text, end)) is None:
            raise MalformedDocument(f"expected ',' or '}}' at {end}")
        if after[1] == "}":
            return
        at = after.end()


def _name(text: str, at: int) -> tuple[str, int]:
    """A member's name as it may be, and where the member's value begins."""
    if text[at : at + 1] != '"':
        raise MalformedDocument(f"expected a member name at {at}")
    try:
        key, at = scanstring(text, at + 1)
    except ValueError as error:
        raise MalformedDocument(str(error)) from error
    at = _skip(text, at)
    if text[at : at + 1] != ":":
        raise MalformedDocument(f"expected ':' at {at}")
    return key, _skip(text, at + 1)


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
    found = _SPACES.match(text, at)
    assert found is not None
    return found.end()
