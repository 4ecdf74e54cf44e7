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
    asked = {name: _unmarked(value, name) for name, value in body.items() if name not in dropped}
    if isinstance(asked.get("system"), list):
        asked["system"] = [block for block in asked["system"] if not _bills(block)]
    if spoken is Format.OPENAI_RESPONSES and isinstance(asked.get("input"), list):
        asked["input"] = [_without_id(item) for item in asked["input"]]
    said = [spoken, *whose, *(named.get(name, "") for name in _HEADERS)]
    text = json.dumps([said, asked], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# Where a breakpoint may stand: in a block, which stands in one of these.
_BLOCKS = frozenset(("system", "messages", "tools", "content", "input"))


def _unmarked(value: Any, name: str) -> Any:
    """A value without the cache breakpoints of its blocks; what a call or a schema holds is nobody's breakpoint."""
    if name not in _BLOCKS or not isinstance(value, list):
        return value
    return [
        {key: _unmarked(inner, key) for key, inner in block.items() if key != "cache_control"}
        if isinstance(block, dict)
        else block
        for block in value
    ]


def _bills(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("text", "")).startswith(_BILLING)


def _without_id(item: Any) -> Any:
    """An item of Codex' without the id that it gives to messages anew."""
    if not isinstance(item, dict) or item.get("type", "message") != "message":
        return item
    return {name: value for name, value in item.items() if name != "id"}
