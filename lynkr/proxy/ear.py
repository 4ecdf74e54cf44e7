"""Listens to an answer that passes by.

Undoes its coding on a copy, finds its events, and lets the format's watch read them.
"""

from __future__ import annotations

from collections.abc import Callable

from lynkr.formats.watch import Watch
from lynkr.framing.sse import Blocks
from lynkr.proxy.coding import Unreadable, decoder
from lynkr.usage import Heard

# An answer that is not streamed, or one event, larger than this is not read for its figures.
LIMIT = 64 * 1024 * 1024


class Ear:
    """One answer's listener. Never raises: what it cannot read it does not hear."""

    def __init__(self, watch: Watch, content_type: str, coding: str) -> None:
        self._watch = watch
        self._blocks = Blocks() if content_type.lower().startswith("text/event-stream") else None
        self._body = bytearray()
        self._deaf = False
        self._plain = coding.strip().lower() in ("", "identity")
        try:
            self._decoder = decoder(coding)
        except Unreadable:
            self._deaf = True

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream of events."""
        return self._blocks is not None

    def closing(self, event: bytes, after_broken: bytes | None) -> bytes | None:
        """The bytes that end a broken stream with `event`; None where it cannot be said any more.

        Where the stream stopped inside an event, `after_broken` are the line ends that the format's clients need
        between that and ours; None if nothing helps them.
        """
        if self._deaf or not self._plain or self._blocks is None:
            return None
        rest = self._blocks.rest
        if not rest:
            return event
        if after_broken is None:
            return None
        # After a CR ours would only complete a CRLF, so just an LF counts as an end that is there already.
        return after_broken[rest.endswith(b"\n") :] + event

    def hear(self, chunk: bytes) -> None:
        """Takes the next bytes of the answer."""
        if self._deaf:
            return
        try:
            data = self._decoder.decompress(chunk)
        except Exception:  # noqa: BLE001 - see coding.plain; what is not in its coding cannot be heard
            self._deaf = True
            return
        if self._blocks is None:
            self._body += data
            self._deaf = len(self._body) > LIMIT
            return
        for block in self._blocks.feed(data):
            self._listen(self._watch.block, block)
        self._deaf = self._deaf or self._blocks.pending > LIMIT

    def heard(self) -> Heard:
        """What the answer said; call it once the answer is over."""
        if self._blocks is None and self._body and not self._deaf:
            self._listen(self._watch.body, bytes(self._body))
            self._body.clear()
        return self._watch.heard()

    def _listen(self, watch: Callable[[bytes], None], data: bytes) -> None:
        try:
            watch(data)
        except Exception:  # noqa: BLE001 - an answer that cannot be read is still an answer to be relayed
            self._deaf = True
