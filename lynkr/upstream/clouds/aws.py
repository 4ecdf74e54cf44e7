"""AWS: the standard credential chain, and signature version 4, both botocore's.

The chain is the one of AWS's own tools: variables, the shared files and their profiles, SSO, a container's or a
machine's role. What it finds is renewed by itself as long as it can be.
"""

from __future__ import annotations

from collections.abc import Mapping

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import botocore.session

from lynkr.errors import ConfigError, UpstreamError
from lynkr.lane import Lane
from lynkr.upstream.catalog import Way

_LOG_IN = "log in again (aws sso login, or renew the keys), or give the lane a Bedrock API key: lynkr key set"


def find(lane: Lane, _environ: Mapping[str, str]) -> AWS | None:
    """The user's AWS credentials; None where the chain finds none. Raises ConfigError."""
    try:
        session = botocore.session.Session()
        credentials = session.get_credentials()
        region = lane.region or session.get_config_variable("region")
        if credentials is None:
            return None
        # Expired ones are found out here, and not by the first request.
        credentials.get_frozen_credentials()
    except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
        raise ConfigError(
            f"lane {lane.name!r}: the AWS login cannot be used ({error}); {_LOG_IN} {lane.name}"
        ) from error
    if not region:
        raise ConfigError(f'lane {lane.name!r} needs a region to sign for, such as region = "us-east-1"')
    return AWS(lane.name, credentials, region)


class AWS:
    """Signs requests as the user."""

    def __init__(self, lane: str, credentials: botocore.credentials.Credentials, region: str) -> None:
        self._lane, self._credentials, self._region = lane, credentials, region

    def headers(self, method: str, url: str, body: bytes, there: Way) -> list[tuple[bytes, bytes]]:
        """The signature's headers, over host, date, token and body."""
        request = botocore.awsrequest.AWSRequest(method=method, url=url, data=body)
        try:
            frozen = self._credentials.get_frozen_credentials()
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise UpstreamError(f"lynkr: lane '{self._lane}': the AWS login has ended ({error}); {_LOG_IN}",
                                status=403, kind="login_expired") from error  # fmt: skip
        botocore.auth.SigV4Auth(frozen, there.service, self._region).add_auth(request)
        return [(name.encode(), value.encode()) for name, value in request.headers.items()]
