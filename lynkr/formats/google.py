"""What Google's APIs have in common: how they refuse (google.rpc.Status)."""

from __future__ import annotations

from typing import Any

from lynkr.events import Refusal
from lynkr.formats.values import dicts, text, whole
from lynkr.formats.watch import member

_KINDS = {
    "INVALID_ARGUMENT": "invalid",
    "FAILED_PRECONDITION": "invalid",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "ABORTED": "conflict",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "INTERNAL": "server",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
}


def read_refusal(body: dict[str, Any]) -> Refusal:
    """The refusal in an error's body or chunk."""
    error = member(body, "error")
    status, message = text(error, "status"), text(error, "message")
    kind = _KINDS.get(status, "server")
    details = error.get("details")
    wait = next(
        (text(detail, "retryDelay") for detail in dicts(details if isinstance(details, list) else [])
         if text(detail, "retryDelay")), "")  # fmt: skip
    if kind == "invalid" and "token count" in message.lower() and "exceeds" in message.lower():
        kind = "context"
    if kind == "invalid" and "api key not valid" in message.lower():
        kind = "authentication"
    return Refusal(kind, message, whole(error, "code"), status or None, wait.removesuffix("s") or None)
