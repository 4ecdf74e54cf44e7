"""A tool started by a tool: it comes along in the session that is running, through the same proxy.

A session leaves a note in its folder that says what it serves. Where that serves the new tool as well, the tool is
started on it and takes our place; where it does not, because it needs a lane whose key the session has not read or goes
to another address without lynkr, it gets a session of its own.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lynkr.errors import LynkrError
from lynkr.launch.launch import Launch, child_environment
from lynkr.paths import Paths, paths, private_folder, write_private
from lynkr.plan import Options, Plan, call_of, launch_of, reachable, without_credentials

NOTE = "session.json"


@dataclass(frozen=True, slots=True)
class Joined:
    """What the tool is started with, in our place."""

    argv: tuple[str, ...]
    environment: dict[str, str]


def note(planned: Plan, launch: Launch) -> str:
    """What a session says of itself to those who come after."""
    served = [lane.name for lane in planned.router.lanes if lane.name in planned.held]
    return json.dumps({
        "profile": planned.profile.name, "lane": planned.options.lane, "tier": planned.options.tier,
        "served": served, "origins": dict(launch.origins),
    })  # fmt: skip


def join(options: Options) -> Joined | None:
    """The start of a tool within the session that its environment names; None where it needs one of its own."""
    environ = options.environ
    where = paths(environ)
    identity, url = environ.get("LYNKR_SESSION", ""), urlsplit(environ.get("LYNKR_URL", ""))
    folder = _folder(where, identity)
    said = _said(folder)
    secret = url.path.strip("/")
    if folder is None or said is None or not url.port or not secret:
        return None
    try:
        # What led the first tool here is not where this one would have gone.
        outside = {name: value for name, value in environ.items() if name == "LYNKR_URL" or secret not in value}
        within = replace(options, profile=said["profile"], lane=said["lane"], tier=said["tier"], nested=True,
                         environ=outside)  # fmt: skip
        planned = without_credentials(within)
        if not {lane.name for lane in reachable(planned.router, planned.tool)} <= set(said["served"]):
            return None
        own = private_folder(folder / f"joined-{os.getpid()}")
        call = call_of(planned, url.port, secret, own)
        launch = launch_of(planned, call)
        if any(said["origins"].get(provider) != origin for provider, origin in launch.origins.items()):
            return None
        put(launch)
    except (LynkrError, OSError, KeyError, TypeError):
        # Whatever it is, a session of its own finds it too, and says so.
        return None
    return Joined(launch.argv, child_environment(call, launch, identity, ()))


def put(launch: Launch) -> None:
    """Writes what a tool is to read, into the session's own folder."""
    for path, text in launch.files.items():
        private_folder(path.parent)
        write_private(path, text)
    for path, real in launch.links.items():
        path.symlink_to(real)


def _folder(where: Paths, identity: str) -> Path | None:
    if not identity.isalnum() or not where.sessions.is_dir():
        return None
    return next(where.sessions.glob(f"*-{identity}"), None)


def _said(folder: Path | None) -> dict[str, Any] | None:
    try:
        value = json.loads((folder / NOTE).read_text("utf-8")) if folder else None
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
