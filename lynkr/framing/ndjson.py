"""Newline-delimited JSON: one value a line. Ollama's way; a stream may end without the last line's end."""

from __future__ import annotations

from lynkr.framing.frame import Frame


class Lines:
    """Cuts a byte stream at LF; a CR before it and empty lines are nothing."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.pending = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The lines that `data` completed."""
        if b"\n" not in data:
            self._hold(data)
            return []
        *lines, rest = (b"".join(self._parts) + data).split(b"\n")
        self._parts, self.pending = [], 0
        self._hold(rest)
        return [Frame("", line) for line in map(bytes.strip, lines) if line]

    def rest(self) -> list[Frame]:
        """What stands behind the last line's end, for when the stream is over."""
        line, self._parts, self.pending = b"".join(self._parts).strip(), [], 0
        return [Frame("", line)] if line else []

    def _hold(self, data: bytes) -> None:
        if data:
            self._parts.append(data)
            self.pending += len(data)
