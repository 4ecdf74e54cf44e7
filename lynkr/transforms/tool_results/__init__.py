"""Tool results, squeezed: one small compressor a kind, chosen by the command that ran or by the look of the text."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from lynkr.transforms.command import Meaning


class Squeezed(NamedTuple):
    """A result's new text, the id of the original, and what each compressor took: (kind, characters)."""

    text: str
    id: str
    cuts: tuple[tuple[str, int], ...] = ()


def content_id(text: str) -> str:
    """What an original is called: ten hexadecimal digits of its content's hash."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def squeeze(text: str, what: Meaning) -> Squeezed:
    return Squeezed(text, content_id(text))
