"""Heads of requests, read and let in. A tool's next head nearly always differs from an earlier one in the length of the
body alone: what was found out about that one holds for this one as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from lynkr.framing.http1 import Headers, RequestHead, indexed, read_request
from lynkr.proxy.gate import Gate

Header = tuple[bytes, bytes]

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?([0-9]{1,15})\r\n")
# A tool has a few kinds of requests; heads that differ each time are not kept for long, nor long ones at all.
_KNOWN, _LONGEST = 32, 8 * 1024


class Entry(NamedTuple):
    """A head, read, and what the gate says to it: `status`, `target` and `headers`, by lower-case name in `named`.
    `like` is the same for heads that differ in the length of their bodies alone; None: nobody knows."""

    head: RequestHead
    status: int
    target: str
    headers: Headers
    named: Mapping[bytes, bytes]
    like: object | None = None


class Heads:
    """Reads the heads that come to one gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        # By what stands before and behind the length, with the header that says it. To look up what is hashed tells
        # nobody how much of it was right.
        self._known: dict[tuple[bytes, bytes], tuple[Entry, Header]] = {}

    def read(self, head: bytes) -> Entry:
        """The head of a request, up to its blank line. Raises MalformedHTTP."""
        found = _LENGTH.search(head)
        if found is None or len(head) > _LONGEST:
            return self._entry(head)
        around = head[: found.start(1)], head[found.end(1) :]
        if (known := self._known.get(around)) is not None:
            return _with_length(*known, found[1])
        entry = self._entry(head)
        lengths = [field for field in entry.headers if field[0].lower() == b"content-length"]
        if [value for _, value in lengths] != [found[1]]:
            return entry  # nobody was let in, or that is not all that is said of the length
        if len(self._known) >= _KNOWN:
            self._known.clear()
        entry = entry._replace(like=object())
        self._known[around] = entry, lengths[0]
        return entry

    def _entry(self, head: bytes) -> Entry:
        read = read_request(head)
        status, target, headers = self._gate.admit(read.target.decode("ascii"), read.headers)
        return Entry(read, status, target, headers, read.named if headers is read.headers else indexed(headers))


def _with_length(entry: Entry, said: Header, length: bytes) -> Entry:
    """The same, where the header that `said` how long the body is gives another length."""
    method, target, headers, named, minor = entry.head
    says = said[0], length
    head = RequestHead(method, target, *_changed(headers, named, said, says), minor)
    if entry.headers is headers:
        return Entry(head, entry.status, entry.target, head.headers, head.named, entry.like)
    return Entry(head, entry.status, entry.target, *_changed(entry.headers, entry.named, said, says), entry.like)


def _changed(
    headers: Headers, named: Mapping[bytes, bytes], said: Header, says: Header
) -> tuple[Headers, Mapping[bytes, bytes]]:
    changed = headers.copy()
    changed[changed.index(said)] = says
    return changed, {**named, b"content-length": says[1]}
