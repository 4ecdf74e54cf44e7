"""Ids that sort by time: ULIDs (https://github.com/ulid/spec), from a clock and randomness that are passed in."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters for each ten bits.
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]


def ulid(milliseconds: int, randomness: bytes) -> str:
    """26 characters: 48 bits of Unix time in milliseconds, 80 bits (10 bytes) of randomness."""
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(randomness[:10], "big")
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
