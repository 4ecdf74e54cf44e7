"""What every framing gives: one message of a stream, by its name and its bytes."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Frame(NamedTuple):
    """One message: its name ("" where the framing has none) and its data."""

    name: str
    data: bytes


class Framing(Protocol):
    """Cuts bytes, as they come, into frames. `feed` raises MalformedStream for what can be none."""

    def feed(self, data: bytes) -> list[Frame]: ...

    def rest(self) -> list[Frame]:
        """What has come of a last frame whose end was left out; call it when the stream is over."""
        ...

    @property
    def pending(self) -> int:
        """Bytes held back as the beginning of a frame."""
        ...
