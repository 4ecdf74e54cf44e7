"""The table says of every model what its maker says of it, under every name that a cloud gives it.

A cell that is wrong is a request refused, or a setting lost for nothing; a name that is not known is a whole column of
wrong cells. So the cells stand here once for each model, and the names of each beside them.
"""

from __future__ import annotations

from typing import Any

import pytest

from lynkr.lane import Auth, Format, Lane
from lynkr.target import Capabilities
from lynkr.upstream.capabilities import capabilities

CLAUDES = (Format.ANTHROPIC, Format.BEDROCK_INVOKE, Format.BEDROCK_CONVERSE)
OPENAI = (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES)


def lane(**more: Any) -> Lane:
    return Lane("main", "somebody", (Format.ANTHROPIC,), Auth.KEY, **more)


def can(spoken: Format, model: str, provider: str = "somebody") -> Capabilities:
    return capabilities(lane()._replace(provider=provider), spoken, model)


def modes(*names: str) -> frozenset[str]:
    return frozenset(names)


# Thinking, a forced tool, sampling, a begun answer, system messages on the way, efforts.
CELLS: dict[str, tuple[frozenset[str], str, bool, bool, bool, bool]] = {
    "opus-5-5": (modes("adaptive"), "never", False, False, True, True),
    "sonnet-5-5": (modes("adaptive", "between_tools"), "never", False, False, True, True),
    "haiku-5-5": (modes("adaptive", "off"), "always", False, False, True, True),
    "opus-5": (modes("adaptive", "off"), "always", False, False, True, True),
    "opus-4-8": (modes("adaptive", "off"), "always", False, False, True, True),
    "opus-4-7": (modes("adaptive", "off"), "always", False, False, False, True),
    "sonnet-5": (modes("adaptive", "off"), "always", False, False, False, True),
    "sonnet-4-6": (modes("adaptive", "budget", "off"), "quiet", True, False, False, True),
    "opus-4-6": (modes("adaptive", "budget", "off"), "quiet", True, False, False, True),
    "haiku-4-5": (modes("budget", "off"), "quiet", True, True, False, False),
    "sonnet-4-5": (modes("budget", "off"), "quiet", True, True, False, False),
    "opus-4-5": (modes("budget", "off"), "quiet", True, True, False, False),
    "opus-4-1": (modes("budget", "off"), "quiet", True, True, False, False),
    "opus-4": (modes("budget", "off"), "quiet", True, True, False, False),
    "sonnet-4": (modes("budget", "off"), "quiet", True, True, False, False),
    "3-7-sonnet": (modes("budget", "off"), "quiet", True, True, False, False),
    "3-5-sonnet": (modes(), "quiet", True, True, False, False),
    "3-5-haiku": (modes(), "quiet", True, True, False, False),
    "3-opus": (modes(), "quiet", True, True, False, False),
}
# A Claude whose name is unknown is taken for a new one.
NEW = (modes("adaptive"), "never", False, False, True, True)


def cells(found: Capabilities) -> tuple[frozenset[str], str, bool, bool, bool, bool]:
    return (found.thinking, found.forced_choice, found.sampling != "never", found.prefill, found.system_turns,
            bool(found.efforts))  # fmt: skip


AS_CLOUDS_SAY_IT = [
    "claude-{}",
    "Claude-{}",
    "anthropic.claude-{}",
    "us.anthropic.claude-{}",
    "eu.anthropic.claude-{}",
    "global.anthropic.claude-{}",
    "apac.anthropic.claude-{}",
    "us-gov.anthropic.claude-{}",
    "databricks-claude-{}",
    "system.ai.claude-{}",
    "anthropic/claude-{}",
    "claude-{}-20250929",
    "us.anthropic.claude-{}-20250929-v1:0",
    "anthropic.claude-{}-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-{}",
]


@pytest.mark.parametrize("called", AS_CLOUDS_SAY_IT)
@pytest.mark.parametrize("model", CELLS)
def test_each_claude_has_its_cells_under_every_name(model: str, called: str) -> None:
    assert cells(can(Format.ANTHROPIC, called.format(model))) == CELLS[model]


@pytest.mark.parametrize("model", list(CELLS))
def test_each_claude_has_its_cells_under_its_dated_name_at_vertex(model: str) -> None:
    assert cells(can(Format.ANTHROPIC, f"claude-{model}@20250929")) == CELLS[model]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonnet-4-5@20250929", "sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "sonnet-4-5"),
        ("claude-haiku-4-5-20251001", "haiku-4-5"),
        ("claude-opus-4-1-20250805", "opus-4-1"),
        ("claude-opus-4-20250514", "opus-4"),
        ("claude-sonnet-4-20250514", "sonnet-4"),
        ("claude-3-7-sonnet-latest", "3-7-sonnet"),
        ("claude-3-7-sonnet-20250219", "3-7-sonnet"),
        ("anthropic/claude-3.7-sonnet", "3-7-sonnet"),
        ("anthropic/claude-3.7-sonnet:thinking", "3-7-sonnet"),
        ("claude-3-5-sonnet-20241022", "3-5-sonnet"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "3-5-sonnet"),
        ("anthropic/claude-3.5-haiku", "3-5-haiku"),
        ("claude-3-opus-20240229", "3-opus"),
        ("anthropic/claude-opus-5.5", "opus-5-5"),
        ("anthropic/claude-opus-4.8", "opus-4-8"),
        ("anthropic/claude-sonnet-4.6", "sonnet-4-6"),
        ("anthropic.claude-opus-4-6-v1", "opus-4-6"),
        ("databricks-claude-sonnet-4-5", "sonnet-4-5"),
        ("jp.anthropic.claude-haiku-5-5", "haiku-5-5"),
    ],
)
def test_names_as_they_are_met_in_the_wild(name: str, model: str) -> None:
    assert cells(can(Format.ANTHROPIC, name)) == CELLS[model]


@pytest.mark.parametrize(("name", "model"), [("claude-opus-4-0", "opus-4"), ("claude-sonnet-4-0", "sonnet-4")])
def test_the_undated_names_of_the_first_claude_4(name: str, model: str) -> None:
    assert cells(can(Format.ANTHROPIC, name)) == CELLS[model]


@pytest.mark.parametrize("name", ["claude-fable-5-1", "claude-mythos-5-2", "claude-opus-7", "anthropic.claude-nova-6"])
def test_an_unknown_claude_is_a_new_one(name: str) -> None:
    assert cells(can(Format.ANTHROPIC, name)) == NEW


@pytest.mark.parametrize("model", CELLS)
def test_invoke_model_has_the_same_cells_as_anthropic_itself(model: str) -> None:
    assert cells(can(Format.BEDROCK_INVOKE, f"us.anthropic.claude-{model}")) == CELLS[model]


@pytest.mark.parametrize("model", CELLS)
def test_converse_has_the_same_cells_but_for_system_messages_and_tool_search(model: str) -> None:
    found = can(Format.BEDROCK_CONVERSE, f"us.anthropic.claude-{model}")
    expected = CELLS[model]
    assert cells(found) == (*expected[:4], False, expected[5])
    assert not found.deferred_tools
    assert not found.schema_output


@pytest.mark.parametrize("model", ["opus-5-5", "opus-4-8", "haiku-4-5", "opus-4-1", "3-5-sonnet"])
def test_anthropic_knows_all_of_its_own_fields_and_betas_and_invoke_model_only_some(model: str) -> None:
    own, invoked = can(Format.ANTHROPIC, f"claude-{model}"), can(Format.BEDROCK_INVOKE, f"anthropic.claude-{model}")
    assert (own.betas, own.rest) == (None, None)
    assert invoked.betas is not None
    assert {"claude-code-20250219", "interleaved-thinking-2025-05-14"} <= set(invoked.betas)
    assert not {"oauth-2025-04-20", "context-management-2025-06-27", "fast-mode-2026-02-01"} & set(invoked.betas)
    assert invoked.rest is not None
    assert not {"context_management", "thread", "service_tier", "speed"} & set(invoked.rest)


@pytest.mark.parametrize("model", ["opus-4-1", "3-7-sonnet", "3-5-sonnet"])
def test_invoke_model_does_not_teach_old_models_schemas(model: str) -> None:
    assert not can(Format.ANTHROPIC, f"claude-{model}").schema_output
    assert not can(Format.BEDROCK_INVOKE, f"anthropic.claude-{model}").schema_output


def test_amazon_s_own_anthropic_endpoint_takes_no_schemas() -> None:
    found = can(Format.ANTHROPIC, "anthropic.claude-opus-5-5", "bedrock")
    assert not found.schema_output
    assert found.rest is None  # its fields are Anthropic's own


@pytest.mark.parametrize(
    ("provider", "spoken"),
    [("bedrock", Format.ANTHROPIC), ("azure-anthropic", Format.ANTHROPIC), ("databricks", Format.ANTHROPIC),
     ("vertex", Format.VERTEX_ANTHROPIC)],
)  # fmt: skip
def test_a_cloud_takes_the_betas_that_it_knows(provider: str, spoken: Format) -> None:
    found = can(spoken, "claude-opus-5-5", provider)
    assert found.betas is not None
    assert {"interleaved-thinking-2025-05-14", "context-management-2025-06-27"} <= set(found.betas)
    assert not {"oauth-2025-04-20", "fast-mode-2026-02-01", "mystery-2027-01-01"} & set(found.betas)


def test_the_models_whose_efforts_include_the_highest() -> None:
    for model in ("opus-5-5", "sonnet-5-5", "haiku-5-5", "opus-5", "opus-4-8", "opus-4-7", "sonnet-5"):
        assert can(Format.ANTHROPIC, f"claude-{model}").efforts == ("low", "medium", "high", "xhigh", "max")
    assert can(Format.ANTHROPIC, "claude-opus-4-6").efforts == ("low", "medium", "high", "max")


# Who else speaks Anthropic's format: thinking on or off, and nothing of what is beta (wire facts, section 3.8).
@pytest.mark.parametrize("model", ["kimi-k3", "deepseek-v4-pro", "glm-5.3", "minimax-m3", "qwen3-coder:30b", "mystery"])
def test_strangers_behind_anthropic_s_format_get_the_plain_subset(model: str) -> None:
    found = can(Format.ANTHROPIC, model)
    assert found.thinking == modes("budget", "off")
    assert (found.efforts, found.betas, found.rest) == ((), {}, ())
    assert not found.system_turns
    assert not found.deferred_tools
    assert not found.schema_output


EFFORTS = {
    "gpt-4o": (),
    "gpt-4.1": (),
    "gpt-5": ("minimal", "low", "medium", "high"),
    "gpt-5-mini": ("minimal", "low", "medium", "high"),
    "gpt-5.1": ("none", "low", "medium", "high"),
    "gpt-5.5": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.3-codex": ("none", "low", "medium", "high", "xhigh"),
    "gpt-6.1-sol": ("none", "low", "medium", "high", "xhigh", "max"),
    "o3": ("low", "medium", "high"),
    "o4-mini": ("low", "medium", "high"),
    "gpt-oss:20b": ("low", "medium", "high"),
}


@pytest.mark.parametrize("spoken", OPENAI)
@pytest.mark.parametrize("model", EFFORTS)
def test_openai_s_models_know_these_efforts(model: str, spoken: Format) -> None:
    assert can(spoken, model).efforts == EFFORTS[model]


@pytest.mark.parametrize("spoken", OPENAI)
@pytest.mark.parametrize("model", ["gpt-5-2025-08-07", "gpt-5-mini-2025-08-07", "gpt-5-nano-2025-08-07"])
def test_a_dated_gpt_5_knows_the_efforts_of_gpt_5(model: str, spoken: Format) -> None:
    assert can(spoken, model).efforts == EFFORTS["gpt-5"]


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5.1", "gpt-5.5", "gpt-6.1-sol", "gpt-5.3-codex", "o3", "o4-mini"])
def test_openai_s_reasoning_models_have_names_of_their_own_for_fields(model: str) -> None:
    found = can(Format.OPENAI_CHAT, model)
    assert (found.output_limit, found.effort_field) == ("max_completion_tokens", "reasoning_effort")
    assert (found.system_role, found.sampling, found.cache_key) == ("developer", "never", True)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1"])
def test_openai_s_older_models_take_sampling_and_no_effort(model: str) -> None:
    found = can(Format.OPENAI_CHAT, model)
    assert (found.effort_field, found.system_role, found.sampling) == ("", "system", "always")
    assert can(Format.OPENAI_RESPONSES, model).plain_tools is False


def test_gpt_oss_is_nobody_s_hosted_model() -> None:
    chat, responses = (can(spoken, "gpt-oss:20b") for spoken in OPENAI)
    assert (chat.output_limit, chat.system_role, chat.sampling) == ("max_tokens", "system", "always")
    assert not chat.cache_key
    assert responses.plain_tools


@pytest.mark.parametrize("model", ["mystery", "llama3.3", "qwen3:8b", "mistral-large"])
def test_an_unknown_name_is_a_plain_model(model: str) -> None:
    chat, responses = (can(spoken, model) for spoken in OPENAI)
    assert (chat.output_limit, chat.effort_field, chat.system_role) == ("max_tokens", "", "system")
    assert (chat.efforts, chat.thinking, chat.rest, chat.sampling) == ((), modes(), None, "always")
    assert responses.plain_tools
    assert responses.efforts == ()


@pytest.mark.parametrize("model", ["deepseek-v4-pro", "kimi-k3", "glm-5.3", "MiniMax-M3"])
def test_these_want_their_reasoning_back(model: str) -> None:
    assert can(Format.OPENAI_CHAT, model).replays_reasoning


def test_claude_behind_openai_s_format_keeps_its_cache_marks() -> None:
    for model in ("anthropic/claude-opus-5.5", "databricks-claude-opus-5-5"):
        assert can(Format.OPENAI_CHAT, model).cache_marks
    assert not can(Format.OPENAI_CHAT, "mystery").cache_marks
    assert can(Format.OPENAI_CHAT, "anthropic/claude-opus-5.5", "openrouter").effort_field == "reasoning"


@pytest.mark.parametrize(
    ("model", "thinking", "efforts", "sealed"),
    [
        ("gemini-2.5-pro", modes("adaptive", "budget"), (), False),
        ("gemini-2.5-flash", modes("adaptive", "budget", "off"), (), False),
        ("gemini-3-pro-preview", modes("adaptive"), ("low", "high"), True),
        ("gemini-3.5-flash-lite", modes("adaptive"), ("minimal", "low", "medium", "high"), True),
    ],
)
def test_gemini_s_models(model: str, thinking: frozenset[str], efforts: tuple[str, ...], sealed: bool) -> None:
    found = can(Format.GEMINI, model)
    assert (found.thinking, found.efforts, found.calls_need_seal) == (thinking, efforts, sealed)
    assert not found.system_turns
    assert found.media >= {"image", "document", "audio", "video"}


@pytest.mark.parametrize(
    ("model", "thinking", "efforts"),
    [
        ("qwen3:8b", modes("adaptive", "off"), ()),
        ("deepseek-r1", modes("adaptive", "off"), ()),
        ("deepseek-r1:14b", modes("adaptive", "off"), ()),
        ("qwen3-coder:30b", modes(), ()),
        ("qwen3:4b-instruct", modes(), ()),
        ("llama3.3", modes(), ()),
        ("gpt-oss:20b", modes(), ("low", "medium", "high")),
    ],
)
def test_local_models_under_ollama_s_names(model: str, thinking: frozenset[str], efforts: tuple[str, ...]) -> None:
    found = can(Format.OLLAMA, model)
    assert (found.thinking, found.efforts, found.media) == (thinking, efforts, modes("image"))


@pytest.mark.parametrize(
    ("spoken", "model"),
    [(Format.OLLAMA, "llama3.3"), (Format.ANTHROPIC, "claude-opus-5-5"), (Format.OPENAI_CHAT, "mystery")],
)
def test_the_context_of_the_lane_counts(spoken: Format, model: str) -> None:
    assert capabilities(lane(), spoken, model).context is None
    own = capabilities(lane(context=32_768), spoken, model)
    assert own.context == 32_768
    assert cells(own) == cells(can(spoken, model))
