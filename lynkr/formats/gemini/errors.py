"""Errors in Google's shape (google.rpc.Status), and its own read."""

from __future__ import annotations

from typing import Any

from lynkr.errors import LynkrError
from lynkr.events import Refusal
from lynkr.formats.values import dicts, dump, text, whole
from lynkr.formats.watch import member

_SAID = {
    "invalid": (400, "INVALID_ARGUMENT"),
    "context": (400, "INVALID_ARGUMENT"),
    "authentication": (401, "UNAUTHENTICATED"),
    "billing": (403, "PERMISSION_DENIED"),
    "permission": (403, "PERMISSION_DENIED"),
    "not_found": (404, "NOT_FOUND"),
    "conflict": (409, "ABORTED"),
    "too_large": (413, "INVALID_ARGUMENT"),
    "rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "quota": (429, "RESOURCE_EXHAUSTED"),
    "server": (500, "INTERNAL"),
    "timeout": (504, "DEADLINE_EXCEEDED"),
    "overloaded": (503, "UNAVAILABLE"),
}
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
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    504: "DEADLINE_EXCEEDED",
}


def error_body(error: LynkrError) -> bytes:
    """The JSON body of an error answer of ours."""
    status = _STATUSES.get(error.status, "UNAVAILABLE")
    return dump({"error": {"code": error.status, "message": error.sentence, "status": status}})


def error_event(error: LynkrError) -> bytes:
    """What ends a stream which cannot go on.

    Bare JSON, no `data:`: Google's clients look for an error in what is no event. One in an event is taken for an
    answer without an end, and asked for three times more (gemini-cli 0.61.0 with SDK 1.30.0).
    """
    return error_body(error)


def refusal_body(refusal: Refusal) -> tuple[int, bytes]:
    """The status and body that say `refusal`."""
    code, status = _SAID.get(refusal.kind, _SAID["server"])
    error: dict[str, Any] = {"code": code, "message": refusal.message, "status": status}
    if refusal.retry_after and refusal.retry_after.replace(".", "", 1).isdigit():
        # Google's clients look here and not at the header.
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        error["details"] = [{"@type": kind, "retryDelay": f"{refusal.retry_after}s"}]
    return code, dump({"error": error})


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
