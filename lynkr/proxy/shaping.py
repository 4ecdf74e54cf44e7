"""One session's requests, shaped before they go anywhere: compressed results, and the account of what that took out.

A request that is not understood goes on as it came. What was taken out is kept where the model can have it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from lynkr.changes import Changes, Removed
from lynkr.document import Document, Edit, MalformedDocument
from lynkr.formats import CODECS, Codec
from lynkr.formats.values import dumps
from lynkr.lane import Auth, Format, Lane
from lynkr.passage import Offer
from lynkr.proxy.coding import Unreadable
from lynkr.proxy.documents import Documents
from lynkr.proxy.outbound import Inbound
from lynkr.transforms.offers import doubled, left_out, trimmed
from lynkr.transforms.settings import OFF, Settings
from lynkr.transforms.shaper import Change, Shaped, Shaper
from lynkr.transforms.terse import WORDS

Keep = Callable[[Change, str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request as it is to go on, how often a compressor failed, and what else was changed.

    `removed` makes up what was taken out: nobody need wait for that before the answer is over.
    """

    inbound: Inbound
    removed: Callable[[], tuple[Removed, ...]] = tuple
    faults: int = 0
    changes: Changes = field(default_factory=Changes)


@dataclass(slots=True)
class Shaping:
    """Shapes the requests of one session.

    `keep` is given each change that is new, with the request's id; where it is None, no original can be kept, and what
    would need one stays.
    """

    settings: Settings = OFF
    keep: Keep | None = None
    _written: Documents = field(default_factory=Documents)
    _shapers: dict[tuple[Format, bool], Shaper] = field(default_factory=dict)

    def __call__(self, inbound: Inbound, lane: Lane) -> Outcome:
        """The request as it is to go on. A fault of ours leaves it as it came, and is counted."""
        try:
            return self._shaped(inbound, lane)
        except Exception:  # noqa: BLE001 - whatever it is, the tool's own request is a good one
            self._shapers.clear()
            return Outcome(inbound, faults=1)

    def shapes(self, lane: Lane) -> bool:
        """Whether anything may be changed for `lane`."""
        return self._results(lane) or self.settings.tools or self.settings.terse != "off"

    def _results(self, lane: Lane) -> bool:
        return self.settings.results(own_credential=lane.auth is Auth.CLIENT)

    def _shaped(self, inbound: Inbound, lane: Lane) -> Outcome:
        match, settings = inbound.match, self.settings
        if match is None or inbound.body is None or not self.shapes(lane):
            return Outcome(inbound)
        results = self._results(lane)
        try:
            document = inbound.read()
        except (Unreadable, MalformedDocument):
            return Outcome(inbound)
        codec, changes = CODECS[match.format], Changes()
        shaped = Shaped()
        if results:
            refer = not _may_forget(document)
            if (shaper := self._shapers.get((match.format, refer))) is None:
                shaper = Shaper(thin=settings.thin_line_numbers, refer=refer, keeping=self.keep is not None)
                self._shapers[match.format, refer] = shaper
            shaped = shaper.shape(document, codec.TALK, codec.passages)
        if self.keep is not None:
            for change in shaped.fresh:
                self.keep(change, inbound.id)
        edits, offers = list(shaped.edits), self._offers(document, codec, changes)
        edits += offers
        if words := WORDS[settings.terse]:
            edits += codec.told(document, words)
            changes.change("system prompt", f"asks for few words: terse = {settings.terse}")
        if not edits:
            return Outcome(replace(inbound, document=document), faults=shaped.faults)
        new = self._written.read(*document.spliced(edits))
        removed = partial(_removed, new, codec.TALK, shaped, offers)
        return Outcome(inbound.instead(new), removed, shaped.faults, changes)

    def _offers(self, document: Document, codec: Codec, changes: Changes) -> list[Edit]:
        """The edit that changes the list of tools, if it is to be changed."""
        tools = document.members.get("tools")
        if not self.settings.tools or tools is None or not isinstance(tools.value, list):
            return []
        names = list[str]()

        def name(offer: Offer) -> Offer:
            names.append(offer.name)
            return offer

        codec.reshaped(tools.value, name)
        doubles = doubled(names) if self.settings.drop_duplicate_tools else frozenset()

        def reshape(offer: Offer) -> Offer | None:
            if left_out(offer.name, self.settings):
                changes.drop(f"tool {offer.name}", "the profile leaves it out")
                return None
            if offer.name in doubles:
                changes.drop(f"tool {offer.name}", "a built-in tool does the same")
                return None
            new = trimmed(offer) if self.settings.tool_schemas else offer
            if new != offer:
                changes.change("tool descriptions", "trimmed")
            return new

        kept = codec.reshaped(tools.value, reshape)
        return [Edit(tools.start, tools.end, dumps(kept))] if kept != tools.value else []


def _may_forget(document: Document) -> bool:
    """Whether the provider is asked to take earlier results out by itself: then nothing may refer to them."""
    members = {name: node.value for name, node in document.members.items() if name in _FORGETTING}
    edits = management.get("edits") if isinstance(management := members.get("context_management"), dict) else management
    kinds = [edit.get("type") for edit in edits if isinstance(edit, dict)] if isinstance(edits, list) else []
    clears = any(str(kind).startswith(("clear_tool_uses", "compact")) for kind in kinds)
    return clears or members.get("truncation") == "auto"


_FORGETTING = ("context_management", "truncation")


def _trimmed(new: Document, offers: list[Edit]) -> list[Removed]:
    gone = sum(edit.end - edit.start - len(edit.new) for edit in offers)
    return [Removed("tools", gone / len(new.text), 0.0)] if gone > 0 else []


def _removed(new: Document, talk: str, shaped: Shaped, offers: list[Edit]) -> tuple[Removed, ...]:
    """What was taken out, as shares of what is sent, and where in the provider's order (tools, system, talk) it was."""
    total, start, end = len(new.text), new.members[talk].start, new.members[talk].end
    # How far into what is sent a place of the old body's list stands, once what went before it is gone.
    offset = total - (end - start) - start
    removed = list[Removed]()
    for _, at, gone, cuts in shaped.placed:
        place = (at + offset) / total
        removed += [Removed(kind, chars / total, place) for kind, chars in cuts]
        offset -= gone
    return (*removed, *_trimmed(new, offers))
