"""Heads of requests, read and let in. A tool's next head mostly differs from an earlier one only in values that mean
nothing to us, such as an id: what was found out about that one holds for this one as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from lynkr.framing.http1 import Headers, RequestHead, indexed, read_request
from lynkr.proxy.gate import Gate

Lines = list[bytes]

# A tool has a few kinds of requests. Heads that differ in more each time are not kept for long, and unusual ones not at
# all: what is kept is looked through line by line.
_FIRSTS, _KINDS, _KNOWN = 16, 4, 8
_LONGEST, _MOST_LINES = 16 * 1024, 64
# Headers whose values decide nothing before the request is sent, by name or by how that begins: they are passed on, and
# looked at anew only for what must stand in none. (How long the body is, is read from each.)
_FREE, _FREE_PREFIX = frozenset((b"content-length", b"traceparent", b"tracestate")), b"x-"


@dataclass(frozen=True, slots=True, eq=False)
class Like:
    """What heads have in common that differ only in the values of some headers; `free` has their lower-case names."""

    free: frozenset[bytes]


class Entry(NamedTuple):
    """A head, read, and what the gate says to it: `status`, `target`, `headers`, by lower-case name in `named`. Those
    with the same `like` are alike; None says nothing."""

    head: RequestHead
    status: int
    target: str
    headers: Headers
    named: Mapping[bytes, bytes]
    like: Like | None = None


class _Free(NamedTuple):
    """A line that may have another value: its `number`, all of it, the name of its header as spelled and in lower case,
    and its `place` among the headers that were let in."""

    number: int
    line: bytes
    spelled: bytes
    name: bytes
    place: int


class _Known(NamedTuple):
    entry: Entry
    free: list[_Free]


@dataclass(slots=True)
class _Kind:
    """Heads with the same first line, so many lines, and other values allowed in the same ones. `fixed` takes the lines
    of the given `numbers`, which have to be the same: by those a head is known. To look up what is hashed tells nobody
    how much of a secret was right."""

    numbers: tuple[int, ...]
    fixed: Callable[[Lines], tuple[bytes, ...]]
    known: dict[tuple[bytes, ...], _Known] = field(default_factory=dict)


class Heads:
    """Reads the heads that come to one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._secret = gate.secret.encode()
        # By their first lines and how many lines they have.
        self._kinds: dict[tuple[bytes, int], list[_Kind]] = {}
        self._carriers = {carrier.header.lower().encode() for carrier in gate.carriers}

    def read(self, head: bytes) -> Entry:
        """The head of a request, up to its blank line. Raises MalformedHTTP."""
        lines = head.split(b"\r\n")
        for kind in self._kinds.get((lines[0], len(lines)), ()):
            if (known := kind.known.get(kind.fixed(lines))) is not None and (entry := self._again(known, lines)):
                return entry
        read = read_request(head)
        status, target, headers = self._gate.admit(read.target.decode("ascii"), read.headers)
        return Entry(read, status, target, headers, read.named if headers is read.headers else indexed(headers))

    def learn(self, head: bytes, entry: Entry) -> None:
        """Keeps what was found out about `head`, if it was not known: for those that are like it and come later. That
        takes nearly as long as reading it, so it is for when the request has been sent."""
        if entry.like is not None or entry.status != 200 or len(head) > _LONGEST:
            return
        lines = head.split(b"\r\n")
        if len(lines) <= _MOST_LINES and (free := self._free(entry, lines)) is not None:
            like = Like(frozenset(each.name for each in free))
            self._keep(_Known(_copied(entry._replace(like=like)), free), lines)

    def _free(self, entry: Entry, lines: Lines) -> list[_Free] | None:
        """The lines that may have other values; None where a line is not just one header."""
        said = entry.head.headers
        if len(lines) != len(said) + 3 or len(entry.head.named) != len(said):
            return None  # folded ones, or other line ends, or one header twice
        found = list[_Free]()
        for number, header in enumerate(said, 1):
            name, _, value = lines[number].partition(b":")
            if (name, value.strip(b" \t")) != header:
                return None
            key = name.lower()
            may_differ = (key in _FREE or key.startswith(_FREE_PREFIX)) and key not in self._carriers
            if may_differ and self._secret not in value:
                found.append(_Free(number, lines[number], name, key, entry.headers.index(header)))
        return found

    def _keep(self, known: _Known, lines: Lines) -> None:
        differ = {each.number for each in known.free}
        # Always the first and the two empty ones, so that it takes a tuple.
        numbers = tuple(number for number in range(len(lines)) if number not in differ)
        first = lines[0], len(lines)
        if first not in self._kinds and len(self._kinds) >= _FIRSTS:
            self._kinds.clear()
        kinds = self._kinds.setdefault(first, [])
        kind = next((each for each in kinds if each.numbers == numbers), None)
        if kind is None:
            kind = _Kind(numbers, itemgetter(*numbers))
            kinds[:] = [*kinds[1 - _KINDS :], kind]
        if len(kind.known) >= _KNOWN:
            kind.known.clear()
        kind.known[kind.fixed(lines)] = known

    def _again(self, known: _Known, lines: Lines) -> Entry | None:
        """The entry of a head whose fixed lines are known; None where there is more to the others than a value."""
        now = list[tuple[_Free, bytes]]()
        for free in known.free:
            if (line := lines[free.number]) == free.line:
                continue
            name, colon, value = line.partition(b":")
            strange = b"\n" in value or b"\r" in value or b"\0" in value or self._secret in value
            if strange or not colon or name != free.spelled:
                return None
            now.append((free, value.strip(b" \t")))
        return _copied(known.entry, now)


def _copied(entry: Entry, now: Sequence[tuple[_Free, bytes]] = ()) -> Entry:
    """The same with other values `now`, and nothing in common with it that somebody could change."""
    method, target, headers, named, minor = entry.head
    came, let_in, values = headers.copy(), entry.headers.copy(), {free.name: value for free, value in now}
    for free, value in now:
        came[free.number - 1] = let_in[free.place] = free.spelled, value
    head = RequestHead(method, target, came, {**named, **values}, minor)
    if entry.headers is headers:
        return Entry(head, entry.status, entry.target, came, head.named, entry.like)
    return Entry(head, entry.status, entry.target, let_in, {**entry.named, **values}, entry.like)
