"""Whether and when to ask the same lane again.

Exponential backoff with full jitter, so that many who failed together do not come back together; a lane's own
retry-after counts, and one that is longer than a user would wait is an answer in itself. What retries cost a lane that
is in trouble is bounded by a budget, as gRPC has it (gRFC A6): each failure takes a token, each success gives back a
tenth, and with half of the tokens gone nobody tries again.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S, MOST_S = 0.5, 8.0
# A lane that asks for more patience than this is left for another.
PATIENCE_S = 10.0
TOKENS, BACK = 10.0, 0.1


def pause(attempt: int, retry_after: float | None, chance: float) -> float | None:
    """Seconds until attempt `attempt` (from 1) may be repeated; None where that is too long. `chance` is 0 to 1."""
    if retry_after is not None and retry_after > PATIENCE_S:
        return None
    jittered: float = min(FIRST_S * 2 ** (attempt - 1), MOST_S) * chance
    # Never earlier than the lane said, and not all at that moment.
    return jittered if retry_after is None else retry_after + jittered / 2


def seconds(retry_after: str | None) -> float | None:
    """A retry-after in seconds; dates and what is no number say nothing that can be relied on."""
    text = (retry_after or "").strip()
    return float(text) if text.replace(".", "", 1).isdigit() and text.isascii() else None


@dataclass(slots=True)
class Allowance:
    """The budget of retries of one lane."""

    tokens: float = TOKENS

    def failed(self) -> None:
        """A request failed."""
        self.tokens = max(0.0, self.tokens - 1)

    def answered(self) -> None:
        """A request was answered."""
        self.tokens = min(TOKENS, self.tokens + BACK)

    @property
    def left(self) -> bool:
        """Whether a request may be repeated."""
        return self.tokens > TOKENS / 2
