"""AWS Signature Version 4, from the receiving side: what AWS does with a request before it looks at anything else.

Written from the specification alone (docs.aws.amazon.com, "Create a signed AWS API request"), in the words that it uses,
so that a signer here is held against something that it was not made from.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
# How far a request's clock may be off.
SKEW_S = 15 * 60
_UNRESERVED = "-._~"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<id>[^/,\s]+)/(?P<scope>[^,\s]+), ?"
    r"SignedHeaders=(?P<signed>[^,\s]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
Headers = Sequence[tuple[str, str]]


class Unsigned(Exception):
    """Why a request is not signed as it must be."""


def canonical_uri(target: str, *, service: str) -> str:
    """The path as it stands on the wire, encoded once more; S3 alone takes it as it is and keeps dots and slashes."""
    path = target.partition("?")[0] or "/"
    if service == "s3":
        return quote(unquote_to_bytes(path), safe="/" + _UNRESERVED)
    return quote(_normalized(path).encode("utf-8", "surrogateescape"), safe="/" + _UNRESERVED)


def _normalized(path: str) -> str:
    """RFC 3986, section 5.2.4, and no empty segments."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    ends = path.endswith(("/", "/.", "/..")) and kept
    return "/" + "/".join(kept) + ("/" if ends else "")


def canonical_query(target: str) -> str:
    """Names and values encoded, then sorted by code point."""
    pairs = [pair.partition("=") for pair in target.partition("?")[2].split("&") if pair]
    encoded = [(_encoded(name), _encoded(value)) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


def canonical_headers(headers: Headers, signed: Sequence[str]) -> str:
    """A line for each signed header: lower case, trimmed, runs of spaces as one, values of one name joined by commas."""
    lines = []
    for name in signed:
        values = [" ".join(value.split()) for key, value in headers if key.lower() == name]
        if not values:
            raise Unsigned(f"the signed header {name} is not there")
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def canonical_request(
    method: str, target: str, headers: Headers, signed: Sequence[str], payload: str, service: str
) -> str:
    uri, query = canonical_uri(target, service=service), canonical_query(target)
    return "\n".join([method, uri, query, canonical_headers(headers, signed), ";".join(signed), payload])


def string_to_sign(at: str, scope: str, request: str) -> str:
    return "\n".join([ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()])


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def verify(
    method: str,
    target: str,
    headers: Headers,
    body: bytes,
    *,
    region: str,
    service: str,
    secret: str,
    now: datetime | None = None,
) -> str:
    """The access key id that signed the request. Raises Unsigned where it is not signed so that AWS takes it."""
    authorization = _only(headers, "authorization")
    found = _AUTHORIZATION.fullmatch(authorization)
    if found is None:
        raise Unsigned(f"Authorization is not of the form that is documented: {authorization.partition(' ')[0]}")
    at = _only(headers, "x-amz-date")
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    if found["scope"] != scope:
        raise Unsigned(f"Credential should be scoped to {scope}, not {found['scope']}")
    _in_time(at, now)
    signed = found["signed"].split(";")
    _all_signed(headers, signed)
    payload = hashlib.sha256(body).hexdigest()
    if any(name.lower() == "x-amz-content-sha256" for name, _ in headers) and (
        _only(headers, "x-amz-content-sha256") != payload
    ):
        raise Unsigned("x-amz-content-sha256 is not the body's hash")
    request = canonical_request(method, target, headers, signed, payload, service)
    key = signing_key(secret, at[:8], region, service)
    signature = hmac.new(key, string_to_sign(at, scope, request).encode(), "sha256").hexdigest()
    if not hmac.compare_digest(signature, found["signature"]):
        raise Unsigned(f"the signature does not match; the canonical request is\n{request}")
    return found["id"]


def _only(headers: Headers, name: str) -> str:
    values = [value for key, value in headers if key.lower() == name]
    if len(values) != 1:
        raise Unsigned(f"{len(values)} headers {name}")
    return values[0]


def _in_time(at: str, now: datetime | None) -> None:
    try:
        said = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Unsigned(f"x-amz-date {at!r} is not ISO 8601 basic format") from error
    off = (now or datetime.now(UTC)) - said
    if abs(off.total_seconds()) > SKEW_S:
        raise Unsigned(f"signature expired: {at} is {off} off")


def _all_signed(headers: Headers, signed: Sequence[str]) -> None:
    if list(signed) != sorted({name.lower() for name in signed}):
        raise Unsigned(f"SignedHeaders are to be lower case, sorted, each once: {signed}")
    # The host and everything of Amazon's own have to be; `connection` and the like are for the next hop only.
    must = {"host"} | {name.lower() for name, _ in headers if name.lower().startswith("x-amz-")}
    if missing := must - set(signed):
        raise Unsigned(f"not signed: {', '.join(sorted(missing))}")
    if hop := {"connection", "keep-alive", "te", "transfer-encoding", "upgrade", "expect"} & set(signed):
        raise Unsigned(f"signed, though it ends at the next hop: {', '.join(sorted(hop))}")
