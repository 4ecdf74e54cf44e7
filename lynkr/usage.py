"""What an answer cost, as its provider counted it. Apart from the events, because starting a session needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Against OpenAI's o200k, four characters a token are 7 % too many tokens for code and 10 % too few for prose.
CHARS_PER_TOKEN = 4
# How long an entry of a provider's cache lives after its last use, in seconds: Anthropic's usual time, which others
# keep about as well, and the longer one that can be asked for.
WARM_S, HOUR_S = 300.0, 3600.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; the kinds do not overlap, so their sum is all there was.

    `input` is uncached input only. `cache_write` is held for the provider's default time (5 minutes at Anthropic),
    `cache_write_1h` for an hour. `reasoning` is the part of `output` that was thinking. `extras` says that something
    was billed besides tokens at the list rate (a server tool's fee, a faster or slower service tier), so that a cost
    computed from these figures alone is an estimate. `billed` is what the answer itself says it cost, in USD; only of
    a provider that is known to say so is it to be believed.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    extras: bool = False
    billed: float | None = None

    @property
    def prompt(self) -> int:
        """All input tokens, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


# No request costs more.
_MOST_USD = 1e6


def billed(figures: Mapping[str, Any]) -> float | None:
    """What a `usage` object of OpenRouter's says was charged, in USD.

    With a key of the user's own at the vendor (`is_byok`), `cost` is OpenRouter's fee alone, and the vendor charges the
    rest: what that is stands beside it.
    """
    charged = _usd(figures.get("cost"))
    if charged is None or not figures.get("is_byok"):
        return charged
    details = figures.get("cost_details")
    upstream = _usd(details.get("upstream_inference_cost")) if isinstance(details, dict) else None
    return None if upstream is None else charged + upstream


def _usd(value: object) -> float | None:
    """An amount of money; what is none (JSON as Python reads it has NaN and infinity) is None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < _MOST_USD else None


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
