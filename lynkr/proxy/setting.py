"""What a proxy is made of, as values: where it listens and whom it lets in, and each profile that it serves.

Nothing heavy is imported here: a session makes these before the proxy's own modules are there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lynkr.answers.settings import Bypassing, Caching
from lynkr.lane import Format
from lynkr.ledger.row import Row
from lynkr.routing.router import Router
from lynkr.routing.settings import Budget
from lynkr.secrets import Key
from lynkr.transforms.settings import OFF, Settings
from lynkr.upstream.clouds import Login

if TYPE_CHECKING:
    from lynkr.transforms.shaper import Change


@dataclass(frozen=True, slots=True)
class Door:
    """Where a proxy listens, and what opens it: the secret in the path, or in one of the `carriers` (header, what it
    would have held without lynkr)."""

    listener: socket.socket
    port: int
    secret: str
    carriers: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """A profile as it is to be served: its lanes with their keys, and who is told of what."""

    router: Router
    origins: Mapping[str, str]
    keys: Mapping[str, Key | Login | None]
    environ: Mapping[str, str]
    speaks: tuple[Format, ...]
    record: Callable[[Row], None]
    alarm: Callable[[str], None]
    now: Callable[[], str]
    new_id: Callable[[], str]
    compress: Settings = OFF
    keep: Callable[[Change, str], None] | None = None
    budget: Budget = field(default_factory=Budget)
    # What other sessions have spent, by period; called now and then, from another thread.
    spent: Callable[[], Mapping[str, float]] = dict
    healths: Path | None = None
    caching: Caching = field(default_factory=Caching)
    bypassing: Bypassing = field(default_factory=Bypassing)
    # The folder of answers that may be given again, and whose they are.
    shelf: Path | None = None
    profile: str = ""
