"""Ids that sort by time: ULIDs (https://github.com/ulid/spec), from a clock and randomness that are passed in."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(milliseconds: int, randomness: bytes) -> str:
    """26 characters: 48 bits of Unix time in milliseconds, 80 bits (10 bytes) of randomness."""
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(randomness[:10], "big")
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
