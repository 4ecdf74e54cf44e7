"""Which lane a request is sent down, and why.

One lane a session for now: the first of a tier's lanes that speaks the client's format. `direct` names a lane for each
provider, so the format alone decides there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lynkr.errors import ClientError
from lynkr.lane import Format, Lane

TIERS = ("simple", "medium", "complex", "reasoning")
DEFAULT_TIER = "complex"


@dataclass(frozen=True, slots=True)
class Route:
    """One answer to "where to": the lane, the tier it serves, and the reason in a few words."""

    lane: Lane
    tier: str
    why: str


@dataclass(frozen=True, slots=True)
class Router:
    """Chooses among `lanes`, a tier's in order of preference; `why` says how they came to be the choice."""

    lanes: Sequence[Lane]
    tier: str
    why: str

    def plan(self, spoken: Format | None, *, as_it_is: bool = False) -> Route:
        """The route of a request that speaks `spoken`. Raises ClientError where no lane understands it.

        `as_it_is` says that it cannot be translated, so that a lane must speak that format itself. None is what speaks
        no known format. It may carry a credential, so it goes down a lane only where there is no choice.
        """
        if spoken is None:
            if len(self.lanes) > 1:
                raise ClientError("lynkr: it cannot be told which provider this request is for; name one with --lane")
            return Route(self.lanes[0], self.tier, self.why)
        for lane in self.lanes:
            if spoken in lane.formats or (not as_it_is and lane.format_for(spoken)):
                return Route(lane, self.tier, self.why)
        if as_it_is:
            raise ClientError(
                f"lynkr: no lane of this session speaks {spoken}, and what this path asks for cannot be translated",
                status=404,
                kind="not_translated",
            )
        known = "; ".join(f"lane '{lane.name}' speaks {' and '.join(lane.formats)}" for lane in self.lanes)
        raise ClientError(
            f"lynkr: this request speaks {spoken} and carries the tool's own credential, which no lane of the profile "
            f"can use ({known}); give a lane a key of its own, or run with --profile direct",
            kind="format_not_spoken",
        )


def router(
    lanes: Mapping[str, Lane], tiers: Mapping[str, Sequence[str]], *, lane: str | None = None, tier: str | None = None
) -> Router:
    """The router of a profile: `lane` pins one lane, `tier` a tier; otherwise the tier `complex` serves all.

    A profile without tiers is served by its lanes in the order they stand in.
    """
    if lane is not None:
        return Router((lanes[lane],), tier or DEFAULT_TIER, "pinned by --lane")
    if tier is not None and tiers.get(tier):
        return Router(tuple(lanes[name] for name in tiers[tier]), tier, "pinned by --tier")
    named = tiers.get(DEFAULT_TIER) or next((tiers[name] for name in reversed(TIERS) if tiers.get(name)), None)
    why = "first lane of the tier" if named else "first lane of the profile"
    return Router(tuple(lanes[name] for name in named or lanes), DEFAULT_TIER, why)
