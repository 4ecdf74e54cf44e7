"""Content codings, undone on a copy: what travels on stays as it came.

gzip, deflate and zstd are read; of anything else (brotli) no figures can be taken.
"""

from __future__ import annotations

import zlib
from typing import Protocol

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
    reader, parts, size = decoder(coding), [], 0
    # A small slice at a time: a few kilobytes can unpack to gigabytes.
    for at in range(0, len(body), _SLICE):
        try:
            part = reader.decompress(body[at : at + _SLICE])
        except Exception as error:
            raise Unreadable(coding) from error
        size += len(part)
        if size > limit:
            raise ClientError(
                f"lynkr: the request unpacks to more than {limit >> 20} MiB", status=413, kind="too_large"
            )
        parts.append(part)
    return b"".join(parts)


_SLICE = 16 * 1024
