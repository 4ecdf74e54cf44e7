"""What a profile says of routing: plain values, read before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

OnExceed = Literal["warn", "downgrade", "stop"]
Who = Literal["main", "subagent", "title", "summary", "compaction", "probe", "classifier", "commit", "auxiliary"]
WHO: tuple[Who, ...] = get_args(Who)


class Rule(NamedTuple):
    """A rule of the user's: what all of its conditions hold for goes to `tier`, or down `lane`.

    `who` asks (main, subagent, title, …); `model` is a pattern of the model's name that was asked for; any of the
    `words` stands in the prompt; a `path` that the prompt or a call names fits the pattern; a `tool` was called whose
    name fits. `number` is its place in the profile, from 1.
    """

    number: int
    tier: str | None = None
    lane: str | None = None
    who: str | None = None
    model: str | None = None
    words: tuple[str, ...] = ()
    path: str | None = None
    tool: str | None = None


class Routing(NamedTuple):
    """`[route]`. `retries` on one lane, None for the usual: two where there is another lane to turn to, else none.

    `wait_s` is how long a lane that has no `timeout_s` may take to begin its answer where there is another. A lane that
    failed `breaker_failures` times in a row (0: however often) rests for `breaker_rest_s`, and longer each time.
    """

    mode: Literal["tiered", "off"] = "tiered"
    retries: int | None = None
    wait_s: float = 120.0
    breaker_failures: int = 3
    breaker_rest_s: float = 30.0
    models: Mapping[str, str] = MappingProxyType({})
    rules: tuple[Rule, ...] = ()


class Budget(NamedTuple):
    """`[budget]`, in USD at list prices; None is no limit."""

    session_usd: float | None = None
    day_usd: float | None = None
    month_usd: float | None = None
    on_exceed: OnExceed = "stop"

    @property
    def limits(self) -> dict[str, float]:
        """What is limited, by period: session, day, month."""
        all_ = {"session": self.session_usd, "day": self.day_usd, "month": self.month_usd}
        return {period: usd for period, usd in all_.items() if usd is not None}

    def lowered(self, other: Budget) -> Budget:
        """The lower of both in each period; `on_exceed` stays."""

        def least(one: float | None, two: float | None) -> float | None:
            return min((usd for usd in (one, two) if usd is not None), default=None)

        return Budget(
            least(self.session_usd, other.session_usd),
            least(self.day_usd, other.day_usd),
            least(self.month_usd, other.month_usd),
            self.on_exceed,
        )
