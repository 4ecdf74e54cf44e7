"""How bytes come from a socket: into memory that is there already, and out of it as what they are.

asyncio would take a new quarter of a megabyte from the system for each read and give back all but the few bytes of an
event, which costs as much as the read itself.
"""

from __future__ import annotations

import asyncio

_SIZE = 256 * 1024


def inlet() -> memoryview:
    """Memory for one event loop: whatever is read there is taken out before anything else can be read."""
    return memoryview(bytearray(_SIZE))


class Receiver(asyncio.BufferedProtocol):
    """A protocol that hears `data_received`, as those do that asyncio allocates for."""

    def __init__(self, inlet: memoryview) -> None:
        self._inlet = inlet

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._inlet

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._inlet[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Takes what has come."""
        raise NotImplementedError
