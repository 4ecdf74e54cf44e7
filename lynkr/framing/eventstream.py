"""AWS event streams (`application/vnd.amazon.eventstream`), sans-io, every checksum checked.

    total length u32 · headers' length u32 · CRC-32 of those eight bytes · headers · payload · CRC-32 of all before it

All numbers are big-endian. A header is: name length u8, name, type u8, value. The layout and the limits are those of
the Smithy specification ("Amazon Event Stream").
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

from lynkr.events import MalformedStream
from lynkr.framing.frame import Frame

MAX_HEADERS = 128 * 1024
MAX_PAYLOAD = 24 * 1024 * 1024
_PRELUDE, _CRC = 12, 4
# Value type → its size; 6 and 7 (bytes and text) carry a length of their own.
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _TEXT = 6, 7


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Only headers that are text are kept; the protocol's own all are."""

    headers: Mapping[str, str]
    payload: bytes


class Messages:
    """Cuts a byte stream into messages. Raises MalformedStream, after which it is of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken: MalformedStream | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """The messages that `data` completed, each under its event type; `!` stands before the name of an error's."""
        return [_frame(message) for message in self.messages(data)]

    def messages(self, data: bytes) -> list[Message]:
        """The same with all their headers."""
        if self._broken is not None:
            raise self._broken
        buffer = self._buffer
        buffer += data
        found, at = [], 0
        try:
            while len(buffer) - at >= _PRELUDE:
                total = _prelude(bytes(buffer[at : at + _PRELUDE]))
                if len(buffer) - at < total:
                    break
                found.append(_message(bytes(buffer[at : at + total])))
                at += total
        except MalformedStream as error:
            self._broken = error
            if not found:
                raise
        # What came before is whole; the error is raised with the next piece, or at the end.
        del buffer[:at]
        return found

    def rest(self) -> list[Frame]:
        """Nothing: a message has a length, and is whole or not there. Raises MalformedStream where one was broken."""
        if self._broken is not None:
            raise self._broken
        return []

    @property
    def pending(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._buffer)


def _prelude(data: bytes) -> int:
    """The message's whole length, once its prelude has been found right."""
    total, headers, crc = struct.unpack(">III", data)
    if crc32(data[:8]) != crc:
        raise MalformedStream("the checksum of an event's prelude is wrong")
    if headers > MAX_HEADERS or not 0 <= total - headers - _PRELUDE - _CRC <= MAX_PAYLOAD:
        raise MalformedStream("an event's lengths are out of bounds")
    return int(total)


def _message(data: bytes) -> Message:
    (crc,) = struct.unpack(">I", data[-_CRC:])
    if crc32(data[:-_CRC]) != crc:
        raise MalformedStream("the checksum of an event is wrong")
    (length,) = struct.unpack(">I", data[4:8])
    end = _PRELUDE + length
    return Message(_headers(data[_PRELUDE:end]), data[end:-_CRC])


def _headers(data: bytes) -> dict[str, str]:
    headers, at = {}, 0
    try:
        while at < len(data):
            size = data[at]
            name = data[at + 1 : at + 1 + size].decode()
            kind = data[at + 1 + size]
            at += 2 + size
            if kind in (_BYTES, _TEXT):
                (length,) = struct.unpack(">H", data[at : at + 2])
                at += 2
            else:
                length = _SIZES[kind]
            if at + length > len(data):
                raise MalformedStream("an event's header is cut short")
            if kind == _TEXT:
                headers[name] = data[at : at + length].decode()
            at += length
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise MalformedStream("an event's headers cannot be read") from error
    return headers


def _frame(message: Message) -> Frame:
    kind = message.headers.get(":message-type", "event")
    if kind == "event":
        return Frame(message.headers.get(":event-type", ""), message.payload)
    name = message.headers.get(":exception-type") or message.headers.get(":error-code") or kind
    if kind == "error" and not message.payload:
        # An error of this type says what it has to say in its headers.
        return Frame("!" + name, json.dumps({"message": message.headers.get(":error-message", "")}).encode())
    return Frame("!" + name, message.payload)


def write(headers: Mapping[str, str], payload: bytes) -> bytes:
    """The bytes of one message."""
    head = b"".join(
        bytes([len(name.encode())]) + name.encode() + bytes([_TEXT]) + struct.pack(">H", len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )  # fmt: skip
    prelude = struct.pack(">II", _PRELUDE + len(head) + len(payload) + _CRC, len(head))
    data = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return data + struct.pack(">I", crc32(data))
