"""Logins at a cloud, for lanes that have no key: the user's own, found as that cloud's tools find it.

Each is an extra, imported only by the lane that needs it. What is found stays here: it is asked for once, before the
tool starts, so that an expired login is one sentence and no puzzle in the middle of the work.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol

from lynkr.errors import ConfigError
from lynkr.lane import Lane
from lynkr.upstream.catalog import Way, entry

DISTRIBUTION = "lynkr-cli"
# A login's name → the extra that brings its library, None where lynkr needs none.
EXTRAS: Mapping[str, str | None] = {"aws": "aws", "google": "google", "azure": "azure", "databricks": None}
NAMES = {"aws": "AWS", "google": "Google Cloud", "azure": "Azure", "databricks": "Databricks"}


class Login(Protocol):
    """A login that has been found. May be asked from any thread."""

    def headers(self, method: str, url: str, body: bytes, there: Way) -> list[tuple[bytes, bytes]]:
        """The headers that carry it for one request. Raises UpstreamError where it has expired."""
        ...


def login(lane: Lane, environ: Mapping[str, str]) -> Login | None:
    """The login that `lane` uses; None where nobody is logged in. Raises ConfigError: no library, or a broken login."""
    cloud = entry(lane.provider).cloud
    try:
        module = importlib.import_module(f"lynkr.upstream.clouds.{cloud}")
    except ImportError as error:
        if error.name is not None and error.name.startswith("lynkr"):
            raise
        raise ConfigError(
            f"lane {lane.name!r} uses the login of {NAMES[cloud]}, which needs the extra {EXTRAS[cloud]!r}: "
            f"pip install '{DISTRIBUTION}[{EXTRAS[cloud]}]', or '.[{EXTRAS[cloud]}]' in a checkout"
        ) from error
    found: Login | None = module.find(lane, environ)
    return found
