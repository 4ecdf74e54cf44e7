"""Whose name a lane acts in: its key, the user's login at a cloud, or nobody's.

A key is looked for in the keyring entry that the lane names, then in the environment; where a provider is a cloud that
the user may be logged in to, that login is the last resort. All of it happens before the tool starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lynkr.errors import ConfigError
from lynkr.lane import Auth, Lane
from lynkr.secrets import Key
from lynkr.secrets.store import Store
from lynkr.upstream.catalog import entry
from lynkr.upstream.clouds import NAMES, Login, login

# Of a cloud's login: variables that hold a key for nothing else but its models.
OF_LOGINS = {"databricks": ("DATABRICKS_CLIENT_SECRET",)}


class FoundCredential(NamedTuple):
    """A credential, and in words where it was found."""

    credential: Key | Login | None
    source: str


def variables(lane: Lane) -> tuple[str, ...]:
    """The environment variables that may hold the key of `lane`, first hit wins."""
    return (lane.key_env,) if lane.key_env else entry(lane.provider).key_env


def kept_as(lane: Lane) -> str:
    """The name of the keyring entry that holds the key of `lane`."""
    return lane.key or lane.provider


def find(lane: Lane, store: Store, environ: Mapping[str, str]) -> FoundCredential:
    """The credential of `lane`. Raises ConfigError where it needs one and there is none."""
    if lane.auth is Auth.CLIENT:
        return FoundCredential(None, "the tool's own credential")
    if lane.auth is Auth.NONE:
        return FoundCredential(None, "no credential")
    problem = ""
    if lane.auth is Auth.KEY:
        if found := store.get(kept_as(lane)):
            key, place = found
            return FoundCredential(key, f"key {kept_as(lane)!r} from {place}")
        for name in variables(lane):
            if given := Key.read(environ.get(name, ""), f"{name} (lane {lane.name!r})"):
                return FoundCredential(given, f"key from {name}")
        problem = store.problem
    cloud = entry(lane.provider).cloud
    if cloud:
        try:
            if logged_in := login(lane, environ):
                return FoundCredential(logged_in, f"the login of {NAMES[cloud]}")
        except ConfigError as error:
            if lane.auth is Auth.CLOUD:
                raise
            problem = error.sentence
    raise ConfigError(_nothing(lane, cloud, problem))


_LOG_IN = {
    "aws": "log in to AWS (aws configure, aws sso login, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    "google": "log in to Google Cloud: gcloud auth application-default login",
    "azure": "log in to Azure: az login",
    "databricks": "set DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET",
}


def _nothing(lane: Lane, cloud: str, problem: str) -> str:
    names = " or ".join(variables(lane))
    ways = [f"store one with: lynkr key set {kept_as(lane)}", f"set {names} in the environment" if names else ""]
    ways = [way for way in ways if way] if lane.auth is Auth.KEY else []
    ways += [_LOG_IN[cloud]] if cloud else []
    what = "needs a key" if lane.auth is Auth.KEY else f"needs a login at {NAMES[cloud]}"
    why = f" ({problem})" if problem else ""
    return f"lane {lane.name!r} {what}{why}: {', or '.join(ways)}"
