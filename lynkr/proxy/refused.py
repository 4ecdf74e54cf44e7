"""What a tool is told when its lane does not take the lane's own credential, or the session has none for it.

The provider's words mean the tool's login there, which has nothing to do with it: Claude Code answers a 401 by asking
for a login, for three minutes. So the tool gets a 403, which it does not repeat, and a sentence about the lane.
"""

from __future__ import annotations

from dataclasses import replace

from lynkr.errors import ClientError
from lynkr.events import Refusal
from lynkr.lane import Auth, Lane

# Statuses that are about who asks.
ABOUT_CREDENTIALS = frozenset((401, 403))
# Statuses that asking again does not change.
FINAL = ABOUT_CREDENTIALS | {402, 404}


def about_the_lane(refusal: Refusal, lane: Lane, status: int) -> Refusal:
    """The refusal of a credential that is not the tool's, told as the lane's; any other as it is."""
    about = status in ABOUT_CREDENTIALS or refusal.kind == "authentication"  # Google says 400 of a wrong key
    if lane.auth is Auth.CLIENT or not about:
        return refusal
    entry = lane.key or lane.provider
    # Claude Code takes these words for its own login, whatever stands around them.
    words = " ".join(refusal.message.split()).replace("x-api-key", "API key")[:300] or "no word"
    if lane.auth is Auth.NONE:
        what, way = "asks for a key", f'store one with: lynkr key set {entry}, and say key = "{entry}" in the profile'
    elif status != 403:
        what, way = "does not take the lane's credential", f"check it with: lynkr key test {entry}"
    else:
        what, way = "does not let the lane's credential do this", f"see what it may do with: lynkr key test {entry}"
    message = f"lynkr: lane '{lane.name}': {lane.provider} {what} ({status}: {words}); {way}"
    return replace(refusal, kind="permission", message=message, code="lynkr_lane_credential", status=status)


def no_credential(lane: Lane) -> ClientError:
    """A request for a lane whose credential this session has no business with."""
    return ClientError(
        f"lynkr: lane '{lane.name}' has a credential of its own that this session has not read, because the tool it "
        f"was started for does not use it; start this one with: lynkr run --nested",
        status=403,
        kind="no_credential",
    )
