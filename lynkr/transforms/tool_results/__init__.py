"""Tool results, squeezed: one small compressor a kind, chosen by the command that ran or by the look of the text.

Each takes a text and what is known of the call and gives a text; each is pure, knows what it must not touch (a file
that was asked for, a match, an item of a list, whatever gives alarm) and gives its input back where it would not get
smaller.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results import (
    blobs,
    by_file,
    chatter,
    columns,
    diagnostics,
    git,
    listing,
    logs,
    outline,
    prefixes,
    rulers,
    tables,
    terminal,
    times,
    wrapping,
)
from lynkr.transforms.tool_results.stub import MORE, finished

# In this order; the name is the kind in reports.
COMPRESSORS = (
    ("terminal codes", terminal.squeeze),
    ("tool's own words", wrapping.squeeze),
    ("chatter", chatter.squeeze),
    ("log lines", logs.squeeze),
    ("encoded bytes", blobs.squeeze),
    ("bulk", outline.squeeze),
    ("rulers", rulers.squeeze),
    ("git", git.squeeze),
    ("times", times.squeeze),
    ("JSON", tables.squeeze),
    ("columns", columns.squeeze),
    ("names", listing.squeeze),
    ("messages", diagnostics.squeeze),
    ("paths", by_file.squeeze),
    ("beginnings", prefixes.squeeze),
)


class Cut(NamedTuple):
    """What one compressor took from one result: its kind, and how many characters."""

    kind: str
    chars: int


class Squeezed(NamedTuple):
    """A result's new text, the id of the original, and what each compressor took."""

    text: str
    id: str
    cuts: tuple[Cut, ...] = ()


def content_id(text: str) -> str:
    """What an original is called: ten hexadecimal digits of its content's hash."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def squeeze(text: str, what: Meaning, *, keeping: bool) -> Squeezed:
    """`text`, which the call that `what` describes gave, as it is to be sent. It is never longer.

    Where no original can be kept (not `keeping`), nothing is left out that could not be had back.
    """
    identity = content_id(text)
    new, cuts = text, list[Cut]()
    for kind, compressor in COMPRESSORS:
        smaller = compressor(new, what)
        if smaller != new and (keeping or MORE not in smaller):
            cuts.append(Cut(kind, len(new) - len(smaller)))
            new = smaller
    new = finished(new, identity)
    return Squeezed(new, identity, tuple(cuts)) if len(new) <= len(text) else Squeezed(text, identity)
