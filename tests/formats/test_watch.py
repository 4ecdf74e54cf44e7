"""What was billed is read from an answer as each vendor states it, streamed or not, and reading never raises.

Figures do not overlap: input is uncached input only, reasoning a part of output. No figures are None, never zeros. A
stream that is cut is neither final nor complete. A failure is the provider's name for it, never its message.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.formats import CODECS
from lynkr.framing import sse
from lynkr.lane import Format
from lynkr.usage import Heard, Usage

few = settings(max_examples=100, deadline=None)
EVERY = pytest.mark.parametrize("spoken", list(CODECS))
ANTHROPIC, CHAT, RESPONSES, GEMINI = (
    Format.ANTHROPIC,
    Format.OPENAI_CHAT,
    Format.OPENAI_RESPONSES,
    Format.GEMINI,
)


def whole(spoken: Format, answer: Any) -> Heard:
    """What is heard of an answer that is not streamed."""
    watch = CODECS[spoken].AnswerWatch()
    watch.body(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return watch.heard()


def streamed(spoken: Format, *events: Any) -> Heard:
    """What is heard of a stream of JSON events (or of bytes, as they are)."""
    watch = CODECS[spoken].AnswerWatch()
    for event in events:
        if isinstance(event, bytes):
            watch.block(event)
        else:
            watch.block(sse.write(str(event.get("type", "")), json.dumps(event).encode()).strip())
    return watch.heard()


def start(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"usage": usage}}


def delta(**usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


STOP = {"type": "message_stop"}


def chunk(**more: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [], **more}


def finished(reason: str | None = "stop") -> dict[str, Any]:
    return chunk(choices=[{"index": 0, "delta": {}, "finish_reason": reason}], usage=None)


def response(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": {"id": "resp_1", **more}}


def candidate(text: str = "", finish: str | None = None, **usage: int) -> dict[str, Any]:
    found: dict[str, Any] = {"content": {"parts": [{"text": text}]}}
    if finish:
        found["finishReason"] = finish
    return {"candidates": [found], "usageMetadata": usage}


# --- every figure, in an answer that is not streamed ----------------------------------------------------------------

ANTHROPIC_FIGURES = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 42,
    "output_tokens_details": {"thinking_tokens": 7},
    "service_tier": "standard",
}
CHAT_FIGURES = {
    "prompt_tokens": 1000,
    "prompt_tokens_details": {"cached_tokens": 640, "cache_write_tokens": 60},
    "completion_tokens": 50,
    "completion_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1050,
}
RESPONSES_FIGURES = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 640, "cache_write_tokens": 60},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1050,
}
GEMINI_FIGURES = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 640,
    "toolUsePromptTokenCount": 5,
    "candidatesTokenCount": 50,
    "thoughtsTokenCount": 20,
    "totalTokenCount": 1075,
}
OPENAI_USAGE = Usage(input=300, cache_read=640, cache_write=60, output=50, reasoning=20)
ANSWERS: list[tuple[Format, dict[str, Any], Usage]] = [
    (ANTHROPIC, {"usage": ANTHROPIC_FIGURES}, Usage(12, 4000, 100, 200, 42, 7)),
    (CHAT, {"choices": [], "usage": CHAT_FIGURES}, OPENAI_USAGE),
    (RESPONSES, {"output": [], "usage": RESPONSES_FIGURES}, OPENAI_USAGE),
    (GEMINI, {"candidates": [], "usageMetadata": GEMINI_FIGURES}, Usage(365, 640, 0, 0, 70, 20)),
]


@pytest.mark.parametrize(("spoken", "answer", "usage"), ANSWERS)
def test_every_figure_of_a_whole_answer_is_read(spoken: Format, answer: dict[str, Any], usage: Usage) -> None:
    assert whole(spoken, answer) == Heard(usage, final=True, complete=True)


@pytest.mark.parametrize(("spoken", "answer", "usage"), ANSWERS)
def test_the_kinds_of_input_add_up_to_the_prompt(spoken: Format, answer: dict[str, Any], usage: Usage) -> None:
    heard = whole(spoken, answer).usage
    assert heard is not None
    assert heard.prompt == {ANTHROPIC: 4312, CHAT: 1000, RESPONSES: 1000, GEMINI: 1005}[spoken]
    assert heard.reasoning <= heard.output


@EVERY
def test_an_answer_without_figures_has_none(spoken: Format) -> None:
    answers: list[dict[str, Any]] = [
        {"id": "x"},
        {"usage": None},
        {"usage": {}},
        {"usage": []},
        {"usageMetadata": "no"},
    ]
    for answer in answers:
        assert whole(spoken, answer) == Heard(None, final=False, complete=True)


@EVERY
def test_a_stream_without_figures_has_none(spoken: Format) -> None:
    ends = {ANTHROPIC: STOP, CHAT: finished(), RESPONSES: response("completed"), GEMINI: candidate("", "STOP")}
    heard = streamed(spoken, ends[spoken])
    assert (heard.usage, heard.final, heard.complete, heard.failure) == (None, False, True, None)


@EVERY
def test_nothing_heard_is_nothing_known(spoken: Format) -> None:
    assert streamed(spoken) == Heard()


# --- Anthropic --------------------------------------------------------------------------------------------------------


def test_a_cache_write_is_split_by_how_long_it_lasts() -> None:
    def written(**figures: Any) -> tuple[int, int]:
        usage = whole(ANTHROPIC, {"usage": figures}).usage
        assert usage is not None
        return usage.cache_write, usage.cache_write_1h

    assert written(cache_creation_input_tokens=300) == (300, 0)
    assert written(cache_creation_input_tokens=300, cache_creation=None) == (300, 0)
    assert written(cache_creation_input_tokens=300, cache_creation={"ephemeral_1h_input_tokens": 300}) == (0, 300)
    assert written(cache_creation_input_tokens=300, cache_creation={"ephemeral_5m_input_tokens": 300}) == (300, 0)
    # More for an hour than there is in all would be counted twice.
    assert written(cache_creation_input_tokens=300, cache_creation={"ephemeral_1h_input_tokens": 999}) == (0, 300)


def test_a_message_delta_overrides_what_the_start_said() -> None:
    heard = streamed(
        ANTHROPIC,
        start(**{**ANTHROPIC_FIGURES, "output_tokens": 1}),
        delta(input_tokens=15, cache_read_input_tokens=4001, output_tokens=42),
        STOP,
    )
    assert heard == Heard(Usage(15, 4001, 100, 200, 42, 7), final=True, complete=True)


def test_a_message_delta_keeps_what_it_does_not_name() -> None:
    heard = streamed(ANTHROPIC, start(**ANTHROPIC_FIGURES), delta(input_tokens=None, output_tokens=50), STOP)
    assert heard.usage == Usage(12, 4000, 100, 200, 50, 7)


def test_the_figures_of_message_deltas_are_not_added_up() -> None:
    heard = streamed(
        ANTHROPIC, start(input_tokens=10, output_tokens=1), delta(output_tokens=20), delta(output_tokens=30)
    )
    assert heard.usage == Usage(input=10, output=30)


def test_an_anthropic_stream_cut_after_its_start_has_an_open_output() -> None:
    heard = streamed(ANTHROPIC, start(input_tokens=10, cache_read_input_tokens=90, output_tokens=1))
    assert heard == Heard(Usage(input=10, cache_read=90, output=1), final=False, complete=False)


def test_an_anthropic_stream_cut_before_its_stop_is_final_and_not_complete() -> None:
    heard = streamed(ANTHROPIC, start(input_tokens=10, output_tokens=1), delta(output_tokens=20))
    assert (heard.final, heard.complete) == (True, False)


@pytest.mark.parametrize(
    ("figures", "extras"),
    [
        ({}, False),
        ({"service_tier": "standard"}, False),
        ({"service_tier": None, "speed": None, "inference_geo": None}, False),
        ({"server_tool_use": None}, False),
        ({"server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}}, False),
        ({"inference_geo": "global"}, False),
        ({"inference_geo": "not_available"}, False),
        ({"speed": "standard"}, False),
        ({"server_tool_use": {"web_search_requests": 1}}, True),
        ({"service_tier": "priority"}, True),
        ({"service_tier": "batch"}, True),
        ({"speed": "fast"}, True),
        ({"inference_geo": "us"}, True),
    ],
)
def test_what_anthropic_bills_besides_tokens_is_marked(figures: dict[str, Any], extras: bool) -> None:
    assert whole(ANTHROPIC, {"usage": {"input_tokens": 1, **figures}}).usage == Usage(input=1, extras=extras)
    stream = streamed(ANTHROPIC, start(input_tokens=1, **figures), delta(output_tokens=2))
    assert stream.usage == Usage(input=1, output=2, extras=extras)


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def test_the_figures_of_a_chat_stream_come_in_a_chunk_of_their_own() -> None:
    heard = streamed(CHAT, chunk(usage=None), finished(), chunk(usage=CHAT_FIGURES), b"data: [DONE]")
    assert heard == Heard(OPENAI_USAGE, final=True, complete=True)


def test_the_figures_of_a_chat_stream_may_stand_in_its_last_choice() -> None:
    heard = streamed(CHAT, {**finished(), "usage": CHAT_FIGURES})
    assert heard == Heard(OPENAI_USAGE, final=True, complete=True)


def test_the_figures_of_groqs_stream_are_heard_in_the_place_that_it_has_for_them() -> None:
    begun = chunk(x_groq={"id": "req_1"})
    heard = streamed(CHAT, begun, {**finished(), "x_groq": {"id": "req_1", "usage": CHAT_FIGURES}}, b"data: [DONE]")
    assert heard == Heard(OPENAI_USAGE, final=True, complete=True)


def test_a_chat_stream_whose_client_asked_for_no_figures_is_complete_without_them() -> None:
    assert streamed(CHAT, chunk(), finished(), b"data: [DONE]") == Heard(complete=True)


def test_a_chat_stream_that_is_cut_is_not_complete() -> None:
    assert streamed(CHAT, chunk(usage=None), finished(None)) == Heard()


def test_the_done_line_alone_completes_a_chat_stream() -> None:
    assert streamed(CHAT, b"data: [DONE]") == Heard(complete=True)


def test_cache_hits_by_deepseeks_name_are_read_too() -> None:
    figures = {
        "prompt_tokens": 976,
        "prompt_cache_hit_tokens": 896,
        "prompt_cache_miss_tokens": 80,
        "completion_tokens": 1,
    }
    assert whole(CHAT, {"usage": figures}).usage == Usage(input=80, cache_read=896, output=1)


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_the_last_event_of_a_responses_stream_has_the_figures(kind: str) -> None:
    events = [response("created", usage=None), response(kind, usage=RESPONSES_FIGURES)]
    assert streamed(RESPONSES, *events) == Heard(OPENAI_USAGE, final=True, complete=True)


def test_a_responses_stream_that_is_cut_has_no_figures() -> None:
    assert streamed(RESPONSES, response("created"), response("in_progress")) == Heard()


@pytest.mark.parametrize(
    ("tier", "extras"),
    [(None, False), ("default", False), ("auto", False), ("flex", True), ("priority", True), ("batch", True)],
)
def test_another_service_tier_of_openai_is_marked(tier: str | None, extras: bool) -> None:
    chat = {"service_tier": tier, "usage": {"prompt_tokens": 1}}
    responses = {"service_tier": tier, "usage": {"input_tokens": 1}}
    for heard in (
        whole(CHAT, chat),
        streamed(CHAT, chunk(**chat)),
        whole(RESPONSES, responses),
        streamed(RESPONSES, response("completed", **responses)),
    ):
        assert heard.usage == Usage(input=1, extras=extras)


# --- Gemini -----------------------------------------------------------------------------------------------------------


def test_every_chunk_of_gemini_repeats_the_figures_and_the_last_one_counts() -> None:
    heard = streamed(
        GEMINI,
        candidate("a", promptTokenCount=20, candidatesTokenCount=1),
        candidate("b", "STOP", promptTokenCount=18, candidatesTokenCount=9, thoughtsTokenCount=4),
    )
    assert heard == Heard(Usage(input=18, output=13, reasoning=4), final=True, complete=True, text_chars=2)


def test_a_gemini_stream_that_is_cut_keeps_its_figures_so_far() -> None:
    heard = streamed(GEMINI, candidate("abc", promptTokenCount=20, candidatesTokenCount=1))
    assert heard == Heard(Usage(input=20, output=1), final=False, complete=False, text_chars=3)


# --- failures ---------------------------------------------------------------------------------------------------------

PROMPT = "the words of somebody's prompt"
ERRORS: list[tuple[Format, dict[str, Any], str]] = [
    (ANTHROPIC, {"type": "error", "error": {"type": "overloaded_error", "message": PROMPT}}, "overloaded_error"),
    (CHAT, {"error": {"code": 400, "message": PROMPT}, "choices": []}, "400"),
    (CHAT, {"error": {"code": "rate_limit", "type": "requests", "message": PROMPT}}, "rate_limit"),
    (CHAT, {"error": {"code": None, "type": "server_error", "message": PROMPT}}, "server_error"),
    (RESPONSES, {"type": "error", "code": "server_error", "message": PROMPT}, "server_error"),
    (RESPONSES, {"type": "error", "message": PROMPT}, "error"),
    (RESPONSES, {"type": "error", "error": {"type": "too_many", "message": PROMPT}}, "too_many"),
    (RESPONSES, response("failed", error={"code": "server_error", "message": PROMPT}), "server_error"),
    (GEMINI, {"error": {"code": 503, "status": "UNAVAILABLE", "message": PROMPT}}, "503"),
    (GEMINI, {"error": {"status": "UNAVAILABLE", "message": PROMPT}}, "UNAVAILABLE"),
    (CHAT, {"error": {"message": PROMPT}}, "error"),
]


@pytest.mark.parametrize(("spoken", "event", "name"), ERRORS)
def test_a_failure_in_a_stream_is_known_by_its_name(spoken: Format, event: dict[str, Any], name: str) -> None:
    heard = streamed(spoken, event)
    assert heard.failure == name
    assert PROMPT not in repr(heard)


@EVERY
def test_a_failure_in_a_whole_answer_is_known_by_its_name(spoken: Format) -> None:
    heard = whole(spoken, {"error": {"type": "overloaded", "message": PROMPT}})
    assert heard.failure == "overloaded"
    assert PROMPT not in repr(heard)


def test_a_failure_in_a_stream_leaves_the_figures_that_came_before_it() -> None:
    heard = streamed(ANTHROPIC, start(input_tokens=10, output_tokens=1), ERRORS[0][1])
    assert heard == Heard(Usage(input=10, output=1), failure="overloaded_error")


def test_a_chat_chunk_after_the_failure_does_not_hide_it() -> None:
    assert streamed(CHAT, ERRORS[1][1], chunk(usage=CHAT_FIGURES)).failure == "400"


def test_the_name_of_a_failure_is_short() -> None:
    name = streamed(CHAT, {"error": {"type": "x" * 1000}}).failure
    assert name == "x" * 80


@EVERY
def test_an_error_of_lynkrs_own_is_read_as_a_failure(spoken: Format) -> None:
    from lynkr.errors import UpstreamError

    error = UpstreamError(PROMPT)
    event = CODECS[spoken].error_event(error)
    # Google's clients want it bare, outside of any event.
    heard = streamed(spoken, b"data: " + event + b"\n\n" if spoken is Format.GEMINI else event)
    assert heard.failure
    assert PROMPT not in repr(heard)


# --- the text of a stream ---------------------------------------------------------------------------------------------

TEXTS: list[tuple[Format, dict[str, Any]]] = [
    (ANTHROPIC, {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "12345"}}),
    (ANTHROPIC, {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "12345"}}),
    (ANTHROPIC, {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "12345"}}),
    (CHAT, chunk(choices=[{"delta": {"content": "12345"}, "finish_reason": None}])),
    (CHAT, chunk(choices=[{"delta": {"tool_calls": [{"function": {"arguments": "12345"}}]}}])),
    (CHAT, chunk(choices=[{"delta": {"reasoning_content": "12345"}}])),
    (RESPONSES, {"type": "response.output_text.delta", "delta": "12345"}),
    (RESPONSES, {"type": "response.function_call_arguments.delta", "delta": "12345"}),
    (GEMINI, candidate("12345")),
]


@pytest.mark.parametrize(("spoken", "event"), TEXTS)
def test_the_characters_of_streamed_output_are_counted(spoken: Format, event: dict[str, Any]) -> None:
    assert streamed(spoken, event, event).text_chars == 10


def test_a_quote_inside_of_the_text_does_not_end_it() -> None:
    text = 'say "hi" \\ and more'
    event = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
    assert streamed(ANTHROPIC, event).text_chars == len(json.dumps(text)) - 2


# --- garbage ----------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["type", "usage", "error", "code", "message", "response", "choices", "candidates", "finish_reason", "finishReason",
     "usageMetadata", "status", "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "cached_tokens",
     "prompt_tokens_details", "input_tokens_details", "cache_creation", "cache_creation_input_tokens",
     "server_tool_use", "service_tier", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"]
)  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**12),
    st.floats(-10, 1e12),
    st.just(float("nan")),
    st.sampled_from(["message_start", "message_delta", "error", "response.completed", "response.failed", "", "x"]),
)
MISSHAPEN = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=15,
)


@few
@given(st.sampled_from(list(CODECS)), st.binary(max_size=80))
def test_garbage_is_an_answer_without_figures(spoken: Format, garbage: bytes) -> None:
    assert whole(spoken, garbage).usage is None
    marks = b" ".join(CODECS[spoken].AnswerWatch.telling)
    assert streamed(spoken, garbage, b"data: " + garbage + marks).usage is None


@few
@given(st.sampled_from(list(CODECS)), st.dictionaries(NAMES, MISSHAPEN, max_size=6))
def test_an_answer_of_the_wrong_shape_never_raises(spoken: Format, answer: dict[str, Any]) -> None:
    for heard in (whole(spoken, answer), streamed(spoken, answer, {"type": "message_delta", **answer})):
        usage = heard.usage or Usage()
        assert min(usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.output) >= 0
        assert usage.reasoning <= usage.output


@EVERY
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"null", b'"usage"', b"{", b"[" * 100_000, b'{"a":' * 100_000, b"\xff"]
)
def test_what_is_no_json_object_is_not_complete(spoken: Format, body: bytes) -> None:
    assert whole(spoken, body) == Heard()


@EVERY
@pytest.mark.parametrize("figure", [None, True, -1, "5", [5], {"n": 5}, float("nan")])
def test_what_is_no_count_counts_as_nothing(spoken: Format, figure: Any) -> None:
    names = {
        ANTHROPIC: "output_tokens",
        CHAT: "completion_tokens",
        RESPONSES: "output_tokens",
        GEMINI: "candidatesTokenCount",
    }
    key = "usageMetadata" if spoken is GEMINI else "usage"
    usage = whole(spoken, {key: {names[spoken]: figure, "other": 1}}).usage
    assert usage == Usage()


@few
@given(st.sampled_from(ANSWERS), st.integers(0, 400))
def test_an_answer_that_breaks_off_is_not_complete(answer: tuple[Format, dict[str, Any], Usage], kept: int) -> None:
    body = json.dumps(answer[1]).encode()
    assert whole(answer[0], body[: min(kept, len(body) - 1)]) == Heard()
