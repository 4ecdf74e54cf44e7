"""When two requests are the same question.

Exactly: when they ask the same model in the same words, with the same system prompt, tools, settings and history. Only
what names the occasion is left out: ids of user, session and turn, cache breakpoints, whether the answer is streamed,
and the line that Claude Code bills by. What a member or a header means that is not known here, nobody can say, so it
counts.

The key is one hash over all of it and over whose question it is: profile, lane, model and credential. So nothing can be
answered from another's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lynkr.conversation import BILLING
from lynkr.lane import Format

# Members that name the occasion, by format.
_OCCASION: Mapping[Format, frozenset[str]] = {
    Format.ANTHROPIC: frozenset(("metadata", "stream")),
    Format.OPENAI_CHAT: frozenset(("stream", "stream_options", "user", "metadata", "prompt_cache_key",
                                   "safety_identifier")),
    Format.OPENAI_RESPONSES: frozenset(("stream", "client_metadata", "metadata", "user", "prompt_cache_key",
                                        "safety_identifier")),
    Format.GEMINI: frozenset(("labels",)),
}  # fmt: skip
# Headers that name the occasion, or belong to the connection. Whatever else there is may say whose the question is, or
# what is asked: gateways have names of their own for both.
_TRAVELS = re.compile(
    r"host|connection|content-length|content-type|content-encoding|transfer-encoding|accept|accept-(?:encoding|language)"
    r"|user-agent|date|expect|te|origin|referer|sec-fetch-[a-z]+|traceparent|tracestate|baggage|x-request-id"
    r"|x-client-request-id|idempotency-key|x-stainless-[a-z0-9-]+|x-claude-code-[a-z-]+|x-codex-[a-z-]+|x-app"
    r"|session[-_]id|thread[-_]id|x-session-id|originator|version|anthropic-dangerous-direct-browser-access"
    r"|x-goog-api-client|x-initiator"
)


# What makes an answer more than its text, or the question more than its body.
_MORE = frozenset((
    "n", "logprobs", "top_logprobs", "modalities", "audio", "background", "previous_response_id",
    "conversation", "prediction", "web_search_options", "cachedContent",
))  # fmt: skip
# Within what Gemini calls the configuration of an answer.
_MORE_CONFIGURED = frozenset(("candidateCount", "responseLogprobs", "logprobs", "responseModalities", "speechConfig"))


def asks_for_more(body: Mapping[str, Any]) -> bool:
    """Whether a question asks for more than a text, or from more than its body."""
    return "safeguards" in body or any(body.get(name) for name in _MORE)


def is_plain(body: Mapping[str, Any], spoken: Format) -> bool:
    """Whether a question asks for text alone, from nothing but its body, and wants it to be kept nowhere."""
    if spoken not in _OCCASION or asks_for_more(body):
        return False
    # A provider that is to remember its answer must have given one; OpenAI's Responses do unless they are told not to.
    if body.get("store", spoken is Format.OPENAI_RESPONSES):
        return False
    configured = body.get("generationConfig")
    return not (isinstance(configured, dict) and any(configured.get(name) for name in _MORE_CONFIGURED))


def exact_key(body: Mapping[str, Any], spoken: Format, whose: Iterable[str], named: Mapping[str, str]) -> str:
    """The name of a question: `whose` it is, what its headers `named` ask for, and its body without its occasion."""
    dropped = _OCCASION[spoken]
    asked = {name: _unmarked(value, name) for name, value in body.items() if name not in dropped}
    if isinstance(asked.get("system"), list):
        asked["system"] = [block for block in map(_unbilled, asked["system"]) if block is not None]
    if spoken is Format.OPENAI_RESPONSES and isinstance(asked.get("input"), list):
        asked["input"] = [_without_id(item) for item in asked["input"]]
    told = sorted((name, value) for name, value in named.items() if not _TRAVELS.fullmatch(name))
    # Members in their order: a model fills a schema from the top.
    text = json.dumps([[spoken, *whose, told], asked], separators=(",", ":"))
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


def _unbilled(block: Any) -> Any:
    """A block without the line that Claude Code bills by; None where it was that line alone."""
    if not isinstance(block, dict) or not str(block.get("text", "")).startswith(BILLING):
        return block
    rest = str(block["text"]).partition("\n")[2]
    return {**block, "text": rest} if rest else None


def _without_id(item: Any) -> Any:
    """An item of Codex' without the id that it gives to messages anew."""
    if not isinstance(item, dict) or item.get("type", "message") != "message":
        return item
    return {name: value for name, value in item.items() if name != "id"}
