"""What an answer cost, as its provider counted it. Apart from the events, because starting a session needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; the kinds do not overlap, so their sum is all there was.

    `input` is uncached input only. `cache_write` is held for the provider's default time (5 minutes at Anthropic),
    `cache_write_1h` for an hour. `reasoning` is the part of `output` that was thinking. `extras` says that something
    was billed besides tokens at the list rate (a server tool's fee, a faster or slower service tier), so that a cost
    computed from these figures alone is an estimate.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    extras: bool = False

    @property
    def prompt(self) -> int:
        """All input tokens, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader took from an answer that passed by.

    `usage` is None where the provider gave no figures. `final` says whether they are its last word: a stream that is
    cut after its first event leaves the input known and the output open. `text_chars` counts the characters of output
    that were seen, the ground for an estimate where the figure is missing. `complete` says that the answer reached
    its own end; `failure` is the provider's name for an error inside of it.
    """

    usage: Usage | None = None
    final: bool = False
    complete: bool = False
    text_chars: int = 0
    failure: str | None = None
