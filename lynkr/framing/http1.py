"""HTTP/1.1 on the wire, sans-io: heads read and written, bodies taken out of their framing (RFC 9112).

Where being lenient would let two readers of the same bytes see different messages, it is strict: two lengths, a length
beside a transfer coding in a request, chunks that do not end where they say, control characters in a head. A head is
taken apart at its line ends and checked by counting, because this is done for every request twice each way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol

Headers = list[tuple[bytes, bytes]]

MAX_HEAD = 64 * 1024
# The size of a chunk and what is said with it.
_MAX_LINE = 4096
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\x00\r\n]*))?\r?\n")
# The bytes of names.
_NAMES = bytes(byte for byte in range(256) if re.fullmatch(_TOKEN, bytes([byte])))
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_BLANK = re.compile(rb"\n\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_BARE_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_NUMBER = re.compile(rb"[0-9]{1,15}")


class MalformedHTTP(ValueError):
    """Bytes that are not HTTP/1.1 as it has to be; `status` is what to say of a request that is not."""

    def __init__(self, what: str, status: int = 400) -> None:
        super().__init__(what)
        self.status = status


class RequestHead(NamedTuple):
    """A request's first part. Names in `headers` have the spelling that they came in, those in `named` are lower case;
    `minor` is 1 for HTTP/1.1."""

    method: bytes
    target: bytes
    headers: Headers
    named: Mapping[bytes, bytes]
    minor: int


class ResponseHead(NamedTuple):
    """An answer's first part; see RequestHead."""

    status: int
    reason: bytes
    headers: Headers
    named: Mapping[bytes, bytes]
    minor: int

    @property
    def lasts(self) -> bool:
        """Whether the connection outlives this answer, as far as its head says."""
        return self.minor == 1 and b"close" not in tokens(self.named.get(b"connection"))


class Body(Protocol):
    """A body being read. `rest` is what came after its end, once it is `done`."""

    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """The body's own bytes in `data`. Raises MalformedHTTP."""
        ...

    def may_end(self) -> bool:
        """Whether the connection may close here."""
        ...


def head_end(buffer: bytes | bytearray, seek: int = 0) -> int:
    """The index after the blank line that ends a head, -1 where it has not come; `seek` is what was searched before.

    Raises MalformedHTTP (431) where a head has no end.
    """
    found = _BLANK.search(buffer, max(0, seek - 2))
    end = found.end() if found else -1
    if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
        raise MalformedHTTP("the headers are too large", 431)
    return end


def read_request(head: bytes) -> RequestHead:
    """The request whose head this is, up to its blank line. Raises MalformedHTTP."""
    first = _REQUEST.match(head)
    if first is None:
        raise MalformedHTTP("no request line of HTTP/1.1")
    headers = _fields(head, first.end())
    return RequestHead(first[1], first[2], headers, indexed(headers), first[3] == b"1")


def read_response(head: bytes) -> ResponseHead:
    """The answer whose head this is, up to its blank line. Raises MalformedHTTP."""
    first = _STATUS.match(head)
    if first is None:
        raise MalformedHTTP("no status line of HTTP/1.1")
    headers = _fields(head, first.end())
    return ResponseHead(int(first[2]), first[3] or b"", headers, indexed(headers), first[1] == b"1")


def _fields(head: bytes, start: int) -> Headers:
    block = head[start:]
    found = _lines(block)
    if found is None:
        # As some still write: lines that end in LF alone, and those that go on in the next one and mean one line.
        found = _lines(_LINE_END.sub(b"\r\n", _FOLD.sub(b" ", block)))
    if found is None:
        raise MalformedHTTP("a header is not as it should be")
    return found


def _lines(block: bytes) -> Headers | None:
    """The headers in lines that end in CRLF, up to the blank one; None where there is anything else."""
    lines = block.split(b"\r\n")
    ends = len(lines) - 1
    if lines[-2:] != [b"", b""] or block.count(b"\n") != ends or block.count(b"\r") != ends or b"\0" in block:
        return None
    headers, names = list[tuple[bytes, bytes]](), list[bytes]()
    for line in lines[:-2]:
        name, colon, value = line.partition(b":")
        if not (name and colon):
            return None
        names.append(name)
        headers.append((name, value.strip(b" \t")))
    return None if _misnamed(names) else headers


def _misnamed(names: list[bytes]) -> bool:
    """Whether there is a byte in names that stands in none."""
    return bool(b"".join(names).translate(None, _NAMES))


def indexed(headers: Headers) -> dict[bytes, bytes]:
    """Headers by lower-case name; of several with one name the values are one list (RFC 9110, section 5.3)."""
    found = {name.lower(): value for name, value in headers}
    if len(found) == len(headers):
        return found
    found.clear()
    for name, value in headers:
        key = name.lower()
        found[key] = b"%b, %b" % (found[key], value) if key in found else value
    return found


class Texts(Mapping[str, str]):
    """Headers by lower-case name, as text: of some twenty a request is asked for two or three."""

    def __init__(self, named: Mapping[bytes, bytes]) -> None:
        self._named = named

    def __getitem__(self, name: str) -> str:
        return self._named[name.encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._named)

    def __len__(self) -> int:
        return len(self._named)


@lru_cache(maxsize=64)
def tokens(value: bytes | None) -> tuple[bytes, ...]:
    """The parts of a header that is a list, in lower case; none where there is no such header."""
    return tuple([part.strip(b" \t").lower() for part in value.split(b",")]) if value is not None else ()


def request_body(head: RequestHead) -> Body:
    """How a request's body is to be read. Raises MalformedHTTP."""
    codings, lengths = tokens(head.named.get(b"transfer-encoding")), tokens(head.named.get(b"content-length"))
    if codings:
        if codings != (b"chunked",):
            raise MalformedHTTP("a transfer coding that is not known here", 501)
        if lengths or not head.minor:
            raise MalformedHTTP("two ways to say how long the body is")
        return Chunked()
    return Sized(_length(lengths))


def response_body(head: ResponseHead, method: bytes) -> Body:
    """How the body of an answer to `method` is to be read. Raises MalformedHTTP."""
    if method == b"HEAD" or bodiless(head.status):
        return Sized(0)
    if codings := tokens(head.named.get(b"transfer-encoding")):
        if codings != (b"chunked",):
            raise MalformedHTTP("a transfer coding that is not known here")
        return Chunked()
    lengths = tokens(head.named.get(b"content-length"))
    return Sized(_length(lengths)) if lengths else Unsized()


def _length(lengths: tuple[bytes, ...]) -> int:
    if not lengths:
        return 0
    if len(set(lengths)) > 1 or not _NUMBER.fullmatch(lengths[0]):
        raise MalformedHTTP("a Content-Length that is none")
    return int(lengths[0])


def bodiless(status: int) -> bool:
    """Whether an answer of that status never has a body."""
    return status in (204, 304) or status < 200


def write_request(method: bytes, target: bytes, headers: Headers) -> bytes:
    """The head of a request. Raises MalformedHTTP for what would be read as something else."""
    line = b"%b %b HTTP/1.1\r\n" % (method, target)
    if not _REQUEST.fullmatch(line):
        raise MalformedHTTP("a method or target that cannot be sent")
    return line + _written(headers)


class Form(NamedTuple):
    """A request's head with values left open: `texts` stand around those of the headers `named`, in lower case."""

    texts: list[bytes]
    named: list[bytes]

    def filled(self, values: Mapping[bytes, bytes], length: int) -> bytes:
        """The head with these values, by lower-case name, and the length of the body. Nobody looks at the values any
        more: they come from a head that was read."""
        parts = [self.texts[0]]
        for name, text in zip(self.named, self.texts[1:], strict=True):
            parts += (values[name], text)
        parts.append(b"Content-Length: %d\r\n\r\n" % length)
        return b"".join(parts)


def request_form(method: bytes, target: bytes, headers: Headers, free: Collection[bytes]) -> Form:
    """The head of a request whose headers `free`, by lower-case name, have values of their own each time, and that does
    not say yet how long its body is. Raises MalformedHTTP."""
    whole = write_request(method, target, headers)
    if not free:  # as for each head that is the first of its kind, which waits for this
        return Form([whole[:-2]], [])
    first, *lines = whole.split(b"\r\n")[:-2]
    texts, named, text = list[bytes](), list[bytes](), first + b"\r\n"
    for (name, value), line in zip(headers, lines, strict=True):
        if (key := name.lower()) in free:
            texts.append(text + line[: len(line) - len(value)])
            named.append(key)
            text = b"\r\n"
        else:
            text += line + b"\r\n"
    return Form([*texts, text], named)


def write_response(status: int, reason: bytes, headers: Headers) -> bytes:
    """The head of an answer. Raises MalformedHTTP; see write_request."""
    line = b"HTTP/1.1 %d %b\r\n" % (status, reason)
    if not _STATUS.fullmatch(line):
        raise MalformedHTTP("a status that cannot be sent")
    return line + _written(headers)


def _written(headers: Headers) -> bytes:
    block = b"".join([b"%b: %b\r\n" % field for field in headers])
    names, ends = [name for name, _ in headers], len(headers)
    # As many lines as headers, and each of them a header: no value says more than itself.
    if block.count(b"\n") != ends or block.count(b"\r") != ends or b"\0" in block or not all(names) or _misnamed(names):
        raise MalformedHTTP("a header that cannot be sent")
    return block + b"\r\n"


def chunk(data: bytes) -> bytes:
    """Bytes of a body as one chunk; b"" would end the body, so it is none."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


LAST_CHUNK = b"0\r\n\r\n"


class Sized:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left > 0:
            return data
        self.done = True
        if not self._left:
            return data
        own = len(data) + self._left
        self.rest, self._left = data[own:], 0
        return data[:own]

    def may_end(self) -> bool:
        return self.done


class Unsized:
    """A body that ends with its connection."""

    done, rest = False, b""

    def feed(self, data: bytes) -> bytes:
        return data

    def may_end(self) -> bool:
        return True


class Chunked:
    """A body in chunks. Their extensions and the trailers are left out."""

    def __init__(self) -> None:
        self.done, self.rest = False, b""
        # What has come of a line that is not whole; how much is missing of a chunk; what comes next.
        self._held, self._left, self._next = bytearray(), 0, self._size
        self._trailers = 0

    def feed(self, data: bytes) -> bytes:
        # What a read mostly brings of a stream: an event, which is a chunk.
        if self._next == self._size and not self._held and (size := _BARE_SIZE.match(data)):
            start, length = size.end(), int(size[1], 16)
            if length and start + length + 2 == len(data) and data.endswith(b"\r\n"):
                return data[start:-2]
        if held := self._held:
            seek = len(held) - 1
            held += data
            if held.find(b"\r\n", seek) < 0:
                self._hold(held)
                return b""
            data = bytes(held)
            held.clear()
        parts, at = list[bytes](), 0
        while at < len(data) and not self.done:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._held += data[at:]
                self._hold(self._held)
                return b"".join(parts)
            self._next(data[at:end])
            at = end + 2
        if self.done:
            self.rest = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def may_end(self) -> bool:
        return self.done

    def _hold(self, line: bytearray) -> None:
        """Sees whether what has come of a line may still become one."""
        if len(line) > (MAX_HEAD if self._next == self._trailer else _MAX_LINE):
            raise MalformedHTTP("a chunk without an end")
        if self._next == self._end and line != b"\r":
            raise MalformedHTTP("a chunk that is longer than it says")

    def _size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None or len(line) > _MAX_LINE:
            raise MalformedHTTP("a chunk without a size")
        self._left = int(found[1], 16)
        self._next = self._end if self._left else self._trailer

    def _end(self, line: bytes) -> None:
        if line:
            raise MalformedHTTP("a chunk that is longer than it says")
        self._next = self._size

    def _trailer(self, line: bytes) -> None:
        if b"\n" in line or b"\r" in line:
            raise MalformedHTTP("a trailer is not as it should be")
        self._trailers += len(line)
        if self._trailers > MAX_HEAD:
            raise MalformedHTTP("the trailers are too large", 431)
        self.done = not line
