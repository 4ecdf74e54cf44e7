"""Errors in Anthropic's shape, and its own read (platform.claude.com, "Errors")."""

from __future__ import annotations

from typing import Any

from lynkr.errors import LynkrError
from lynkr.events import Refusal
from lynkr.formats.refusals import BY_STATUS, by_words
from lynkr.formats.values import dump, optional, text
from lynkr.formats.watch import member
from lynkr.framing import sse

# What each kind of refusal is called, and its status.
_SAID = {
    "invalid": (400, "invalid_request_error"),
    "context": (400, "invalid_request_error"),
    "authentication": (401, "authentication_error"),
    "billing": (402, "billing_error"),
    "permission": (403, "permission_error"),
    "not_found": (404, "not_found_error"),
    "conflict": (409, "conflict_error"),
    "too_large": (413, "request_too_large"),
    "rate_limit": (429, "rate_limit_error"),
    "quota": (429, "rate_limit_error"),
    "server": (500, "api_error"),
    "timeout": (504, "timeout_error"),
    "overloaded": (529, "overloaded_error"),
}
_KINDS = {name: kind for kind, (_, name) in reversed(_SAID.items())}
# Claude Code knows by these words that it has to compact, and gives up on anything else.
_TOO_LONG = "prompt is too long"


def error_body(error: LynkrError) -> bytes:
    """The JSON body of an error answer of ours."""
    return refusal_body(Refusal(BY_STATUS.get(error.status, "server"), error.sentence))[1]


def error_event(error: LynkrError) -> bytes:
    """The SSE event that ends a stream which cannot go on."""
    return sse.write("error", error_body(error))


def refusal_body(refusal: Refusal) -> tuple[int, bytes]:
    """The status and body that say `refusal`."""
    status, name = _SAID.get(refusal.kind, (500, "api_error"))
    message = refusal.message
    if refusal.kind == "context" and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    return status, dump({"type": "error", "error": {"type": name, "message": message}})


def refusal_event(refusal: Refusal) -> bytes:
    """The event that says `refusal` inside a stream."""
    return sse.write("error", refusal_body(refusal)[1])


def read_refusal(body: dict[str, Any]) -> Refusal:
    """The refusal in an error's body or event."""
    error = member(body, "error")
    message = text(error, "message")
    kind = _KINDS.get(text(error, "type"), "server")
    return by_words(Refusal(kind, message, code=optional(member(error, "details"), "error_code")))
