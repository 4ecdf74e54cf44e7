"""How much a proxy takes at once: past that, a request is turned away with 503 and a time to come back, before memory
or descriptors run out and take the others along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# What a long conversation takes for each byte of its body, as measured: bytes, spans, values, what is sent.
_EXPANDS = 25
# Of one whose length is not said beforehand.
_UNSAID = 1024 * 1024
RETRY_AFTER_S = 2


@dataclass(slots=True)
class Load:
    """`most` requests at once, `memory` bytes for what they hold, and so many clients that have shown the token."""

    most: int
    memory: int
    clients: int
    requests: int = 0
    held: int = 0

    def refuses(self, length: str) -> str:
        """Why a request with this content-length is turned away; "" where it is not. A single one is always taken."""
        if self.requests >= self.most:
            return "requests"
        return "memory" if self.requests and self.held + _needs(length) > self.memory else ""

    @contextmanager
    def carrying(self, length: str) -> Iterator[None]:
        """Holds what a request takes as long as it is under way."""
        needs = _needs(length)
        self.requests, self.held = self.requests + 1, self.held + needs
        try:
            yield
        finally:
            self.requests, self.held = self.requests - 1, self.held - needs


def _needs(length: str) -> int:
    return (int(length) if length.isdigit() and len(length) < 15 else _UNSAID) * _EXPANDS
