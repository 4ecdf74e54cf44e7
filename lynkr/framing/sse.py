"""Server-sent events, read as the HTML specification says (section 9.2, "Interpreting an event stream").

Lines end in CR, LF or CRLF and in nothing else: U+2028 and its like stand inside JSON strings. An event ends at a blank
line; what follows the last blank line is not an event yet. Bytes may arrive cut anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lynkr.framing.frame import Frame

# Atomic groups: without them the engine may take the CR of one CRLF for a line end and its LF for a second one.
_LINE_END = re.compile(rb"(?>\r\n|\n|\r)")
_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)+")


class Blocks:
    """Cuts a byte stream into the blocks of text between blank lines, each one event (or a comment)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._started = self._carriage = False

    def feed(self, data: bytes) -> list[bytes]:
        """The blocks that `data` completed."""
        buffer = self._buffer
        if self._started and not buffer and not self._carriage and data.endswith(b"\n\n") and b"\r" not in data:
            # Whole events, as nearly every piece is.
            return [block for part in data.split(b"\n\n") if (block := part.strip(b"\n"))]
        # A blank line is at most four bytes, so at most three of it were there before; nothing is searched twice.
        seek = max(0, len(buffer) - 3)
        buffer += data
        if not self._started:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return []
            self._started = True
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        self._carriage = self._carriage or b"\r" in data
        blocks, at = [], 0
        for start, end in self._blanks(seek):
            # A CR at the very end may be half of a CRLF; its LF then is a line end before the next event, no harm.
            if block := bytes(buffer[at:start]).strip(b"\r\n"):
                blocks.append(block)
            at = end
        del buffer[:at]
        return blocks

    def _blanks(self, seek: int) -> Iterator[tuple[int, int]]:
        if self._carriage:
            for match in _BLANK.finditer(self._buffer, seek):
                yield match.span()
            return
        while (found := self._buffer.find(b"\n\n", seek)) >= 0:
            yield found, (seek := found + 2)

    @property
    def rest(self) -> bytes:
        """What has come of an event that is not whole yet; empty between two events."""
        return bytes(self._buffer) if self._buffer.strip(b"\r\n") else b""

    @property
    def pending(self) -> int:
        """Bytes held back as the beginning of an event."""
        return len(self._buffer)


class Stream:
    """Cuts a byte stream into events."""

    def __init__(self) -> None:
        self._blocks = Blocks()

    def feed(self, data: bytes) -> list[Frame]:
        """The events that `data` completed; comments are nothing."""
        return [frame for block in self._blocks.feed(data) if (frame := parse(block)) is not None]

    def rest(self) -> list[Frame]:
        """The event that lacks only its blank line, once the stream is over: some servers leave the last one out."""
        frame = parse(self._blocks.rest)
        self._blocks = Blocks()
        return [frame] if frame is not None else []

    @property
    def pending(self) -> int:
        """Bytes held back as the beginning of an event."""
        return self._blocks.pending


def parse(block: bytes) -> Frame | None:
    """The event in a block, or None where it holds no data (a comment, a lone `retry:`)."""
    name, data = "", []
    for line in _LINE_END.split(block):
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Frame(name, b"\n".join(data)) if data else None


def write(name: str, data: bytes) -> bytes:
    """The bytes of one event."""
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
