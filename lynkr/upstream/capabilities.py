"""What models take, as data: rows from the general to the particular, the last word counts.

A row says for which formats and models it holds (shell patterns on the model's id in lower case, dots as dashes,
without what clouds put around it) and what is different there from a plain model. An unknown model is taken for a
plain one, an unknown Claude for a new one: a setting left out costs less than a request refused.

Sources: platform.claude.com ("What's new" of each model, "Extended thinking", "Effort"), developers.openai.com (model
pages), ai.google.dev ("Thinking", "Thought signatures"), docs.ollama.com; read 2026-11.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from lynkr.lane import Format, Lane
from lynkr.target import Capabilities

_CLAUDE_FORMATS = (Format.ANTHROPIC, Format.BEDROCK_INVOKE, Format.BEDROCK_CONVERSE, Format.VERTEX_ANTHROPIC)
_OPENAI_FORMATS = (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES)


class Row(NamedTuple):
    """For `models` (patterns) in `formats`, at `providers` if it names any: what is different."""

    formats: tuple[Format, ...]
    models: tuple[str, ...]
    differs: dict[str, Any]
    providers: tuple[str, ...] = ()


def _modes(*names: str) -> frozenset[str]:
    return frozenset(names)


_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_NEW_CLAUDE: dict[str, Any] = {
    "thinking": _modes("adaptive"),
    "efforts": _EFFORTS,
    "forced_choice": "never",
    "sampling": "never",
    "prefill": False,
    "system_turns": True,
    "deferred_tools": True,
    "schema_output": True,
    "max_output": 128_000,
    "betas": None,
    "rest": None,
    "server_tools": None,
    "cache_marks": True,
}
_OLD_CLAUDE: dict[str, Any] = {
    "thinking": _modes("budget", "off"),
    "efforts": (),
    "forced_choice": "quiet",
    "sampling": "quiet",
    "leading_thinking": True,
    "prefill": True,
    "system_turns": False,
    "max_output": 64_000,
}


def _betas(*names: str) -> dict[str, str]:
    return {name: name for name in (*_EVERYWHERE, *names)} | _SEARCHES


# Clouds refuse a beta that they do not know: those that all of them take, and what each takes besides (as litellm 1.106
# and 1.109 have found them). Those of Claude Code's that stand for nothing in the body are harmless to leave out.
_EVERYWHERE = (
    "interleaved-thinking-2025-05-14",
    "compact-2026-01-12",
    "context-1m-2025-08-07",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "dangerous-tool-use-2026-09-03",
    "thinking-binding-controls-2026-08-01",
)
_SEARCHES = {
    "tool-search-tool-2025-10-19": "tool-search-tool-2025-10-19",
    "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19",
}
_EFFORT, _FINE = "effort-2025-11-24", "fine-grained-tool-streaming-2025-05-14"
_CONTEXT, _SHOWN = "context-management-2025-06-27", "thinking-display-updates-2026-08-18"
_TURNS = ("mid-conversation-tool-changes-2026-07-01", "per-turn-control-2026-07-01")
_INVOKE_BETAS = _betas("claude-code-20250219", _FINE, _EFFORT)
_MANTLE_BETAS = _betas("claude-code-20250219", _FINE, _EFFORT, _CONTEXT, _SHOWN, *_TURNS, "tool-examples-2025-10-29")
_VERTEX_BETAS = _betas(_CONTEXT, _SHOWN, *_TURNS, "web-search-2025-03-05", "inline-tools-2026-09-15")
_AZURE_BETAS = {name: name for name in (
    *_EVERYWHERE, _EFFORT, _CONTEXT, _SHOWN, *_TURNS, "advanced-tool-use-2025-11-20", "code-execution-2025-08-25",
    "compact-2026-09-04", "files-api-2025-04-14", "mcp-client-2025-11-20", "skills-2025-10-02",
    "structured-outputs-2025-11-13", "web-fetch-2025-09-10", "web-search-2025-03-05")}  # fmt: skip
_DATABRICKS_BETAS = _betas(_EFFORT, _FINE, _CONTEXT, "structured-outputs-2025-11-13", "web-search-2025-03-05")

# The members of a body that strict servers take: as docs.mistral.ai and litellm 1.109 list them.
_MISTRALS = frozenset((
    "model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "stop", "tools",
    "tool_choice", "response_format", "parallel_tool_calls", "random_seed", "reasoning_effort", "prompt_cache_key",
    "presence_penalty", "frequency_penalty", "n", "prediction", "safe_prompt",
))  # fmt: skip
_BRICKS = frozenset((
    "model", "messages", "stream", "max_tokens", "temperature", "top_p", "top_k", "stop", "n", "tools",
    "tool_choice", "response_format", "logprobs", "top_logprobs", "service_tier",
))  # fmt: skip

ROWS: tuple[Row, ...] = (
    # --- formats, with a plain model behind them ---
    Row((Format.ANTHROPIC, Format.BEDROCK_INVOKE, Format.VERTEX_ANTHROPIC), ("*",), {
        "thinking": _modes("budget", "off"), "system_turns": False, "schema_output": False, "betas": {}, "rest": (),
        "server_tools": (), "max_output": 32_000, "needs_limit": True}),
    Row((Format.OPENAI_CHAT,), ("*",), {"output_limit": "max_tokens", "effort_field": "", "stops": 4}),
    Row((Format.OPENAI_RESPONSES,), ("*",), {"plain_tools": True, "prefill": False}),
    Row((Format.GEMINI,), ("*",), {
        "system_turns": False, "prefill": False, "stops": 5, "media": _modes("image", "document", "audio", "video")}),
    Row((Format.OLLAMA,), ("*",), {"media": _modes("image")}),
    Row((Format.BEDROCK_CONVERSE,), ("*",), {"system_turns": False, "schema_output": False, "prefill": False}),
    # --- Claude, wherever it runs (wire facts, section 2.5) ---
    Row(_CLAUDE_FORMATS, ("*claude*",), _NEW_CLAUDE),
    Row(_CLAUDE_FORMATS, ("*claude-sonnet-5-5*",), {"thinking": _modes("adaptive", "between_tools")}),
    Row(_CLAUDE_FORMATS, ("*claude-haiku-5-5*",), {"thinking": _modes("adaptive", "off"), "forced_choice": "always"}),
    Row(_CLAUDE_FORMATS, ("*claude-opus-5", "*claude-opus-4-8", "*claude-sonnet-5"), {
        "thinking": _modes("adaptive", "off"), "forced_choice": "always"}),
    Row(_CLAUDE_FORMATS, ("*claude-opus-5",), {"quiet_effort": "high"}),
    Row(_CLAUDE_FORMATS, ("*claude-sonnet-5",), {"system_turns": False}),
    Row(_CLAUDE_FORMATS, ("*claude-opus-4-7*",), {
        "thinking": _modes("adaptive", "off"), "forced_choice": "always", "system_turns": False}),
    Row(_CLAUDE_FORMATS, ("*claude-opus-4-6*", "*claude-sonnet-4-6*"), {
        "thinking": _modes("adaptive", "budget", "off"), "forced_choice": "quiet", "sampling": "quiet",
        "system_turns": False, "efforts": ("low", "medium", "high", "max"), "max_output": 64_000}),
    Row(_CLAUDE_FORMATS, ("*claude-haiku-4-5*", "*claude-sonnet-4-5*", "*claude-opus-4-5*"), _OLD_CLAUDE),
    Row(_CLAUDE_FORMATS, ("*claude-opus-4-1", "*claude-opus-4-0", "*claude-opus-4"), {
        **_OLD_CLAUDE, "max_output": 32_000, "deferred_tools": False, "schema_output": False}),
    Row(_CLAUDE_FORMATS, ("*claude-sonnet-4-0", "*claude-sonnet-4", "*claude-3-7*"), {
        **_OLD_CLAUDE, "deferred_tools": False, "schema_output": False}),
    Row(_CLAUDE_FORMATS, ("*claude-3-5*", "*claude-3-opus*", "*claude-3-haiku*", "*claude-3-sonnet*"), {
        **_OLD_CLAUDE, "thinking": _modes(), "leading_thinking": False, "max_output": 8_192, "deferred_tools": False,
        "schema_output": False}),
    Row(_CLAUDE_FORMATS, ("*claude-3-opus*", "*claude-3-haiku*", "*claude-3-sonnet*"), {"max_output": 4_096}),
    # --- Claude at the clouds ---
    Row((Format.ANTHROPIC,), ("*",), {
        "schema_output": False, "server_tools": ("tool_search*",), "betas": _MANTLE_BETAS}, ("bedrock",)),
    Row((Format.ANTHROPIC,), ("*claude*",), {"betas": _AZURE_BETAS}, ("azure-anthropic",)),
    Row((Format.ANTHROPIC,), ("*claude*",), {
        "betas": _DATABRICKS_BETAS, "deferred_tools": False, "server_tools": (),
        "rest": ("metadata", "context_management", "safeguards")}, ("databricks",)),
    Row((Format.VERTEX_ANTHROPIC,), ("*claude*",), {
        "betas": _VERTEX_BETAS, "server_tools": ("tool_search*", "web_search*")}),
    Row((Format.BEDROCK_INVOKE,), ("*claude*",), {
        "betas": _INVOKE_BETAS, "rest": ("metadata", "safeguards"),
        "server_tools": ("tool_search*", "bash_*", "text_editor_*", "memory_*", "computer_*")}),
    Row((Format.BEDROCK_CONVERSE,), ("*claude*",), {
        "system_turns": False, "deferred_tools": False, "schema_output": False, "rest": ()}),
    # --- OpenAI's own models ---
    Row(_OPENAI_FORMATS, ("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "codex-*"), {
        "cache_key": True, "prefill": False, "plain_tools": False}),
    Row(_OPENAI_FORMATS, ("gpt-5*", "gpt-6*", "o1*", "o3*", "o4*", "codex-*"), {
        "efforts": ("low", "medium", "high"), "sampling": "never", "stops": 0, "system_role": "developer",
        "output_limit": "max_completion_tokens", "effort_field": "reasoning_effort"}),
    Row(_OPENAI_FORMATS, ("gpt-4o*", "gpt-4-turbo*", "chatgpt-4o*"), {"max_output": 16_384}),
    Row(_OPENAI_FORMATS, ("gpt-4-1*",), {"max_output": 32_768}),
    Row(_OPENAI_FORMATS, ("o1*", "o3*", "o4*"), {"max_output": 100_000}),
    Row(_OPENAI_FORMATS, ("gpt-5*", "gpt-6*"), {"max_output": 128_000}),
    Row(_OPENAI_FORMATS, ("gpt-5-[1-9]*",), {"efforts": ("none", "low", "medium", "high")}),
    Row(_OPENAI_FORMATS, ("gpt-5-[2-9]*",), {"efforts": ("none", "low", "medium", "high", "xhigh")}),
    Row(_OPENAI_FORMATS, ("gpt-5", "gpt-5-mini*", "gpt-5-nano*", "gpt-5-20[0-9][0-9]-*"), {
        "efforts": ("minimal", "low", "medium", "high")}),
    Row(_OPENAI_FORMATS, ("gpt-5-codex*",), {"efforts": ("low", "medium", "high")}),
    Row(_OPENAI_FORMATS, ("gpt-6*",), {"efforts": ("none", "low", "medium", "high", "xhigh", "max")}),
    Row(_OPENAI_FORMATS, ("gpt-oss*",), {
        "efforts": ("low", "medium", "high"), "effort_field": "reasoning_effort", "prefill": True, "cache_key": False,
        "plain_tools": True}),
    # --- what others put behind OpenAI's format ---
    Row((Format.OPENAI_CHAT,), ("*deepseek*", "*kimi*", "*glm-*", "*minimax*"), {"replays_reasoning": True}),
    Row((Format.OPENAI_CHAT,), ("*",), {"wants_thoughts": True}, ("deepseek", "moonshot")),
    Row((Format.OPENAI_CHAT,), ("*",), {"forced_choice": "never", "sampling": "never"}, ("moonshot",)),
    Row((Format.OPENAI_CHAT,), ("*",), {
        "refuses": ("verbosity", "store", "thinking", "reasoning"), "replays_reasoning": False}, ("groq",)),
    Row((Format.OPENAI_CHAT,), ("*",), {"refuses": ("verbosity",)}, ("deepseek", "zai", "minimax")),
    Row((Format.OPENAI_CHAT,), ("grok-3-mini*", "grok-[4-9]*", "grok-code*", "grok-build*"), {
        "stops": 0, "refuses": ("presence_penalty", "frequency_penalty", "metadata")}, ("xai",)),
    Row((Format.OPENAI_CHAT,), ("*",), {
        "takes": _MISTRALS, "short_ids": True, "user_after_tools": False}, ("mistral",)),
    Row((Format.OPENAI_CHAT,), ("*",), {"takes": _BRICKS | {"reasoning_effort", "stream_options"}}, ("databricks",)),
    Row((Format.OPENAI_CHAT,), ("*claude*",), {
        "takes": _BRICKS | {"thinking"}, "strict_tools": False}, ("databricks",)),
    Row((Format.OPENAI_CHAT,), ("*",), {
        "effort_field": "reasoning", "efforts": ("minimal", "low", "medium", "high", "xhigh")}, ("openrouter",)),
    Row((Format.OPENAI_CHAT,), ("anthropic/claude*", "databricks-claude*"), {"cache_marks": True}),
    # --- Gemini ---
    Row((Format.GEMINI,), ("gemini-2-5*",), {"thinking": _modes("adaptive", "budget", "off"), "max_output": 65_536}),
    Row((Format.GEMINI,), ("gemini-2-5-pro*",), {"thinking": _modes("adaptive", "budget")}),
    Row((Format.GEMINI,), ("gemini-[3-9]*",), {
        "thinking": _modes("adaptive"), "efforts": ("minimal", "low", "medium", "high"), "calls_need_seal": True,
        "max_output": 65_536}),
    Row((Format.GEMINI,), ("gemini-3-pro*",), {"efforts": ("low", "high")}),
    # --- local models that think, under Ollama's names ---
    Row((Format.OLLAMA,), ("qwen3*", "deepseek-r1*", "deepseek-v3-1*", "magistral*", "glm-4*", "*thinking*"), {
        "thinking": _modes("adaptive", "off")}),
    Row((Format.OLLAMA,), ("qwen3-coder*", "qwen3*instruct*"), {"thinking": _modes()}),
    Row((Format.OLLAMA,), ("gpt-oss*",), {"efforts": ("low", "medium", "high")}),
)  # fmt: skip

# What clouds and routers put before and behind a model's own name.
_AROUND = re.compile(
    r"^(?:(?:global|us|eu|apac|jp|au|us-gov)-)?(?:anthropic-|amazon-|meta-|system-ai-|databricks-)?"
    r"|(?:\[1m\]|@[\w-]+|-latest|-v\d+(?::\d+)?|-20\d{6})+$"
)


def capabilities(lane: Lane, spoken: Format, model: str) -> Capabilities:
    """What `model` takes when it is spoken to in `spoken`; the lane's own `context` counts before the table's."""
    return _look_up(spoken, lane.provider, model.lower().replace(".", "-"), lane.context)


def gives_verdicts(lane: Lane) -> bool:
    """Whether the lane's model answers Anthropic's `safeguards`: it is Claude, in Claude's own format."""
    spoken = lane.format_for(Format.ANTHROPIC)
    if spoken not in (Format.ANTHROPIC, Format.BEDROCK_INVOKE, Format.VERTEX_ANTHROPIC):
        return False
    if lane.model is None:
        return True
    taken = capabilities(lane, spoken, lane.model).rest
    return taken is None or "safeguards" in taken


@lru_cache(maxsize=256)
def _look_up(spoken: Format, provider: str, model: str, context: int | None) -> Capabilities:
    names = (model, _AROUND.sub("", model))
    found: dict[str, Any] = {}
    for row in ROWS:
        if spoken not in row.formats or (row.providers and provider not in row.providers):
            continue
        if any(fnmatchcase(name, like) for name in names for like in row.models):
            found |= row.differs
    return Capabilities(**(found if context is None else found | {"context": context}))
