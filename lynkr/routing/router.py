"""Which lanes a session has, for what, and in which order: a plain value, made before anything starts.

What follows from a request (who asks, how hard the work is, what leaving a warm lane costs) is `desk`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from lynkr.errors import ClientError
from lynkr.lane import Auth, Format, Lane
from lynkr.routing import TIERS
from lynkr.routing.settings import Routing

DEFAULT_TIER = "complex"


class Route(NamedTuple):
    """One answer to "where to": the lane, the tier it serves, and the reason in a few words."""

    lane: Lane
    tier: str
    why: str


class Router(NamedTuple):
    """`lanes` are all that may serve, preferred ones first; `tier` and `why` hold for what is not told apart.

    `tiers` are the lanes of each tier, in order; empty where all work goes the same way. A tier without lanes of its
    own has those of the next one above, or else below; where none of them can serve, whoever can.
    """

    lanes: Sequence[Lane]
    tier: str
    why: str
    tiers: Mapping[str, tuple[Lane, ...]] = MappingProxyType({})
    routing: Routing = Routing()

    def serving(self, spoken: Format | None, *, as_it_is: bool = False) -> tuple[Lane, ...]:
        """The lanes that can serve what speaks `spoken`. Raises ClientError where none can.

        `as_it_is` says that it cannot be translated, so that a lane must speak that format itself. None is what speaks
        no known format. It may carry a credential, so it goes down a lane only where there is no choice.
        """
        if spoken is None:
            if len(self.lanes) > 1:
                raise ClientError("lynkr: it cannot be told which provider this request is for; name one with --lane")
            return tuple(self.lanes)
        able = [lane for lane in self.lanes if lane.format_for(spoken)]
        if able and able[0].auth is not Auth.CLIENT:
            # The tool was started with a placeholder for a key: others that want its own would get that.
            able = [lane for lane in able if lane.auth is not Auth.CLIENT]
        if found := tuple(lane for lane in able if spoken in lane.formats or not as_it_is):
            return found
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

    def of_tier(self, tier: str, spoken: Format | None) -> tuple[Lane, ...]:
        """The lanes that serve `tier`, in order: its own, then those of the tiers above, which can do it as well.

        None for `spoken` leaves open what the tool will speak. Raises ClientError as `serving` does.
        """
        able = self.serving(spoken) if spoken else tuple(self.lanes)
        if not self.tiers:
            return able
        at = TIERS.index(tier)
        above = (lane for name in TIERS[at:] for lane in self.tiers.get(name, ()))
        below = (lane for name in reversed(TIERS[:at]) for lane in self.tiers.get(name, ()))
        # Nothing goes down a tier by itself, but for a tier that has nobody above it either.
        return _once(lane for lane in above if lane in able) or _once(lane for lane in below if lane in able) or able

    def chooses(self, spoken: Format | None) -> bool:
        """Whether a request that speaks `spoken` has to be looked into: its tiers begin with different lanes."""
        if spoken is None or not self.tiers:
            return False
        return len({self.of_tier(tier, spoken)[0].name for tier in TIERS}) > 1 or bool(self.routing.rules)

    def only(self, lanes: Sequence[Lane]) -> Router:
        """The same with no lane but `lanes`."""
        kept = {name: tuple(lane for lane in of if lane in lanes) for name, of in self.tiers.items()}
        return Router(tuple(lanes), self.tier, self.why, {n: of for n, of in kept.items() if of}, self.routing)


def router(
    lanes: Mapping[str, Lane],
    tiers: Mapping[str, Sequence[str]],
    routing: Routing | None = None,
    *,
    lane: str | None = None,
    tier: str | None = None,
) -> Router:
    """The router of a profile: `lane` pins one lane, `tier` a tier.

    A profile without tiers is served by its lanes in the order they stand in; one whose mode is off by the lanes of
    `complex`.
    """
    routing = routing or Routing()
    if lane is not None:
        return Router((lanes[lane],), tier or DEFAULT_TIER, "pinned by --lane", routing=routing)
    if tier is not None and tiers.get(tier):
        return Router(tuple(lanes[name] for name in tiers[tier]), tier, "pinned by --tier", routing=routing)
    named = tiers.get(DEFAULT_TIER) or next((tiers[name] for name in reversed(TIERS) if tiers.get(name)), None)
    why = "first lane of the tier" if named else "first lane of the profile"
    by_tier = {name: tuple(lanes[each] for each in tiers[name]) for name in TIERS if tiers.get(name)}
    ordered = tuple(lanes[name] for name in named or lanes)
    if routing.mode == "off" or (len(by_tier) < 2 and not routing.rules):
        return Router(ordered, DEFAULT_TIER, why, routing=routing)
    by_tier = by_tier or {DEFAULT_TIER: ordered}
    pinned = [lanes[rule.lane] for rule in routing.rules if rule.lane]
    every = _once([*ordered, *(each for of in by_tier.values() for each in of), *pinned])
    return Router(every, DEFAULT_TIER, why, by_tier, routing)


def _once(lanes: Iterable[Lane]) -> tuple[Lane, ...]:
    """The lanes, each where it stands first."""
    found: dict[str, Lane] = {}
    for lane in lanes:
        found.setdefault(lane.name, lane)
    return tuple(found.values())
