"""What an error means where its provider's own code does not say it: by its status, and by words that many share."""

from __future__ import annotations

import re
from dataclasses import replace

from lynkr.events import Refusal

BY_STATUS = {
    400: "invalid",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    405: "not_found",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    424: "server",
    429: "rate_limit",
    500: "server",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
# Nothing but money mends the second, whatever code it comes under.
_WORDS = (
    ("context", re.compile(
        r"prompt is too long|input is too long|maximum context length|context (?:window|size|limit)|"
        r"context_length_exceeded|maximum prompt length|exceeds max length|maximum number of tokens|"
        r"context.*exceed|exceed.*(?:context|token limit)", re.IGNORECASE)),
    ("billing", re.compile(
        r"insufficient (?:balance|credits)|available credits|spending limit|no resource package", re.IGNORECASE)),
    ("authentication", re.compile(r"(?:incorrect|invalid) api key|invalid access token", re.IGNORECASE)),
)  # fmt: skip


def by_words(refusal: Refusal) -> Refusal:
    """A refusal, whose words may know its kind better than its code."""
    for kind, words in _WORDS:
        if words.search(refusal.message) and (kind == "billing" or refusal.kind in ("invalid", "server", "too_large")):
            return replace(refusal, kind=kind)
    return refusal
