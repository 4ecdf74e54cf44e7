"""From a plan to what the proxy serves, for a session of its own and for a proxy that stands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from datetime import time as clock
from typing import TYPE_CHECKING

from lynkr.errors import LynkrError
from lynkr.ids import ulid
from lynkr.kept import Kept, Made
from lynkr.ledger.stamp import stamp
from lynkr.paths import Paths
from lynkr.plan import Plan
from lynkr.transforms.settings import OFF

if TYPE_CHECKING:
    from lynkr.ledger.row import Row
    from lynkr.proxy.setting import Setting
    from lynkr.transforms.shaper import Change


def now() -> str:
    """This moment as RFC 3339 in UTC, to the millisecond."""
    return stamp(datetime.now(UTC))


def new_id() -> str:
    """An id that sorts by time."""
    return ulid(time.time_ns() // 1_000_000, os.urandom(10))


def setting_of(
    plan: Plan, identity: str, record: Callable[[Row], None], say: Callable[[str], None], origins: Mapping[str, str]
) -> Setting:
    """What `plan` is to be served as, in the session called `identity`; `origins` is where a tool would have gone."""
    from lynkr.proxy.setting import Setting

    return Setting(
        router=plan.router,
        origins=origins,
        keys={name: held.credential for name, held in plan.held.items()},
        environ=plan.options.environ,
        speaks=plan.tool.SPEAKS,
        record=record,
        alarm=say,
        now=now,
        new_id=new_id,
        compress=plan.compress,
        keep=_keeping(plan, identity, say),
        budget=plan.budget,
        spent=lambda: _spent(plan.where, plan.profile.name, identity),
        healths=plan.where.healths,
        caching=plan.profile.caching,
        bypassing=plan.profile.bypassing,
        shelf=plan.where.answers,
        profile=plan.profile.name,
    )


def _spent(where: Paths, profile: str, identity: str) -> dict[str, float]:
    """What other sessions have spent with this profile, today and this month, by the local calendar."""
    from lynkr.ledger.store import Ledger

    # As local times, so that a day begins with the offset of its own midnight.
    today = datetime.combine(datetime.now().astimezone().date(), clock.min)
    begins = {"day": today.astimezone(), "month": today.replace(day=1).astimezone()}
    try:
        with Ledger(where.ledger) as ledger:
            return {
                period: ledger.spent(profile, begin.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), identity)
                for period, begin in begins.items()
            }
    except LynkrError:
        return {}  # the recorder says what is wrong with the ledger


def _keeping(plan: Plan, identity: str, say: Callable[[str], None]) -> Callable[[Change, str], None] | None:
    """Keeps what was compressed. A disk that is full costs a warning, once, and no request."""
    kept, failed = Kept(plan.where.kept), list[OSError]()
    if plan.compress == OFF:
        return None
    if not kept.usable():
        say(f"{kept.folder} cannot be written to: tool results keep what could not be had back")
        return None

    def keep(change: Change, request: str) -> None:
        try:
            kept.put(change.id, change.before)
            kept.note(identity, Made(request, change.id, change.label, tuple(change.cuts), change.after))
        except OSError as error:
            if not failed:
                say(f"originals of compressed results cannot be kept in {kept.folder}: {error.strerror}")
            failed.append(error)

    return keep
