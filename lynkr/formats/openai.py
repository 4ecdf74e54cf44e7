"""What OpenAI's two wire formats share: errors, figures under two sets of names, data in URLs, cache marks."""

from __future__ import annotations

import json
from typing import Any

from lynkr.conversation import Cache
from lynkr.errors import LynkrError
from lynkr.events import Refusal
from lynkr.formats.refusals import BY_STATUS, by_words
from lynkr.formats.values import dump, dumps
from lynkr.formats.watch import count, member
from lynkr.usage import Usage, billed

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
    whole = count(figures, prompt)
    read = count(details, "cached_tokens") or count(figures, "prompt_cache_hit_tokens")
    # OpenRouter tells of some the same tokens as read and as written.
    written = min(count(details, "cache_write_tokens"), max(0, whole - read))
    out = count(figures, output)
    # Google's endpoint counts thoughts in the total alone.
    untold = max(0, count(figures, "total_tokens") - whole - out)
    return Usage(
        input=max(0, whole - read - written),
        cache_read=read,
        cache_write=written,
        output=out + untold,
        reasoning=untold + min(out, count(member(figures, f"{output}_details"), "reasoning_tokens")),
        extras=tier in _OTHER_RATES,
        billed=billed(figures),
    )


def data_url(url: str, mime: str) -> tuple[str, str | None, str | None]:
    """(type, base64 data, url) of what a URL shows: data where it holds it, else the URL. `mime` is the default."""
    if not url:
        return mime, None, None
    head, mark, data = url.partition(",")
    if not url.startswith("data:") or not mark:
        return mime, None, url
    return head[len("data:") :].partition(";")[0] or mime, data, None


def cache_mark(part: dict[str, Any]) -> Cache | None:
    """The cache breakpoint of a content part: OpenRouter's and Databricks' `cache_control`, or OpenAI's own."""
    marks = member(part, "cache_control")
    if marks:
        return "1h" if marks.get("ttl") == "1h" else "5m"
    return "5m" if part.get("prompt_cache_breakpoint") else None


_SAID = {
    "invalid": (400, "invalid_request_error", None),
    "context": (400, "invalid_request_error", "context_length_exceeded"),
    "authentication": (401, "invalid_request_error", "invalid_api_key"),
    "billing": (429, "insufficient_quota", "insufficient_quota"),
    "permission": (403, "invalid_request_error", None),
    "not_found": (404, "invalid_request_error", None),
    "conflict": (409, "invalid_request_error", None),
    "too_large": (413, "invalid_request_error", None),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "server": (500, "server_error", "server_error"),
    "timeout": (504, "server_error", "timeout"),
    "overloaded": (503, "server_error", "server_is_overloaded"),
}
_CODES = {
    "context_length_exceeded": "context",
    "insufficient_quota": "quota",
    "rate_limit_exceeded": "rate_limit",
    "invalid_api_key": "authentication",
    "model_not_found": "not_found",
    "server_is_overloaded": "overloaded",
    "exceed_context_size_error": "context",  # llama.cpp
    "authentication_error": "authentication",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "server_error": "server",
    "invalid_request_error": "invalid",
    "invalid_prompt": "invalid",
}


def refusal_body(refusal: Refusal) -> tuple[int, bytes]:
    """The status and body that say `refusal`."""
    status, kind, code = _SAID.get(refusal.kind, _SAID["server"])
    said = {"message": refusal.message, "type": kind, "param": None, "code": code or refusal.code}
    return status, dump({"error": said})


def failure_code(refusal: Refusal) -> str:
    """What the Responses API calls it inside a stream."""
    if refusal.kind == "timeout":
        return "server_error"
    _, _, code = _SAID.get(refusal.kind, _SAID["server"])
    return code or "invalid_prompt"


def read_refusal(body: dict[str, Any]) -> Refusal:
    """The refusal in an error's body or event; servers that speak after OpenAI shape it in several ways."""
    error = body.get("error", body)
    if isinstance(error, str):
        return Refusal("server", error)
    if not isinstance(error, dict):
        return Refusal("server", dumps(body))
    named = [str(error[name]) for name in ("code", "type") if error.get(name) is not None]
    message = error.get("message")
    kind = next((_CODES[name] for name in named if name in _CODES), None)
    if kind is None:
        numbers = [int(name) for name in named if name.isascii() and name.isdigit() and len(name) == 3]
        kind = next((BY_STATUS[number] for number in numbers if number in BY_STATUS), None)
        kind = kind or ("invalid" if any(400 <= number < 500 for number in numbers) else "server")
    words = message if isinstance(message, str) else dumps(error)
    return by_words(Refusal(kind, words, code=named[0] if named else None))
