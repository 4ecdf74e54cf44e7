"""Figures read from real answers are the figures that stand in them, however the stream arrives in pieces.

What is expected is taken from the raw JSON here, in the vendors' own names; `recordings/README.md` says where it is
from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.formats import CODECS, match
from lynkr.lane import Format
from lynkr.proxy.ear import Ear
from lynkr.usage import Heard

FOLDER = Path(__file__).parent / "recordings"
RECORDED: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
FORMATS = {
    "anthropic": Format.ANTHROPIC,
    "chat": Format.OPENAI_CHAT,
    "responses": Format.OPENAI_RESPONSES,
    "gemini": Format.GEMINI,
}
# What it was billed for stands in `usage.iterations`; only its start is held against what is read, below.
COMPACTION = "anthropic-stream-compaction"
WHOLE = sorted(set(RECORDED) - {COMPACTION})


def format_of(name: str) -> Format:
    return FORMATS[name.partition("-")[0]]


def body_of(name: str) -> bytes:
    recorded = RECORDED[name]
    return str(recorded["sse"]).encode() if "sse" in recorded else json.dumps(recorded["response"]).encode()


def hear(name: str, pieces: list[bytes]) -> Heard:
    ear = Ear(CODECS[format_of(name)].AnswerWatch(), RECORDED[name]["content_type"], "")
    for piece in pieces:
        ear.hear(piece)
    return ear.heard()


def values(name: str) -> list[dict[str, Any]]:
    """The JSON objects of the answer, found without any of lynkr's own reading."""
    recorded = RECORDED[name]
    if "response" in recorded:
        return [recorded["response"]]
    lines = [line for line in str(recorded["sse"]).replace("\r\n", "\n").split("\n") if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def last(found: list[dict[str, Any]], key: str) -> dict[str, Any]:
    figures = [value[key] for value in found if value.get(key)]
    return dict(figures[-1])


def check_anthropic(name: str, heard: Heard) -> None:
    found = values(name)
    starts = [value["message"] for value in found if value.get("type") == "message_start"]
    figures = {**(last(starts, "usage") if starts else {}), **last(found, "usage")}
    usage = heard.usage
    assert usage is not None
    assert usage.input == figures["input_tokens"]
    assert usage.cache_read == figures["cache_read_input_tokens"]
    assert usage.cache_write == figures["cache_creation"]["ephemeral_5m_input_tokens"]
    assert usage.cache_write_1h == figures["cache_creation"]["ephemeral_1h_input_tokens"]
    assert usage.cache_write + usage.cache_write_1h == figures["cache_creation_input_tokens"]
    assert usage.output == figures["output_tokens"]


def check_chat(name: str, heard: Heard) -> None:
    figures, usage = last(values(name), "usage"), heard.usage
    assert usage is not None
    assert usage.prompt == figures["prompt_tokens"]
    assert usage.cache_read == figures["prompt_tokens_details"]["cached_tokens"]
    assert usage.output == figures["completion_tokens"]
    assert usage.prompt + usage.output == figures["total_tokens"]
    assert usage.reasoning == min(usage.output, figures["completion_tokens_details"]["reasoning_tokens"])


def check_responses(name: str, heard: Heard) -> None:
    found, usage = values(name), heard.usage
    figures = last(found if "response" in RECORDED[name] else [found[-1]["response"]], "usage")
    assert usage is not None
    assert usage.prompt == figures["input_tokens"]
    assert usage.cache_read == figures["input_tokens_details"]["cached_tokens"]
    assert usage.output == figures["output_tokens"]
    assert usage.prompt + usage.output == figures["total_tokens"]
    assert usage.reasoning == figures["output_tokens_details"]["reasoning_tokens"]


def check_gemini(name: str, heard: Heard) -> None:
    figures, usage = last(values(name), "usageMetadata"), heard.usage
    assert usage is not None
    assert usage.prompt == figures["promptTokenCount"]
    assert usage.cache_read == figures.get("cachedContentTokenCount", 0)
    assert usage.reasoning == figures["thoughtsTokenCount"]
    assert usage.prompt + usage.output == figures["totalTokenCount"]


CHECKS = {
    Format.ANTHROPIC: check_anthropic,
    Format.OPENAI_CHAT: check_chat,
    Format.OPENAI_RESPONSES: check_responses,
    Format.GEMINI: check_gemini,
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_figures_read_are_those_that_were_recorded(name: str) -> None:
    heard = hear(name, [body_of(name)])
    CHECKS[format_of(name)](name, heard)
    assert heard.complete
    assert heard.final
    assert heard.usage is not None
    assert not heard.usage.extras


def test_every_kind_of_figure_occurs_in_some_recording() -> None:
    usages = [usage for name in WHOLE if (usage := hear(name, [body_of(name)]).usage)]
    for kind in ("input", "cache_read", "cache_write", "output", "reasoning"):
        assert any(getattr(usage, kind) for usage in usages), kind


@pytest.mark.parametrize("name", [name for name in sorted(RECORDED) if "sse" in RECORDED[name]])
def test_a_stream_that_comes_byte_by_byte_says_the_same(name: str) -> None:
    body = body_of(name)
    assert hear(name, [body[at : at + 1] for at in range(len(body))]) == hear(name, [body])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(RECORDED)), st.data())
def test_however_the_answer_is_cut_into_chunks_it_says_the_same(name: str, data: st.DataObject) -> None:
    body = body_of(name)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert hear(name, pieces) == hear(name, [body])


@pytest.mark.parametrize("name", WHOLE)
def test_only_the_recorded_error_is_a_failure(name: str) -> None:
    assert hear(name, [body_of(name)]).failure == ("400" if name == "chat-stream-error" else None)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_recorded_path_is_metered_in_its_format(name: str) -> None:
    path = "/" + RECORDED[name]["url"].partition("?")[0].split("/", 3)[3].removeprefix("api/")
    found = match(RECORDED[name]["method"], path)
    assert found is not None
    assert (found.format, found.metered) == (format_of(name), True)


def test_a_stream_cut_before_its_end_leaves_the_cached_input_known() -> None:
    """What a client that hangs up early is billed for: the prompt, as the first event counts it."""
    started, _, _ = body_of(COMPACTION).partition(b"event: message_delta")
    heard = hear(COMPACTION, [started])
    first = values(COMPACTION)[0]["message"]["usage"]
    assert heard.usage is not None
    assert (heard.usage.input, heard.usage.cache_read) == (first["input_tokens"], first["cache_read_input_tokens"])
    assert heard.usage.cache_read > 50_000
    assert not heard.final
    assert not heard.complete


def test_rounds_that_the_totals_leave_out_are_counted() -> None:
    """A compaction: the last event's totals are those of its last round, its `iterations` are what was billed."""
    rounds = last(values(COMPACTION), "usage")["iterations"]
    usage = hear(COMPACTION, [body_of(COMPACTION)]).usage
    assert usage is not None
    assert len(rounds) > 1
    for found, name in ((usage.input, "input_tokens"), (usage.cache_read, "cache_read_input_tokens")):
        assert found == sum(usage.get(name) or 0 for usage in rounds)
    assert usage.output == sum(usage["output_tokens"] for usage in rounds)


def test_the_text_of_a_stream_is_counted() -> None:
    texts = [value["delta"]["text"] for value in values("anthropic-stream") if "text" in value.get("delta", {})]
    # Escapes count as they stand, so that the count is never below the text.
    assert len("".join(texts)) <= hear("anthropic-stream", [body_of("anthropic-stream")]).text_chars
    assert hear("anthropic-stream", [body_of("anthropic-stream")]).text_chars <= len(json.dumps(texts))
