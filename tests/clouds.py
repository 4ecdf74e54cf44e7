"""The clouds of the catalog as their documents and their users' reports describe them: Azure, Amazon, Databricks, Google.

Each error is one that somebody was given: the vendor's error reference, or an issue that quotes it (their numbers are in
the comments). Where sources disagree about what is refused, it is not refused here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scripts import Asked
from strict import (
    Described,
    Endpoint,
    Look,
    Refusing,
    header,
    needs,
    no_billing,
    no_scope,
    no_server_tools,
    not_betas,
    only,
    said,
    walk,
    without,
)

WAIT = "7"


def anthropic_error(status: int, kind: str, words: str, means: str, *headers: str, wait: str | None = None) -> Refusing:
    body = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_011CSx"}
    return Refusing(status, body, means, headers, wait)


def openai_error(
    status: int, words: str, kind: Any, code: Any, means: str, *headers: str, wait: str | None = None
) -> Refusing:
    return Refusing(
        status, {"error": {"message": words, "type": kind, "param": None, "code": code}}, means, headers, wait
    )


def _aws(status: int, name: str, words: str, means: str, member: str = "message") -> Refusing:
    kind = f"x-amzn-ErrorType: {name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return Refusing(status, {member: words}, means, (kind, "x-amzn-RequestId: 0ba6383d"))


def _google(status: int, name: str, words: str, means: str, *details: Any, listed: bool = False, wait: str | None = None) -> Refusing:  # fmt: skip
    error: dict[str, Any] = {"code": status, "message": words, "status": name}
    body = {"error": error | ({"details": list(details)} if details else {})}
    return Refusing(status, [body] if listed else body, means, wait=wait)


TOO_LONG = anthropic_error(
    400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", "context"
)
MESSAGES: tuple[Look, ...] = (needs("max_tokens", "messages"), header("anthropic-version"), no_billing, no_scope)
RATE = anthropic_error(429, "rate_limit_error", "This request would exceed your rate limit.", "rate", f"retry-after: {WAIT}", wait=WAIT)  # fmt: skip

# --- Azure ------------------------------------------------------------------------------------------------------------

_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active "
    "subscription and use a correct regional API endpoint for your resource."
)
_NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please "
    "wait a moment and try again."
)
_AZURES: dict[str, Refusing] = {
    # SciSharp/BotSharp#386, NousResearch/hermes-agent#47812, anthropics/claude-code#67179
    "key": Refusing(401, {"error": {"code": "401", "message": _DENIED}}, "credential", ("apim-request-id: 7",)),
    "model": openai_error(404, _NO_DEPLOYMENT, "invalid_request_error", "DeploymentNotFound", "missing"),
    "route": Refusing(404, {"error": {"code": "404", "message": "Resource not found"}}, "missing"),
}
_TOKENS = (
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate "
    "limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds."
)
_LONG_CHAT = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 269030 tokens. Please "
    "reduce the length of the messages."
)
_AZURE_OPENAI = _AZURES | {
    # openai/openai-python#937, alex-wolf-ps/dbchatprov2#2; the milliseconds are Azure's own header.
    "rate": Refusing(429, {"error": {"code": "429", "message": _TOKENS}}, "rate", ("retry-after-ms: 6200",), WAIT),
    "rate-seconds": Refusing(429, {"error": {"code": "429", "message": _TOKENS}}, "rate", (f"Retry-After: {WAIT}",), WAIT),
    "context": openai_error(400, _LONG_CHAT, "invalid_request_error", "context_length_exceeded", "context"),
    "filter": Refusing(
        400,
        {
            "error": {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
            }
        },
        "invalid",
    ),
}  # fmt: skip


def _azures_stream(at: int, event: dict[str, Any]) -> Iterable[bytes]:
    """Annotations of the content filter first, in a chunk without choices, and beside every delta."""
    if at == 0:
        results = [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}]
        yield said({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": results})
    for choice in event["choices"]:
        choice["content_filter_results"] = {}
    yield said(event)


AZURE = (
    Described(
        "azure-anthropic",
        'provider = "azure-anthropic"\nbase_url = "{url}"\nmodel = "claude-opus-4-8"',
        "claude-opus-4-8",
        "ANTHROPIC_FOUNDRY_API_KEY",
        (Endpoint("anthropic", "/anthropic/v1/messages", looks=(*MESSAGES, not_betas(
            "fine-grained-tool-streaming-2025-05-14", "fast-mode-2026-02-01", "advisor-tool-2026-03-01",
            "token-efficient-tools-2025-02-19")), carries=("x-api-key", "api-key")),),
        _AZURES | {"rate": RATE, "context": TOO_LONG},
    ),
    Described(
        "azure-openai",
        'provider = "azure-openai"\nbase_url = "{url}"\nmodel = "gpt-5.5"',
        "gpt-5.5",
        "AZURE_OPENAI_API_KEY",
        (
            Endpoint("openai-responses", "/openai/v1/responses", looks=(needs("input"),), carries=("api-key",)),
            Endpoint("openai-chat", "/openai/v1/chat/completions", looks=(needs("messages"),), carries=("api-key",)),
        ),
        _AZURE_OPENAI,
        _azures_stream,
    ),
    Described(
        "azure-openai-legacy",
        'provider = "azure-openai"\nbase_url = "{url}"\nmodel = "gpt-4.1"\napi_version = "2024-10-21"',
        "gpt-4.1",
        "AZURE_OPENAI_API_KEY",
        (Endpoint("openai-chat", "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21",
                  looks=(needs("messages"),), carries=("api-key",)),),
        _AZURE_OPENAI,
        _azures_stream,
    ),
)  # fmt: skip

# --- Amazon -----------------------------------------------------------------------------------------------------------

_BEDROCKS = {
    # ai4s-research/open-science#53 (with a capital M), anthropics/claude-code#28032, #536; botocore's list of exceptions
    "key": _aws(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.", "credential", "Message"),
    "expired": _aws(403, "ExpiredTokenException", "The security token included in the request is expired", "credential"),
    "access": _aws(403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", "credential"),
    "model": _aws(400, "ValidationException", "The provided model identifier is invalid.", "invalid"),
    "gone": _aws(404, "ResourceNotFoundException", "This model version has reached the end of its life.", "missing"),
    "rate": _aws(429, "ThrottlingException", "Too many tokens, please wait before trying again.", "rate"),
    "busy": _aws(503, "ServiceUnavailableException", "Bedrock is unable to process your request.", "later"),
    "quota": _aws(400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", "final"),
    "context": _aws(400, "ValidationException", "Input is too long for requested model.", "context"),
    "route": _aws(404, "UnknownOperationException", "", "missing"),
}  # fmt: skip
_MANTLES = {
    # obra/lace#355: any id that is not the bare one is a 404
    "key": anthropic_error(401, "authentication_error", "Invalid bearer token", "credential"),
    "model": anthropic_error(404, "not_found_error", "model: us.anthropic.claude-opus-4-8", "missing"),
    "rate": anthropic_error(429, "rate_limit_error", "Too many tokens, please wait before trying again.", "rate"),
    "context": TOO_LONG,
}
# litellm's allow-list: anything else is "Extra inputs are not permitted".
_INVOKE = only(
    "anthropic_version", "max_tokens", "messages", "anthropic_beta", "system", "stop_sequences", "temperature", "top_p",
    "top_k", "tools", "tool_choice", "thinking", "metadata", "output_config", "safeguards", "context_management",
)  # fmt: skip
# botocore, bedrock-runtime: ConverseRequest.
_CONVERSE = only(
    "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields",
    "promptVariables", "additionalModelResponseFieldPaths", "requestMetadata", "performanceConfig", "serviceTier",
    "outputConfig",
)  # fmt: skip
_NOT_AMAZONS = not_betas(
    "prompt-caching-scope-2026-01-05", "fast-mode-2026-02-01", "advisor-tool-2026-03-01", "mcp-client-2025-11-20",
    "advanced-tool-use-2025-11-20", "files-api-2025-04-14", "skills-2025-10-02",
)  # fmt: skip
_SERVER_TOOLS = no_server_tools("web_search_", "web_fetch_", "code_execution_", "advisor_")


def _version_in_body(_: Asked, body: dict[str, Any]) -> str | None:
    said = body.get("anthropic_version")
    return None if said in ("bedrock-2023-05-31", "2026-10-21") else f"anthropic_version is {said}"


def _no_clear_thinking(_: Asked, body: dict[str, Any]) -> str | None:
    found = any(str(edit.get("type", "")).startswith("clear_thinking") for edit in walk(body))
    return "context_management.edits.0: clear_thinking_20251015 is not supported" if found else None


def _bedrock(
    name: str, model: str, *endpoints: Endpoint, refuses: dict[str, Refusing] = _BEDROCKS, more: str = ""
) -> Described:
    lane = f'provider = "bedrock"\nregion = "eu-west-1"\nbase_url = "{{url}}"\nmodel = "{model}"\n{more}'
    return Described(name, lane, model, "AWS_BEARER_TOKEN_BEDROCK", endpoints, refuses)


_CLAUDE_AT_INVOKE = (needs("max_tokens", "messages"), _INVOKE, _version_in_body, _no_clear_thinking, _NOT_AMAZONS, no_scope,
                     no_billing, _SERVER_TOOLS)  # fmt: skip
AMAZON = (
    _bedrock(
        "bedrock-mantle",
        "anthropic.claude-opus-4-8",
        Endpoint("anthropic", "/anthropic/v1/messages", looks=(
            *MESSAGES, without("anthropic_version", "anthropic_beta"), _NOT_AMAZONS, _SERVER_TOOLS)),
        refuses=_MANTLES,
    ),
    _bedrock(
        "bedrock-invoke",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        Endpoint("bedrock-invoke", "/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke-with-response-stream",
                 "/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke", _CLAUDE_AT_INVOKE),
    ),
    _bedrock(
        "bedrock-converse",
        "amazon.nova-pro-v1:0",
        Endpoint("bedrock-converse", "/model/amazon.nova-pro-v1:0/converse-stream", "/model/amazon.nova-pro-v1:0/converse",
                 (needs("messages"), _CONVERSE, no_billing)),
    ),
    _bedrock(
        "bedrock-converse-claude",
        "eu.anthropic.claude-opus-4-8",
        Endpoint("bedrock-converse", "/model/eu.anthropic.claude-opus-4-8/converse-stream",
                 "/model/eu.anthropic.claude-opus-4-8/converse", (needs("messages"), _CONVERSE, no_billing)),
        refuses={},
        more='format = "bedrock-converse"',
    ),
    _bedrock(
        "bedrock-openai",
        "openai.gpt-oss-120b",
        Endpoint("openai-chat", "/v1/chat/completions", looks=(needs("messages"), no_billing)),
        refuses={},
        more='format = "openai-chat"',
    ),
)  # fmt: skip

# --- Databricks -------------------------------------------------------------------------------------------------------


def _databricks(status: int, code: str, words: str, means: str, *headers: str, wait: str | None = None) -> Refusing:
    return Refusing(status, {"error_code": code, "message": words}, means, headers, wait)


_BRICKS = {
    # databricks-demos/dbdemos#220, #244; databricks-sdk errors/deserializer
    "key": _databricks(403, "403", "Invalid access token. [ReqId: 4081305c]", "credential"),
    "permission": _databricks(403, "PERMISSION_DENIED", "User does not have permission CAN_QUERY on endpoint.", "credential"),
    "model": _databricks(404, "RESOURCE_DOES_NOT_EXIST", "Endpoint with name 'x' does not exist.", "missing"),
    "rate": _databricks(429, "REQUEST_LIMIT_EXCEEDED", "Exceeded workspace input tokens per minute rate limit.", "rate",
                        f"Retry-After: {WAIT}", wait=WAIT),
    "invalid": _databricks(400, "BAD_REQUEST", "Bad request: json: unknown field \"store\"\n", "invalid"),
}  # fmt: skip


def _bricks_stream(_: int, event: dict[str, Any]) -> Iterable[bytes]:
    """Figures in every chunk, unasked, and null but in the last (spiceai/spiceai#6600)."""
    if event["choices"]:
        last = event["choices"][0]["finish_reason"] is not None
        event["usage"] = {"prompt_tokens": 900, "completion_tokens": 12 if last else None, "total_tokens": None}
    yield said(event)


# Unknown members are refused (databricks/databricks-sdk-py#1263, langchain-ai/langchain#13699); these are litellm's list.
_LISTED = ("model", "messages", "stream", "max_tokens", "temperature", "top_p", "top_k", "stop", "n", "tools", "tool_choice",
           "response_format", "logprobs", "top_logprobs", "service_tier")  # fmt: skip


def _claude_tools(_: Asked, body: dict[str, Any]) -> str | None:
    """tidyverse/ellmer#548, #1108"""
    strict = [tool for tool in body.get("tools", []) if "strict" in tool["function"]]
    return "tools.0.custom.strict: Extra inputs are not permitted" if strict else None


# No reasoning_effort (maximhq/bifrost#6958) and no stream_options (anomalyco/opencode#4698).
_CLAUDE_CHAT = Endpoint("openai-chat", "/serving-endpoints/chat/completions", looks=(
    needs("messages"), no_billing, only(*_LISTED, "thinking"), _claude_tools))  # fmt: skip
_CLAUDE_MESSAGES = Endpoint("anthropic", "/serving-endpoints/anthropic/v1/messages", looks=(
    *MESSAGES, without("container"), _SERVER_TOOLS, not_betas("prompt-caching-scope-2026-01-05")))  # fmt: skip

BRICKS = (
    Described(
        "databricks-claude",
        'provider = "databricks"\nbase_url = "{url}"\nmodel = "databricks-claude-sonnet-4-5"',
        "databricks-claude-sonnet-4-5",
        "DATABRICKS_TOKEN",
        (_CLAUDE_MESSAGES, _CLAUDE_CHAT),
        _BRICKS,
        _bricks_stream,
    ),
    Described(
        "databricks-claude-chat",
        'provider = "databricks"\nbase_url = "{url}"\nformat = "openai-chat"\nmodel = "databricks-claude-sonnet-4-5"',
        "databricks-claude-sonnet-4-5",
        "DATABRICKS_TOKEN",
        (_CLAUDE_CHAT,),
        _BRICKS,
        _bricks_stream,
    ),
    Described(
        "databricks-gpt-oss",
        'provider = "databricks"\nbase_url = "{url}"\nmodel = "databricks-gpt-oss-120b"',
        "databricks-gpt-oss-120b",
        "DATABRICKS_TOKEN",
        (Endpoint("openai-chat", "/serving-endpoints/chat/completions", looks=(
            needs("messages"), no_billing, only(*_LISTED, "reasoning_effort", "stream_options"))),),
        _BRICKS,
        _bricks_stream,
    ),
)  # fmt: skip

# The newer gateway has models by three names (docs.databricks.com, "AI Gateway").
GATEWAY = Described(
    "databricks-gateway",
    'provider = "databricks"\nbase_url = "{url}/ai-gateway/anthropic"\nmodel = "system.ai.claude-sonnet-4-5"',
    "system.ai.claude-sonnet-4-5",
    "DATABRICKS_TOKEN",
    (Endpoint("anthropic", "/ai-gateway/anthropic/v1/messages", looks=_CLAUDE_MESSAGES.looks),),
    {},
)

# --- Google -----------------------------------------------------------------------------------------------------------

_NO_TOKEN = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_NO_MODEL = (
    "Publisher Model `projects/my-project/locations/global/publishers/anthropic/models/x` was not found or your project "
    "does not have access to it."
)
_QUOTA = (
    "Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model with base "
    "model: anthropic-claude-opus-4."
)
_EXPIRED = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "ACCESS_TOKEN_EXPIRED",
    "domain": "googleapis.com",
}
_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{WAIT}s"}
_VERTEX = {
    # Aider-AI/aider#1912, cline/cline#651: a stream's error is a list of one; genkit-ai/genkit#4688
    "key": _google(401, "UNAUTHENTICATED", _NO_TOKEN, "credential", _EXPIRED),
    "permission": _google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied.", "credential"),
    "model": _google(404, "NOT_FOUND", _NO_MODEL, "missing"),
    "model-listed": _google(404, "NOT_FOUND", _NO_MODEL, "missing", listed=True),
    "rate": _google(429, "RESOURCE_EXHAUSTED", _QUOTA, "rate", _RETRY, wait=WAIT),
    "rate-listed": _google(429, "RESOURCE_EXHAUSTED", _QUOTA, "rate", listed=True),
    "key-listed": _google(401, "UNAUTHENTICATED", _NO_TOKEN, "credential", listed=True),
}


def _version_at_vertex(_: Asked, body: dict[str, Any]) -> str | None:
    said = body.get("anthropic_version")
    return None if said in ("vertex-2023-10-16", "2026-10-21") else f"anthropic_version is {said}"


def _vertex(name: str, model: str, region: str, endpoint: Endpoint, refuses: dict[str, Refusing]) -> Described:
    lane = 'provider = "vertex"\nproject = "my-project"\nbase_url = "{url}"\nmodel = "' + model + '"\n'
    lane += f'region = "{region}"' if region != "global" else ""
    return Described(name, lane, model, "", (endpoint,), refuses)


_AT_GOOGLE = "/v1/projects/my-project/locations/{}/publishers/{}/models/{}:{}"
GOOGLE = (
    _vertex(
        "vertex-claude",
        "claude-sonnet-4-5@20250929",
        "europe-west1",
        Endpoint(
            "vertex-anthropic",
            _AT_GOOGLE.format("europe-west1", "anthropic", "claude-sonnet-4-5@20250929", "streamRawPredict"),
            _AT_GOOGLE.format("europe-west1", "anthropic", "claude-sonnet-4-5@20250929", "rawPredict"),
            (needs("max_tokens", "messages"), without("model", "anthropic_beta"), _version_at_vertex, no_scope, no_billing,
             not_betas("effort-2025-11-24", "fine-grained-tool-streaming-2025-05-14", "advanced-tool-use-2025-11-20",
                       "prompt-caching-scope-2026-01-05", "fast-mode-2026-02-01"),
             no_server_tools("web_fetch_", "code_execution_", "advisor_")),
        ),
        # langchain-ai/langchain-google#1234: 413 and not 400
        _VERTEX | {"context": anthropic_error(413, "invalid_request_error", "Prompt is too long", "context")},
    ),
    _vertex(
        "vertex-gemini",
        "gemini-3-pro-preview",
        "global",
        Endpoint(
            "gemini",
            _AT_GOOGLE.format("global", "google", "gemini-3-pro-preview", "streamGenerateContent") + "?alt=sse",
            _AT_GOOGLE.format("global", "google", "gemini-3-pro-preview", "generateContent"),
            looks=(needs("contents"), only("contents", "systemInstruction", "tools", "toolConfig", "safetySettings",
                                     "generationConfig", "cachedContent", "labels")),
        ),
        _VERTEX | {"context": _google(
            400, "INVALID_ARGUMENT", "The input token count (1248577) exceeds the maximum number of tokens allowed "
            "(1048576).", "context")},
    ),
)  # fmt: skip
