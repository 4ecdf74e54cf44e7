"""Time and ids, passed in, so that whoever conducts a request need not look at the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """`ms` counts up, `now` is RFC 3339, `new_id` an id that sorts by time."""

    ms: Callable[[], float]
    now: Callable[[], str]
    new_id: Callable[[], str]
