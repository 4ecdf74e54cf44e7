"""What was said, called and given in one element of a client's list, in order, with the place where each text stands.

This is how whoever shapes a conversation sees it: element by element, so that a turn costs what is new in it, and
without a word of any wire format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Speaker = Literal["user", "model"]


@dataclass(frozen=True, slots=True)
class Said:
    """Words of the user, the model or whoever else speaks."""

    text: str
    by: Speaker


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call: the tool's name and its arguments, an object or free text."""

    id: str
    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """A text that a call gave. `path` leads to it from the element; `name` is the tool's, where the result says it."""

    id: str
    text: str
    path: tuple[str | int, ...]
    name: str = ""


Passage = Said | Called | Given


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as a request offers it. `schema` is JSON Schema, or None where the format has none for it."""

    name: str
    description: str
    schema: dict[str, Any] | None


# What becomes of an offer; None takes it out.
Reshape = Callable[[Offer], Offer | None]
