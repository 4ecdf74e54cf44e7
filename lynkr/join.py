"""A tool started by a tool: it comes along in the session that is running, through the same proxy.

A session leaves a note in its folder that says what it serves. Where that serves the new tool as well, the tool is
started on it and takes our place; where it does not, because it needs a lane whose key the session has not read or goes
to another address without lynkr, it gets a session of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lynkr.errors import LynkrError
from lynkr.lane import Auth, Lane
from lynkr.launch.launch import Launch, child_environment
from lynkr.paths import paths, private_folder, write_private
from lynkr.plan import Options, Plan, call_of, launch_of, reachable, without_credentials
from lynkr.running import running
from lynkr.upstream.catalog import entry

NOTE = "session.json"


class Joined(NamedTuple):
    """What the tool is started with, in our place."""

    argv: tuple[str, ...]
    environment: dict[str, str]


def note(planned: Plan, launch: Launch) -> str:
    """What a session says of itself to those who come after; of variables only addresses that it has changed."""
    lanes = planned.router.lanes
    served = [lane.name for lane in lanes if lane.name in planned.held or lane.auth in (Auth.CLIENT, Auth.NONE)]
    environ = planned.options.environ
    before = {name: environ[name] for name in launch.set if environ.get(name, "").startswith(("http://", "https://"))}
    return json.dumps({
        "profile": planned.profile.name, "lane": planned.options.lane, "tier": planned.options.tier,
        "served": served, "origins": dict(launch.origins), "before": before,
    })  # fmt: skip


def join(options: Options) -> Joined | Options:
    """The start of a tool within the session that its environment names; or what a session of its own begins with."""
    environ = options.environ
    where = paths(environ)
    identity, url = environ.get("LYNKR_SESSION", ""), urlsplit(environ.get("LYNKR_URL", ""))
    folder = next((each.folder for each in running(where) if each.id == identity), None)
    said = _said(folder)
    secret = url.path.strip("/")
    if folder is None or said is None or not url.port or not secret:
        return options._replace(nested=True)
    # What led the first tool here is not where this one would have gone.
    outside = {name: value for name, value in environ.items() if name == "LYNKR_URL" or secret not in value}
    outside |= said.get("before", {})
    alone = options._replace(nested=True, environ=outside)
    try:
        within = alone._replace(profile=said["profile"], lane=said["lane"], tier=said["tier"])
        planned = without_credentials(within)
        lanes = reachable(planned.router, planned.tool)
        if not {lane.name for lane in lanes} <= set(said["served"]):
            return alone
        own = private_folder(folder / f"joined-{os.getpid()}")
        call = call_of(planned, url.port, secret, own)
        launch = launch_of(planned, call)
        if _elsewhere(lanes, launch.origins, said["origins"]):
            return alone
        put(launch)
    except (LynkrError, OSError, KeyError, TypeError):
        # Whatever it is, a session of its own finds it too, and says so.
        return alone
    return Joined(launch.argv, child_environment(call, launch, identity, ()))


def _elsewhere(lanes: list[Lane], mine: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """Whether this tool's own credential would go to another address than the session's first tool has."""
    names = {entry(lane.provider).origin or lane.provider for lane in lanes if lane.auth is Auth.CLIENT}
    return any(mine.get(name) != theirs.get(name) for name in names)


def put(launch: Launch) -> None:
    """Writes what a tool is to read, into the session's own folder."""
    for path, text in launch.files.items():
        private_folder(path.parent)
        write_private(path, text)
    for path, real in launch.links.items():
        path.symlink_to(real)


def _said(folder: Path | None) -> dict[str, Any] | None:
    try:
        value = json.loads((folder / NOTE).read_text("utf-8")) if folder else None
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
