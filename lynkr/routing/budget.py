"""What may still be spent: limits of a session, a day and a month, what was spent, and what is in flight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lynkr.routing.settings import Budget


@dataclass(slots=True)
class Purse:
    """A session's money. `before` is what was spent by other sessions in each period, `spent` by this one.

    `reserved` is an estimate of what the requests that are under way will cost, by request; `earlier` what this session
    had spent when a period began anew.
    """

    budget: Budget
    before: Mapping[str, float] = field(default_factory=dict)
    spent: float = 0.0
    reserved: dict[str, float] = field(default_factory=dict)
    earlier: dict[str, float] = field(default_factory=dict)

    def exceeded(self) -> tuple[str, float, float] | None:
        """(the period, its limit, what is gone of it) of the first limit that is reached; None while there is money."""
        going = self.spent + sum(self.reserved.values())
        for period, limit in self.budget.limits.items():
            gone = self.before.get(period, 0.0) + going - self.earlier.get(period, 0.0)
            if gone >= limit:
                return period, limit, gone
        return None

    def turn(self, *periods: str) -> None:
        """These periods begin anew: what was spent so far does not count for them."""
        self.earlier |= dict.fromkeys(periods, self.spent)

    def reserve(self, request: str, usd: float) -> None:
        """A request goes out that will cost about `usd`."""
        self.reserved[request] = usd

    def settle(self, request: str, usd: float | None) -> None:
        """A request is over; None where what it cost is not known."""
        self.reserved.pop(request, None)
        self.spent += usd or 0.0
