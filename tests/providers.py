"""Every provider of the catalog that has a host of its own, as its documents and its users' reports describe it.

Those of a cloud stand in tests/clouds.py. Errors are quoted as there: from the vendor's reference, or from the issue
whose number stands beside them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

from clouds import AMAZON, AZURE, BRICKS, GATEWAY, GOOGLE, MESSAGES, WAIT, anthropic_error, openai_error
from scripts import Asked
from strict import Described, Endpoint, Look, Refusing, needs, no_billing, only, said

_CHAT = (needs("messages"), no_billing)


def _lane(provider: str, base: str, model: str, *more: str) -> str:
    return "\n".join([f'provider = "{provider}"', f'base_url = "{{url}}{base}"', f'model = "{model}"', *more])


# --- OpenRouter: comments before everything, prices in the figures, errors with status 200 -----------------------------


def _router(status: int, words: str, means: str, *headers: str, wait: str | None = None, **metadata: str) -> Refusing:
    error: dict[str, Any] = {"code": status, "message": words} | ({"metadata": metadata} if metadata else {})
    return Refusing(status, {"error": error, "user_id": "user_2wT5"}, means, headers, wait)


_ROUTER = {
    # musistudio/claude-code-router#227, continuedev/continue#11154; a recording of pydantic-ai's
    "key": _router(401, "No auth credentials found", "credential"),
    "model": _router(400, "anthropic/claude-opus-4.8 is not a valid model ID", "invalid"),
    "rate": _router(429, "Provider returned error", "rate", f"Retry-After: {WAIT}", wait=WAIT, provider_name="Google",
                    raw="google/gemini-2.0-flash-exp:free is temporarily rate-limited upstream."),
    "quota": _router(402, "Insufficient credits. This account never purchased credits.", "final"),
    "context": _router(400, "This endpoint's maximum context length is 200000 tokens. However, you requested about "
                       "269030 tokens (237030 of text input, 32000 in the output).", "context"),
    "none": _router(503, "No allowed providers are available for the selected model.", "later"),
    # openrouter.ai/docs "Errors": when the model had begun, the status is 200 and the body the error.
    "begun": Refusing(200, {"error": {"code": 502, "message": "Provider returned error"}}, "later"),
}  # fmt: skip


def _routers_stream(at: int, event: dict[str, Any]) -> Iterable[bytes]:
    if at == 0:
        yield b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"
    if "usage" in event:
        event["usage"] |= {"cost": 0.000837, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.000837}}
    yield said(event | {"provider": "Amazon Bedrock"})


# --- DeepSeek, Moonshot, Z.ai, MiniMax ---------------------------------------------------------------------------------

_DEEPSEEK = {
    # continuedev/continue#11820, 1Panel-dev/MaxKB#3797, OEvortex/aether#31: the same shape on both its paths
    "key": openai_error(401, "Authentication Fails, Your api key: ****6789 is invalid", "authentication_error",
                        "invalid_request_error", "credential"),
    "model": openai_error(400, "Model Not Exist", "invalid_request_error", "invalid_request_error", "invalid"),
    "quota": openai_error(402, "Insufficient Balance", "unknown_error", "invalid_request_error", "final"),
    "invalid": openai_error(400, "The `reasoning_content` in the thinking mode must be passed back to the API.",
                            "invalid_request_error", "invalid_request_error", "invalid"),
    "context": openai_error(400, "This model's maximum context length is 131072 tokens. However, you requested 269030 "
                            "tokens (237030 in the messages, 32000 in the completion).", "invalid_request_error",
                            "invalid_request_error", "context"),
    "rate": openai_error(429, "Rate limit reached", "rate_limit_error", "rate_limit_error", "rate"),
}  # fmt: skip


def _deepseeks_stream(at: int, event: dict[str, Any]) -> Iterable[bytes]:
    """Signs of life while it waits, and figures that are null until the last chunk, which has a choice as well."""
    if at == 0:
        yield b": keep-alive\n\n"
    yield from _figures_with_the_last(at, event | {"usage": event.get("usage")})


def _figures_with_the_last(_: int, event: dict[str, Any]) -> Iterable[bytes]:
    if not event["choices"]:
        event["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    yield said(event)


def _no_custom_type(_: Asked, body: dict[str, Any]) -> str | None:
    kinds = [tool for tool in body.get("tools", []) if tool.get("type") == "custom"]
    return "tools[0].type: unknown variant `custom`" if kinds else None


def _thoughts_come_back(_: Asked, body: dict[str, Any]) -> str | None:
    """litellm sends a space where there were none: the least that is taken."""
    turns = [message for message in body["messages"] if message.get("tool_calls")]
    missing = [turn for turn in turns if not turn.get("reasoning_content")]
    return "The `reasoning_content` in the thinking mode must be passed back to the API." if missing else None


_MOONSHOT = {
    # kaichen/kimicc#20, MoonshotAI/Kimi-K2#5, MoonshotAI/kimi-cli#2011
    "key": Refusing(401, {"error": {"message": "Invalid Authentication", "type": "invalid_authentication_error"}}, "credential"),
    "model": Refusing(404, {"error": {"message": "Not found the model or Permission denied", "type": "resource_not_found_error"}}, "missing"),
    "quota": Refusing(403, {"error": {"message": "Your account is not active, exceeded current quota, please check your plan "
                                      "and billing details", "type": "exceeded_current_quota_error"}}, "credential"),
    "rate": Refusing(429, {"error": {"message": "Your account reached max request", "type": "rate_limit_reached_error"}}, "rate"),
    "context": Refusing(400, {"error": {"message": "Invalid request: Your request exceeded model token limit: 262144 "
                                        "(requested: 269030)", "type": "invalid_request_error"}}, "context"),
}  # fmt: skip


def _kimis_settings(_: Asked, body: dict[str, Any]) -> str | None:
    if body.get("tool_choice") == "required":
        return "tool_choice 'required' is not supported"
    return "invalid temperature: only 1 is allowed for this model" if body.get("temperature", 1) != 1 else None


def _zai(status: int, code: str, words: str, means: str) -> Refusing:
    return Refusing(status, {"error": {"code": code, "message": words}}, means)


_ZAI = {
    # docs.z.ai "API code"; zai-org/GLM-5#148: an empty account is a 429 as well; zeroclaw-labs/zeroclaw#4124
    "key": _zai(401, "1000", "Authentication Failed", "credential"),
    "model": _zai(400, "1211", "Unknown Model, please check the model code.", "invalid"),
    "rate": _zai(429, "1302", "High concurrency usage of this API, please reduce concurrency", "rate"),
    "quota": _zai(429, "1113", "Insufficient balance or no resource package. Please recharge.", "final"),
    "context": _zai(400, "1261", "Prompt exceeds max length", "context"),
}


def _zais_stream(_: int, event: dict[str, Any]) -> Iterable[bytes]:
    for choice in event["choices"]:
        choice["delta"] = {"role": "assistant"} | choice["delta"]
    yield from _figures_with_the_last(_, event)


_MINIMAX = {
    # nearai/ironclaw#1742, MiniMax-AI/MiniMax-M2#62: no money is a 500; MiniMax-AI/MiniMax-M2#119
    "key": anthropic_error(401, "authorized_error", "login fail: Please carry the API secret key in the 'Authorization' "
                           "field of the request header (1004)", "credential"),
    "quota": anthropic_error(500, "api_error", "insufficient balance (1008)", "final"),
    "rate": anthropic_error(429, "rate_limit_error", "rate limit exceeded (1002)", "rate"),
    "context": anthropic_error(400, "invalid_request_error", "invalid params, context window exceeds limit (2013)", "context"),
}  # fmt: skip

# --- Groq, xAI, Mistral ------------------------------------------------------------------------------------------------

_GROQ = {
    # console.groq.com/docs/errors; HunorLaczko/ha-groq-cloud-api#27; a recording of pydantic-ai's
    "key": openai_error(401, "Invalid API Key", "invalid_request_error", "invalid_api_key", "credential"),
    "model": openai_error(404, "The model `x` does not exist or you do not have access to it.", "invalid_request_error",
                          "model_not_found", "missing"),
    "rate": openai_error(429, "Rate limit reached for model `openai/gpt-oss-120b` on tokens per minute (TPM): Limit 8000, "
                         "Used 0, Requested 7900. Please try again in 6.5s.", "tokens", "rate_limit_exceeded", "rate",
                         f"retry-after: {WAIT}", "x-ratelimit-reset-tokens: 6.5s", wait=WAIT),
    # One request alone is more than a minute's allowance: it never gets through.
    "too-large": openai_error(413, "Request too large for model `openai/gpt-oss-120b` on tokens per minute (TPM): Limit 8000, "
                              "Requested 14368, please reduce your message size and try again.", "tokens",
                              "rate_limit_exceeded", "final"),
    "context": openai_error(400, "Please reduce the length of the messages or completion.", "invalid_request_error",
                            "context_length_exceeded", "context"),
}  # fmt: skip


def _groqs_stream(at: int, event: dict[str, Any]) -> Iterable[bytes]:
    """Chunks of one answer have ids of their own (a recording of pydantic-ai's)."""
    yield said(event | {"id": f"chatcmpl-{at}"} | ({"x_groq": {"id": "req_01"}} if at == 0 else {}))


def _xai(status: int, code: str, words: str, means: str) -> Refusing:
    """`error` is a text."""
    return Refusing(status, {"code": code, "error": words}, means)


_XAI = {
    # continuedev/continue#10778, #10373, cline/cline#3120; docs.x.ai "Debugging errors": a wrong key is a 400
    "key": _xai(400, "Client specified an invalid argument", "Incorrect API key provided: la***89. You can obtain an API key "
                "from https://console.x.ai.", "wrong-key"),
    "model": _xai(404, "Some requested entity was not found", "The model x does not exist or your team does not have access "
                  "to it.", "missing"),
    "quota": _xai(429, "Some resource has been exhausted", "Your team has either used all available credits or reached its "
                  "monthly spending limit.", "final"),
    "context": _xai(400, "Client specified an invalid argument", "This model's maximum prompt length is 131072 but the "
                    "request contains 269030 tokens.", "context"),
}  # fmt: skip


def _groks_settings(_: Asked, body: dict[str, Any]) -> str | None:
    """BerriAI/litellm#12635, lidge-jun/opencodex#5278: Claude Code's auto mode sends stop sequences."""
    refused = [name for name in ("stop", "presence_penalty", "frequency_penalty") if name in body]
    return f"Model grok-4.6 does not support parameter {refused[0]}." if refused else None


def _mistral(status: int, kind: str, code: str | None, words: Any, means: str) -> Refusing:
    return Refusing(status, {"object": "error", "message": words, "type": kind, "param": None, "code": code}, means)


_EXTRA = {"type": "extra_forbidden", "loc": ["body", "store"], "msg": "Extra inputs are not permitted", "input": False}
_MISTRAL = {
    # coolcline/CoolCline#36, editor-code-assistant/eca#231, raycast/extensions#31107
    "key": Refusing(401, {"message": "Unauthorized", "request_id": "933f2339"}, "credential"),
    "model": _mistral(400, "invalid_model", "1500", "Invalid model: x", "invalid"),
    "rate": _mistral(429, "rate_limited", "1300", "Rate limit exceeded", "rate"),
    "invalid": _mistral(422, "invalid_request_error", None, {"detail": [_EXTRA]}, "invalid"),
    "bare": Refusing(422, {"detail": [_EXTRA]}, "invalid"),
}  # fmt: skip


def _call_ids(_: Asked, body: dict[str, Any]) -> str | None:
    """nearai/ironclaw#1241, anomalyco/opencode#1680: code 3280"""
    ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls") or []]
    ids += [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    wrong = [one for one in ids if not re.fullmatch("[a-zA-Z0-9]{9}", one)]
    return f"Tool call id was {wrong[0]} but must be a-z, A-Z, 0-9, with a length of 9." if wrong else None


def _turns(_: Asked, body: dict[str, Any]) -> str | None:
    """charmbracelet/crush#279, pipecat-ai/pipecat-flows#178: code 3230"""
    roles = [message["role"] for message in body["messages"]]
    if ("tool", "user") in itertools.pairwise(roles):
        return "Unexpected role 'user' after role 'tool'"
    return None if roles[-1] in ("user", "tool") else "Expected last role User or Tool"


def _mistrals_members(_: Asked, body: dict[str, Any]) -> str | None:
    """charmbracelet/crush#1590"""
    extra = {name for m in body["messages"] for name in m} & {"reasoning_content", "cache_control", "name"}
    return f"{sorted(extra)}: Extra inputs are not permitted" if extra else None


def _groqs_members(_: Asked, body: dict[str, Any]) -> str | None:
    """CherryHQ/cherry-studio#11435, karthink/gptel#774, tashfeenahmed/freellmapi#1070"""
    extra = sorted(set(body) & {"verbosity", "reasoning", "store", "thinking"})
    extra += sorted({name for message in body["messages"] for name in message} & {"reasoning_content"})
    return f"property '{extra[0]}' is unsupported" if extra else None


_CHECKS: dict[str, tuple[Look, ...]] = {
    "moonshot": (_kimis_settings,),
    "groq": (_groqs_members,),
    "xai": (_groks_settings,),
    # Whatever it does not list is refused; this is what its reference and litellm list.
    "mistral": (only("model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "tools",
                     "tool_choice", "response_format", "parallel_tool_calls", "random_seed", "reasoning_effort",
                     "prompt_cache_key", "presence_penalty", "frequency_penalty", "n", "prediction", "safe_prompt"),
                _mistrals_members),
}  # fmt: skip

OTHERS = (
    Described(
        "openrouter",
        _lane("openrouter", "/api/v1", "anthropic/claude-opus-4.8"),
        "anthropic/claude-opus-4.8",
        "OPENROUTER_API_KEY",
        (
            Endpoint("openai-chat", "/api/v1/chat/completions", looks=_CHAT),
            Endpoint("anthropic", "/api/v1/messages", looks=MESSAGES[:2]),
            Endpoint("openai-responses", "/api/v1/responses", looks=(needs("input"),)),
        ),
        _ROUTER,
        _routers_stream,
    ),
    Described(
        "deepseek",
        _lane("deepseek", "/v1", "deepseek-v4-pro"),
        "deepseek-v4-pro",
        "DEEPSEEK_API_KEY",
        (Endpoint("openai-chat", "/v1/chat/completions", looks=_CHAT),),
        _DEEPSEEK,
        _deepseeks_stream,
    ),
    Described(
        "deepseek-anthropic",
        _lane("deepseek", "/anthropic", "deepseek-v4-pro", 'format = "anthropic"'),
        "deepseek-v4-pro",
        "DEEPSEEK_API_KEY",
        (Endpoint("anthropic", "/anthropic/v1/messages", looks=(*MESSAGES[:1], no_billing, _no_custom_type),
                  carries=("x-api-key",)),),
        _DEEPSEEK,
    ),
    Described(
        "moonshot",
        _lane("moonshot", "/v1", "kimi-k2.6"),
        "kimi-k2.6",
        "MOONSHOT_API_KEY",
        (
            Endpoint("openai-chat", "/v1/chat/completions", looks=(*_CHAT, *_CHECKS["moonshot"])),
            Endpoint("openai-responses", "/v1/responses", looks=(needs("input"),)),
        ),
        _MOONSHOT,
        _figures_with_the_last,
    ),
    Described(
        "moonshot-anthropic",
        _lane("moonshot", "/anthropic", "kimi-k2.6"),
        "kimi-k2.6",
        "MOONSHOT_API_KEY",
        (Endpoint("anthropic", "/anthropic/v1/messages", looks=(*MESSAGES[:1], no_billing)),),
        _MOONSHOT,
    ),
    Described(
        "zai",
        _lane("zai", "/api/paas/v4", "glm-5.3"),
        "glm-5.3",
        "ZAI_API_KEY",
        (Endpoint("openai-chat", "/api/paas/v4/chat/completions", looks=_CHAT),),
        _ZAI,
        _zais_stream,
    ),
    Described(
        "zai-anthropic",
        _lane("zai", "/api/anthropic", "glm-5.3"),
        "glm-5.3",
        "ZAI_API_KEY",
        (Endpoint("anthropic", "/api/anthropic/v1/messages", looks=(*MESSAGES[:1], no_billing)),),
        # MiniMax-AI/MiniMax-M2#6: the business code is the error's type
        {"key": anthropic_error(401, "1000", "Authentication Failed", "credential"),
         "quota": anthropic_error(429, "1113", "Insufficient balance or no resource package. Please recharge.", "final"),
         "rate": anthropic_error(429, "1302", "Rate limit reached for requests", "rate")},
    ),
    Described(
        "minimax-anthropic",
        _lane("minimax", "/anthropic", "MiniMax-M3"),
        "MiniMax-M3",
        "MINIMAX_API_KEY",
        (Endpoint("anthropic", "/anthropic/v1/messages", looks=(*MESSAGES[:1], no_billing)),),
        _MINIMAX,
    ),
    Described(
        "minimax",
        _lane("minimax", "/v1", "MiniMax-M3"),
        "MiniMax-M3",
        "MINIMAX_API_KEY",
        (
            Endpoint("openai-chat", "/v1/chat/completions", looks=_CHAT),
            Endpoint("openai-responses", "/v1/responses", looks=(needs("input"),)),
        ),
        # modelscope/modelscope#1691, stagewise-io/stagewise#1571: no money has many statuses
        {kind: _MINIMAX[kind] for kind in ("key", "rate")} | {
            "quota": Refusing(429, {"error": {"http_code": "429", "message": "insufficient balance (1008)",
                                              "type": "insufficient_balance_error"}}, "final")},
        _figures_with_the_last,
    ),
    Described(
        "groq",
        _lane("groq", "/openai/v1", "openai/gpt-oss-120b"),
        "openai/gpt-oss-120b",
        "GROQ_API_KEY",
        (Endpoint("openai-chat", "/openai/v1/chat/completions", looks=(*_CHAT, *_CHECKS["groq"])),),
        _GROQ,
        _groqs_stream,
    ),
    Described(
        "xai",
        _lane("xai", "/v1", "grok-4.6"),
        "grok-4.6",
        "XAI_API_KEY",
        (Endpoint("openai-chat", "/v1/chat/completions", looks=(*_CHAT, *_CHECKS["xai"])),),
        _XAI,
    ),
    Described(
        "mistral",
        _lane("mistral", "/v1", "devstral-medium-2512"),
        "devstral-medium-2512",
        "MISTRAL_API_KEY",
        (Endpoint("openai-chat", "/v1/chat/completions", looks=(*_CHAT, *_CHECKS["mistral"])),),
        _MISTRAL,
        _figures_with_the_last,
    ),
    Described(
        "custom",
        _lane("custom", "/team/v1", "house-model", 'format = "openai-chat"', 'key_env = "HOUSE_KEY"'),
        "house-model",
        "HOUSE_KEY",
        (Endpoint("openai-chat", "/team/v1/chat/completions", looks=_CHAT),),
        {"key": openai_error(401, "Who are you?", None, None, "credential"),
         "rate": Refusing(429, {"detail": "slow down"}, "rate", (f"Retry-After: {WAIT}",), WAIT)},
    ),
)  # fmt: skip

# What only conversations meet that began with another model: calls with its ids, without this one's thoughts.
ELSEWHERE: dict[str, tuple[Look, ...]] = {
    "mistral": (_call_ids, _turns),
    "deepseek": (_thoughts_come_back,),
    "moonshot": (_thoughts_come_back,),
}
PROVIDERS = (*AZURE, *AMAZON, *BRICKS, GATEWAY, *GOOGLE, *OTHERS)
