"""What single providers do in their answers: where they put thoughts, which come back with the calls that they led to,
and how they say that something went wrong in the middle of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from providers import PROVIDERS
from saying import first, second, send, serving
from scripts import Asked, Step, stream, whole
from strict import CALL, Described

BY_NAME = {one.name: one for one in PROVIDERS}
THOUGHT = "A listing is wanted."


def called(name: str) -> list[dict[str, Any]]:
    return [{"id": name, "type": "function", "function": {"name": CALL[0], "arguments": json.dumps(CALL[1])}}]


def chat(message: dict[str, Any]) -> Callable[[Asked], list[Step]]:
    """An answer to every request, whole."""
    usage = {"prompt_tokens": 900, "completion_tokens": 12, "total_tokens": 912}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "tool_calls"}
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "choices": [choice], "usage": usage}
    return lambda asked: whole(json.dumps({**answer, "model": asked.json["model"]}).encode())


THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]
# Where each puts its thoughts (api-docs.deepseek.com, platform.moonshot.ai, docs.z.ai, console.groq.com/docs/reasoning,
# docs.mistral.ai "Reasoning"), and whether it wants them back.
IN_REASONING: dict[str, Any] = {"content": None, "reasoning_content": THOUGHT, "tool_calls": called("call_1")}
THINKERS: list[tuple[Described, dict[str, Any], bool]] = [
    (BY_NAME["deepseek"], IN_REASONING, True),
    (BY_NAME["moonshot"], IN_REASONING, True),
    (BY_NAME["zai"], IN_REASONING, True),
    (BY_NAME["groq"], {"content": None, "reasoning": THOUGHT, "tool_calls": called("call_1")}, False),
    (BY_NAME["mistral"], {"content": THINKING, "tool_calls": called("D681PevKs")}, False),
]


@pytest.mark.parametrize(
    ("described", "message", "back"), THINKERS, ids=[described.name for described, _, _ in THINKERS]
)
def test_thoughts_are_heard_and_come_back_where_they_are_wanted(
    described: Described, message: dict[str, Any], back: bool, tmp_path: Path
) -> None:
    with serving(described, tmp_path, chat(message)) as (strict, up, lynkr):
        answer = json.loads(send(lynkr, "anthropic", first("anthropic"), streamed=False).body)
        kinds = [block["type"] for block in answer["content"]]
        assert kinds == ["thinking", "tool_use"]
        assert answer["content"][0]["thinking"] == THOUGHT
        body = second("anthropic")
        body["messages"][1]["content"] = answer["content"]
        body["messages"][2]["content"][0]["tool_use_id"] = answer["content"][1]["id"]
        assert send(lynkr, "anthropic", body, streamed=False).status == 200
        assert strict.wrong == []
        turn = up.asked[-1].json["messages"][2]
        assert [call["function"]["name"] for call in turn["tool_calls"]] == [CALL[0]]
        assert turn.get("reasoning_content") == (THOUGHT if back else None)


def test_a_models_maker_says_nothing_of_what_its_host_takes_back(tmp_path: Path) -> None:
    """Kimi wants its thoughts back at Moonshot; Groq, which serves it as well, refuses them."""
    model = "moonshotai/kimi-k2.6"
    groq = BY_NAME["groq"]
    kimi = replace(groq, model=model, lane=groq.lane.replace(groq.model, model))
    message = {"content": None, "reasoning": THOUGHT, "tool_calls": called("call_1")}
    with serving(kimi, tmp_path, chat(message)) as (strict, _, lynkr):
        answer = json.loads(send(lynkr, "anthropic", first("anthropic"), streamed=False).body)
        body = second("anthropic")
        body["messages"][1]["content"] = answer["content"]
        body["messages"][2]["content"][0]["tool_use_id"] = answer["content"][1]["id"]
        assert (send(lynkr, "anthropic", body, streamed=False).status, strict.wrong) == (200, [])


def chunks(*events: bytes) -> Callable[[Asked], list[Step]]:
    """An answer that begins, and what comes then."""
    delta = {"role": "assistant", "content": "The files"}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    begun = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return lambda _: stream([b"data: " + json.dumps(begun).encode() + b"\n\n", *events])


def event(value: dict[str, Any], name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
FAILED_TOOL = {"message": "Failed to call a function.", "type": "invalid_request_error", "code": "tool_use_failed"}
ROUTED = {
    "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "provider": "Anthropic",
    "error": {"code": "server_error", "message": "Provider disconnected"},
    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
}  # fmt: skip
# A recording of pydantic-ai's; openrouter.ai/docs "Errors"; as most others do it.
BROKEN = {
    "groq-event": ("groq", [event({"error": {**FAILED_TOOL, "status_code": 400}}, "error")], "Failed to call a function."),
    "groq-data": ("groq", [event({"error": {**FAILED_TOOL, "status_code": 400}})], "Failed to call a function."),
    "openrouter": ("openrouter", [event(ROUTED), DONE], "Provider disconnected"),
    "deepseek": ("deepseek", [event({"error": {"message": "Overloaded", "type": "server_error", "code": None}})], "Overloaded"),
}  # fmt: skip


@pytest.mark.parametrize("client", ["anthropic", "openai-responses", "gemini"])
@pytest.mark.parametrize(("name", "events", "words"), BROKEN.values(), ids=BROKEN)
def test_an_error_in_the_middle_of_an_answer_is_no_end_of_it(
    name: str, events: list[bytes], words: str, client: str, tmp_path: Path
) -> None:
    described = BY_NAME[name]
    if client in described.formats:
        described = replace(described, lane=described.lane + '\nformat = "openai-chat"')
    with serving(described, tmp_path, chunks(*events)) as (strict, _, lynkr):
        answer = send(lynkr, client, first(client), streamed=True)
        assert strict.wrong == []
        assert words in answer.body.decode()
        for good_end in ("message_stop", "response.completed", '"finishReason": "STOP"', '"finishReason":"STOP"'):
            assert good_end not in answer.body.decode()
        assert lynkr.row().error
