"""Google Cloud: application default credentials, found and renewed by google-auth."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import google.auth
import google.auth.exceptions
import google.auth.transport.requests

from lynkr.errors import ConfigError, UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.catalog import Way

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_LOG_IN = "log in again: gcloud auth application-default login"


def find(lane: Lane, _environ: Mapping[str, str]) -> Google | None:
    """The user's application default credentials; None where there are none. Raises ConfigError."""
    try:
        credentials, _ = google.auth.default(scopes=_SCOPES)
        found = Google(lane.name, credentials)
        found.renew()
    except google.auth.exceptions.DefaultCredentialsError:
        return None
    except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
        raise ConfigError(
            f"lane {lane.name!r}: the Google Cloud login cannot be used ({_first(error)}); {_LOG_IN}"
        ) from error
    return found


class Google:
    """A token of the user's, renewed before it ends."""

    def __init__(self, lane: str, credentials: google.auth.credentials.Credentials) -> None:
        self._lane, self._credentials, self._lock = lane, credentials, threading.Lock()

    def renew(self) -> None:
        """Asks for a new token where the one at hand has ended, or is about to."""
        with self._lock:
            if not self._credentials.valid:
                self._credentials.refresh(google.auth.transport.requests.Request())

    def headers(self, _method: str, _url: str, _body: bytes, _there: Way) -> list[tuple[bytes, bytes]]:
        """The token, and the project that pays where the login names one."""
        try:
            self.renew()
        except (google.auth.exceptions.GoogleAuthError, OSError) as error:
            raise UpstreamError(
                f"lynkr: lane '{self._lane}': the Google Cloud login has ended ({_first(error)}); {_LOG_IN}",
                status=403, kind="login_expired",
            ) from error  # fmt: skip
        sent = [(b"Authorization", f"Bearer {self._credentials.token}".encode())]
        payer = getattr(self._credentials, "quota_project_id", None)
        return [*sent, (b"X-Goog-User-Project", payer.encode())] if payer else sent


def _first(error: Exception) -> str:
    """The first thing that an error says: google-auth adds the answer that it got."""
    return str(error.args[0] if error.args else error)[:200]
