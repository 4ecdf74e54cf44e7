"""Heads of requests, read and let in. A tool's next head mostly differs from an earlier one only in values that mean
nothing to us, such as an id: what was found out about that one holds for this one as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from lynkr.framing.http1 import Headers, RequestHead, indexed, read_request
from lynkr.proxy.gate import Gate

Lines = list[bytes]

# A tool has a few kinds of requests. Heads that differ in more each time are not kept for long, nor long ones at all.
_KNOWN, _LONGEST = 16, 16 * 1024
# Headers whose values decide nothing before the request is sent, by name or by how that begins. (How long the body is,
# is read from each.)
_FREE, _FREE_PREFIX = frozenset((b"content-length", b"traceparent", b"tracestate")), b"x-"


@dataclass(frozen=True, slots=True, eq=False)
class Like:
    """What heads have in common that differ only in what the `free` headers say; those by lower-case name."""

    free: frozenset[bytes]


class Entry(NamedTuple):
    """A head, read, and what the gate says to it: `status`, `target`, `headers`, by lower-case name in `named`. Heads
    that are alike have the same `like`; None: nobody knows."""

    head: RequestHead
    status: int
    target: str
    headers: Headers
    named: Mapping[bytes, bytes]
    like: Like | None = None


class _Free(NamedTuple):
    """A line that may have another value: its `number`, what it `begins` with, all of it, and the header that it is."""

    number: int
    begins: bytes
    line: bytes
    said: tuple[bytes, bytes]


class _Known(NamedTuple):
    entry: Entry
    free: list[_Free]


@dataclass(slots=True)
class _Shape:
    """Heads with one first line and so many lines: `fixed` takes the lines that have to be the same, by which they are
    known. To look up what is hashed tells nobody how much of a secret was right."""

    fixed: Callable[[Lines], tuple[bytes, ...]]
    numbers: tuple[int, ...]
    known: dict[tuple[bytes, ...], _Known] = field(default_factory=dict)


class Heads:
    """Reads the heads that come to one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._secret = gate.secret.encode()
        self._shapes: dict[tuple[bytes, int], _Shape] = {}
        self._carriers = {carrier.header.lower().encode() for carrier in gate.carriers}

    def read(self, head: bytes) -> Entry:
        """The head of a request, up to its blank line. Raises MalformedHTTP."""
        lines = head.split(b"\r\n")
        shape = self._shapes.get((lines[0], len(lines)))
        if shape is not None and (known := shape.known.get(shape.fixed(lines))) is not None:
            entry = self._again(known, lines)
            if entry is not None:
                return entry
        read = read_request(head)
        status, target, headers = self._gate.admit(read.target.decode("ascii"), read.headers)
        named = read.named if headers is read.headers else indexed(headers)
        entry = Entry(read, status, target, headers, named)
        return self._remembered(entry, lines) if status == 200 and len(head) <= _LONGEST else entry

    def _remembered(self, entry: Entry, lines: Lines) -> Entry:
        """The same as one that others may be like, where its lines say what they seem to say."""
        head = entry.head
        if len(lines) != len(head.headers) + 3 or len(head.named) != len(head.headers):
            return entry  # there are folded ones, or others than CRLF between them, or one header twice
        free, names = list[_Free](), set[bytes]()
        for number, (line, said) in enumerate(zip(lines[1:], head.headers, strict=False), 1):
            name, _, value = line.partition(b":")
            if (name, value.strip(b" \t")) != said:
                return entry  # both of it, so that there are as many
            key = name.lower()
            may_differ = (key in _FREE or key.startswith(_FREE_PREFIX)) and key not in self._carriers
            if may_differ and said in entry.headers:
                free.append(_Free(number, name + b":", line, said))
                names.add(key)
        entry = entry._replace(like=Like(frozenset(names)))
        self._keep(_Known(entry, free), lines)
        return entry

    def _keep(self, known: _Known, lines: Lines) -> None:
        differ = {each.number for each in known.free}
        numbers = tuple(number for number in range(len(lines)) if number not in differ)
        first = lines[0], len(lines)
        shape = self._shapes.get(first)
        if shape is None or shape.numbers != numbers:
            if len(self._shapes) >= _KNOWN:
                self._shapes.clear()
            # The first line is always one of them, and the empty ones at the end are: so it takes a tuple.
            shape = self._shapes[first] = _Shape(itemgetter(*numbers), numbers)
        if len(shape.known) >= _KNOWN:
            shape.known.clear()
        shape.known[shape.fixed(lines)] = known

    def _again(self, known: _Known, lines: Lines) -> Entry | None:
        """The entry of a head whose fixed lines are known; None where there is more to the others than a value."""
        said, says = list[tuple[bytes, bytes]](), list[tuple[bytes, bytes]]()
        for number, begins, line, found in known.free:
            if (new := lines[number]) == line:
                continue
            value = new[len(begins) :].strip(b" \t")
            strange = b"\n" in value or b"\r" in value or b"\0" in value or self._secret in value
            if strange or not new.startswith(begins):
                return None
            said.append(found)
            says.append((found[0], value))
        entry = known.entry
        method, target, headers, named, minor = entry.head
        head = RequestHead(method, target, *_saying(headers, named, said, says), minor)
        if entry.headers is headers:
            return Entry(head, entry.status, entry.target, head.headers, head.named, entry.like)
        return Entry(head, entry.status, entry.target, *_saying(entry.headers, entry.named, said, says), entry.like)


def _saying(
    headers: Headers, named: Mapping[bytes, bytes], said: Headers, says: Headers
) -> tuple[Headers, Mapping[bytes, bytes]]:
    """Headers with what they say now in the place of what was said."""
    changed = headers.copy()
    for old, new in zip(said, says, strict=True):
        changed[changed.index(old)] = new
    return changed, {**named, **{name.lower(): value for name, value in says}}
