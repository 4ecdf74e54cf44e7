"""When two requests are the same question.

Exactly: when they ask the same model in the same words, with the same system prompt, tools, settings and history. Only
what names the occasion is left out: ids of user, session and turn, cache breakpoints, whether the answer is streamed,
and the line that Claude Code bills by. What a member means that is not known here, nobody can say, so it counts.

The key is one hash over all of it and over whose question it is: profile, lane, model and credential. So nothing can be
answered from another's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from lynkr.lane import Format

# Members that name the occasion, by format.
_OCCASION: Mapping[Format, frozenset[str]] = {
    Format.ANTHROPIC: frozenset(("metadata", "stream")),
    Format.OPENAI_CHAT: frozenset(("stream", "stream_options", "user", "metadata", "prompt_cache_key", "store",
                                   "safety_identifier")),
    Format.OPENAI_RESPONSES: frozenset(("stream", "client_metadata", "metadata", "user", "prompt_cache_key", "store",
                                        "safety_identifier")),
    Format.GEMINI: frozenset(("labels",)),
}  # fmt: skip
_BILLING = "x-anthropic-billing-header:"
# Headers that say what is asked.
_HEADERS = ("anthropic-version", "anthropic-beta", "openai-beta")


def exact_key(body: Mapping[str, Any], spoken: Format, whose: Iterable[str], named: Mapping[str, str]) -> str:
    """The name of a question: `whose` it is, what its headers `named` ask for, and its body without its occasion."""
    dropped = _OCCASION[spoken]
    asked = {name: _plain(value) for name, value in body.items() if name not in dropped}
    if spoken is Format.OPENAI_RESPONSES and isinstance(asked.get("input"), list):
        asked["input"] = [_without_id(item) for item in asked["input"]]
    said = [spoken, *whose, *(named.get(name, "") for name in _HEADERS)]
    text = json.dumps([said, asked], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """A value without cache breakpoints and Claude Code's billing line."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if name != "cache_control"}
    if isinstance(value, list):
        return [_plain(inner) for inner in value if not _bills(inner)]
    return value


def _bills(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("text", "")).startswith(_BILLING)


def _without_id(item: Any) -> Any:
    """An item of Codex' without the id that it gives to messages anew."""
    if not isinstance(item, dict) or item.get("type", "message") != "message":
        return item
    return {name: value for name, value in item.items() if name != "id"}
