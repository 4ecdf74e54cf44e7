"""When a lane is left alone: a circuit breaker for each, as plain values. Times are seconds since the epoch.

Closed: it is asked. After some failures in a row it is open: nobody asks it until its rest is over. Then it is
half-open: one request tries, the others go on as if it rested; an answer closes it, a failure makes it rest twice as
long. What a lane says of when to come back (retry-after) counts at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

# Failures further apart than this are not in a row.
APART_S = 60.0
LONGEST_S = 600.0
_DOUBLED = 10
# So long a lane is left alone that says it has no quota or credit left.
SPENT_S = 900.0
# Whoever tries a half-open lane has so long before another may.
TRIAL_S = 60.0

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Health:
    """What requests have shown of a lane. `until` ends its rest (0: it does not rest), `trial` when another may try."""

    failures: int = 0
    last: float = 0.0
    until: float = 0.0
    rests: int = 0
    trial: float = 0.0
    why: str = ""

    def state(self, now: float) -> State:
        """Whether it may be asked."""
        if not self.until:
            return "closed"
        return "open" if now < self.until or now < self.trial else "half-open"

    def tried(self, now: float) -> Health:
        """Somebody tries it now."""
        return replace(self, trial=now + TRIAL_S)

    def untried(self) -> Health:
        """Whoever tried it has gone without an answer."""
        return replace(self, trial=0.0)

    def failed(self, now: float, why: str, limit: int, rest_s: float, after_s: float | None = None) -> Health:
        """After a failure; `after_s` is when it wants to be asked again, by its own word.

        Of a lane that rests, only whoever tries it has something new to say: others were sent before.
        """
        if self.until and not self.trial and after_s is None:
            return self
        failures = self.failures + 1 if now - self.last < APART_S or self.until else 1
        if after_s is None and failures < limit and not self.until:
            return replace(self, failures=failures, last=now, why=why)
        rest = min(rest_s * 2 ** min(self.rests, _DOUBLED), LONGEST_S) if after_s is None else min(after_s, SPENT_S)
        return Health(failures, now, max(now + rest, self.until), self.rests + 1, 0.0, why)


# Of a lane that has shown nothing else.
WELL = Health()
