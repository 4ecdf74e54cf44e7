"""One session's requests, shaped before they go anywhere: compressed results, and the account of what that took out.

A request that is not understood goes on as it came. What was taken out is kept where the model can have it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lynkr.changes import Removed
from lynkr.document import Document, MalformedDocument
from lynkr.formats import CODECS
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.outbound import Inbound
from lynkr.transforms.settings import OFF, Settings
from lynkr.transforms.shaper import Change, Shaped, Shaper

# So many bodies are remembered, to read the next ones on their heels; larger ones are not.
_REMEMBERED, _LARGEST = 12, 16 * 1024 * 1024
Keep = Callable[[Change, str], None]


@dataclass(slots=True)
class Documents:
    """The latest documents, so that what two turns have in common is parsed once."""

    _latest: list[Document] = field(default_factory=list)

    def read(self, body: bytes) -> Document:
        """The document in `body`. Raises MalformedDocument."""
        known = max(self._latest, key=lambda document: _alike(document.body, body), default=None)
        document = Document.read(body, known)
        if len(body) <= _LARGEST:
            if known is not None and 2 * _alike(known.body, body) >= len(known.body):
                self._latest.remove(known)
            self._latest.append(document)
            del self._latest[:-_REMEMBERED]
        return document


def _alike(one: bytes, other: bytes) -> int:
    """Roughly how much two bodies have in common at their beginning."""
    count = 512
    while count < len(one) and one[:count] == other[:count]:
        count *= 2
    return count // 2


@dataclass(slots=True)
class Shaping:
    """Shapes the requests of one session. `keep` is given each change that is new, with the request's id."""

    settings: Settings = OFF
    keep: Keep | None = None
    _read: Documents = field(default_factory=Documents)
    _written: Documents = field(default_factory=Documents)
    _shapers: dict[Format, Shaper] = field(default_factory=dict)

    def __call__(self, inbound: Inbound, lane: Lane) -> tuple[Inbound, tuple[Removed, ...], int]:
        """The request as it is to go on, what was taken out of it, and how often a compressor failed."""
        match = inbound.match
        if match is None or inbound.body is None or not self.settings.results(own_credential=lane.auth is Auth.CLIENT):
            return inbound, (), 0
        try:
            document = inbound.read(self._read.read)
        except (Unreadable, MalformedDocument):
            return inbound, (), 0
        codec = CODECS[match.format]
        shaper = self._shapers.setdefault(match.format, Shaper())
        shaped = shaper.shape(document, codec.TALK, codec.passages)
        if self.keep is not None:
            for change in shaped.fresh:
                self.keep(change, inbound.id)
        if not shaped.edits:
            return replace(inbound, document=document), (), shaped.faults
        body = document.splice(list(shaped.edits))
        new = self._written.read(body)
        return inbound.instead(new), tuple(_removed(new, codec.TALK, shaped)), shaped.faults


def _removed(new: Document, talk: str, shaped: Shaped) -> list[Removed]:
    """What was taken out, as shares of what is sent, and where in the provider's order (tools, system, talk) it was."""
    total, start, end = len(new.text), new.members[talk].start, new.members[talk].end
    before = total - (end - start)
    removed, shift = list[Removed](), 0
    for edit, placed in zip(shaped.edits, shaped.placed, strict=True):
        place = (before + edit.start + shift - start) / total
        gone = edit.end - edit.start - len(edit.new)
        shift -= gone
        whole = sum(cut.chars for cut in placed.change.cuts) or 1
        removed += [Removed(cut.kind, gone * cut.chars / whole / total, place) for cut in placed.change.cuts]
    return removed
