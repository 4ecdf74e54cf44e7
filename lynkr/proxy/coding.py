"""Content codings, undone on a copy: what travels on stays as it came.

gzip, deflate and zstd are read; of anything else (brotli) no figures can be taken.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any, Protocol

from lynkr.errors import ClientError


class Unreadable(ValueError):
    """The bytes are not in the coding that they claim, or it is one that is not read here."""


class Decoder(Protocol):
    """Takes coded bytes as they come and gives plain ones."""

    def decompress(self, data: bytes, /) -> bytes: ...


class _Plain:
    def decompress(self, data: bytes, /) -> bytes:
        return data


def decoder(coding: str) -> Decoder:
    """A decoder for a `content-encoding` header. Raises Unreadable for one that is not read here."""
    match coding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return zlib.decompressobj(wbits=31)
        case "deflate":
            return zlib.decompressobj()
        case "zstd":
            import zstandard

            return zstandard.ZstdDecompressor().decompressobj()
    raise Unreadable(coding)


def plain(body: bytes, coding: str, limit: int) -> bytes:
    """A whole body, decoded. Raises Unreadable, and ClientError (413) for one that unpacks to more than `limit`."""
    if coding.strip().lower() in ("", "identity"):
        return body
    parts, size = list[bytes](), 0
    # In small pieces, so that nothing is unpacked that will not be looked at: kilobytes can hold gigabytes.
    try:
        with _reader(body, coding) as reader:
            while part := reader.read(_PIECE):
                size += len(part)
                if size > limit:
                    sentence = f"lynkr: the request unpacks to more than {limit >> 20} MiB"
                    raise ClientError(sentence, status=413, kind="too_large")
                parts.append(part)
    except ClientError:
        raise
    except Exception as error:
        # zlib.error, EOFError, OSError, ZstdError: they share no base but this one.
        raise Unreadable(coding) from error
    return b"".join(parts)


_PIECE = 64 * 1024


def _reader(body: bytes, coding: str) -> io.BufferedIOBase:
    match coding.strip().lower():
        case "gzip" | "x-gzip":
            return gzip.GzipFile(fileobj=io.BytesIO(body))
        case "deflate":
            return io.BufferedReader(_Inflate(body))
        case "zstd":
            import zstandard

            decompressor = zstandard.ZstdDecompressor()
            return decompressor.stream_reader(io.BytesIO(body), read_across_frames=True)  # type: ignore[return-value]
    raise Unreadable(coding)


class _Inflate(io.RawIOBase):
    """A zlib stream as a file; the standard library has one for gzip only."""

    def __init__(self, body: bytes) -> None:
        self._zlib, self._rest = zlib.decompressobj(), body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._zlib.decompress(self._rest, len(buffer))
        self._rest = self._zlib.unconsumed_tail
        if not data and not self._zlib.eof:
            raise EOFError
        buffer[: len(data)] = data
        return len(data)
