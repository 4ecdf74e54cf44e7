"""What OpenAI's two wire formats share: their error body, and their figures under two sets of names."""

from __future__ import annotations

import json
from typing import Any

from lynkr.errors import LynkrError
from lynkr.events import Usage
from lynkr.formats.watch import count, member

# Billed at another rate than the list's: https://platform.openai.com/docs/pricing (flex, priority, batch).
_OTHER_RATES = ("flex", "priority", "batch")


def error_body(error: LynkrError) -> bytes:
    """The JSON body of an error answer."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    body = {"error": {"message": error.sentence, "type": kind, "param": None, "code": f"lynkr_{error.kind}"}}
    return json.dumps(body).encode()


def usage_of(figures: dict[str, Any], prompt: str, output: str, tier: object) -> Usage:
    """A `usage` object whose counts are called `prompt` and `output`, with details beside them.

    What was cached is part of the prompt. DeepSeek has a name of its own for it.
    """
    details = member(figures, f"{prompt}_details")
    read = count(details, "cached_tokens") or count(figures, "prompt_cache_hit_tokens")
    written = count(details, "cache_write_tokens")
    out = count(figures, output)
    return Usage(
        input=max(0, count(figures, prompt) - read - written),
        cache_read=read,
        cache_write=written,
        output=out,
        reasoning=min(out, count(member(figures, f"{output}_details"), "reasoning_tokens")),
        extras=tier in _OTHER_RATES,
    )
