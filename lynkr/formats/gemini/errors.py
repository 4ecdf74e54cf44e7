"""Errors in Google's shape (google.rpc.Status), written."""

from __future__ import annotations

from typing import Any

from lynkr.errors import LynkrError
from lynkr.events import Refusal
from lynkr.formats.values import dump

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
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    504: "DEADLINE_EXCEEDED",
}


# Longer than five minutes, and gemini-cli 0.61.0 gives up at once instead of trying ten times.
_NEVER = "3600"


def _retry_info(seconds: str) -> dict[str, str]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"}


def error_body(error: LynkrError) -> bytes:
    """The JSON body of an error answer of ours."""
    status = _STATUSES.get(error.status, "UNAVAILABLE")
    said: dict[str, Any] = {"code": error.status, "message": error.sentence, "status": status}
    if status == "UNAVAILABLE" and not error.retry:
        said["details"] = [_retry_info(_NEVER)]
    return dump({"error": said})


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
    if refusal.kind == "quota":
        error["details"] = [_retry_info(_NEVER)]
    elif refusal.retry_after and refusal.retry_after.replace(".", "", 1).isdigit():
        # Google's clients look here and not at the header.
        error["details"] = [_retry_info(refusal.retry_after)]
    return code, dump({"error": error})
