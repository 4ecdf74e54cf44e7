"""`[cache]` and `[bypass]` of a profile: plain values."""

from __future__ import annotations

from typing import Literal, NamedTuple

Mode = Literal["off", "exact", "semantic"]


class Caching(NamedTuple):
    """`[cache]`. `answers` says which questions are answered again, `ttl_s` for how long, `max_mb` how much is kept."""

    answers: Mode = "off"
    ttl_s: float = 86_400.0
    max_mb: float = 256.0
    # Refreshes of the provider's cache in one pause of the user's.
    keep_warm: int = 0


class Bypassing(NamedTuple):
    """`[bypass]`: what is answered here, without a model. None: on for lanes with a key of their own, off for the
    tool's own login."""

    probes: bool | None = None
    titles: bool | None = None
    counts: bool | None = None
