"""Microsoft Entra ID: the user's Azure login, found and renewed by azure-identity."""

from __future__ import annotations

import logging  # noqa: TID251 - to keep the library from writing there
from collections.abc import Mapping

import azure.core.exceptions
import azure.identity

from lynkr.errors import ConfigError, UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.catalog import Way, entry

_LOG_IN = "log in again: az login"
# What it would say on stderr of each link of its chain is told in one sentence of ours.
logging.getLogger("azure.identity").setLevel(logging.CRITICAL + 1)


def find(lane: Lane, _environ: Mapping[str, str]) -> Entra | None:
    """The user's Azure login; None where nobody is logged in. Raises ConfigError."""
    # A browser window is no place to send somebody who has just started a coding tool.
    credential = azure.identity.DefaultAzureCredential(exclude_interactive_browser_credential=True)
    found = Entra(lane.name, credential, entry(lane.provider).scope)
    try:
        found.token()
    except azure.identity.CredentialUnavailableError:
        return None
    except azure.core.exceptions.AzureError as error:
        # The chain says of each of its links why it did not serve; whether one was broken or all are absent.
        if "failed to retrieve a token from the included credentials" in str(error).lower():
            return None
        raise ConfigError(f"lane {lane.name!r}: the Azure login cannot be used ({_first(error)}); {_LOG_IN}") from error
    return found


class Entra:
    """A token of the user's; azure-identity keeps it and renews it."""

    def __init__(self, lane: str, credential: azure.identity.DefaultAzureCredential, scope: str) -> None:
        self._lane, self._credential, self._scope = lane, credential, scope

    def token(self) -> str:
        """A token that is valid now."""
        return self._credential.get_token(self._scope).token

    def headers(self, _method: str, _url: str, _body: bytes, _there: Way) -> list[tuple[bytes, bytes]]:
        """The token."""
        try:
            return [(b"Authorization", f"Bearer {self.token()}".encode())]
        except azure.core.exceptions.AzureError as error:
            raise UpstreamError(
                f"lynkr: lane '{self._lane}': the Azure login has ended ({_first(error)}); {_LOG_IN}",
                status=403, kind="login_expired",
            ) from error  # fmt: skip


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
