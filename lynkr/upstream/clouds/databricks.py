"""Databricks: OAuth for a service principal (machine to machine).

DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET are exchanged at the workspace for a token of an hour
(docs.databricks.com, "OAuth M2M").
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from lynkr.errors import ConfigError, UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.ask import ask
from lynkr.upstream.catalog import Address, Way

VARIABLES = ("DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET")
# A token is renewed this long before its end: a request takes its time, and clocks differ.
_EARLY_S = 300.0


def find(lane: Lane, environ: Mapping[str, str]) -> Databricks | None:
    """The service principal in the environment; None where there is none. Raises ConfigError."""
    identity, secret = (environ.get(name, "").strip() for name in VARIABLES)
    if not (identity and secret and lane.base_url):
        return None
    found = Databricks(lane, identity, secret, environ)
    try:
        found.token()
    except UpstreamError as error:
        raise ConfigError(error.sentence.removeprefix("lynkr: ")) from error
    return found


class Databricks:
    """A token of the workspace's, renewed before it ends."""

    def __init__(self, lane: Lane, identity: str, secret: str, environ: Mapping[str, str]) -> None:
        self._lane, self._environ, self._lock = lane, environ, threading.Lock()
        self._basic = base64.b64encode(f"{identity}:{secret}".encode())
        self._token, self._until = "", 0.0

    def token(self) -> str:
        """A token that is valid now. Raises UpstreamError."""
        with self._lock:
            if time.monotonic() > self._until - _EARLY_S:
                self._renew()
            return self._token

    def _renew(self) -> None:
        parts = urlsplit(self._lane.base_url or "")
        where = Address(parts.scheme, parts.hostname or "", parts.port, "/oidc/v1/token")
        headers = [
            (b"Authorization", b"Basic " + self._basic),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ]
        body = b"grant_type=client_credentials&scope=all-apis"
        said = ask(self._lane, where, "POST", headers, body, environ=self._environ)
        token, seconds = said.json.get("access_token"), said.json.get("expires_in")
        if said.status != 200 or not isinstance(token, str):
            why = said.json.get("error_description") or said.json.get("error") or f"status {said.status}"
            raise UpstreamError(
                f"lynkr: lane '{self._lane.name}': Databricks does not take {' and '.join(VARIABLES)} ({why})",
                status=403,
                kind="login_expired",
            )
        self._token = token
        self._until = time.monotonic() + (float(seconds) if isinstance(seconds, int | float) else 3600.0)

    def headers(self, _method: str, _url: str, _body: bytes, _there: Way) -> list[tuple[bytes, bytes]]:
        """The token."""
        return [(b"Authorization", f"Bearer {self.token()}".encode())]
