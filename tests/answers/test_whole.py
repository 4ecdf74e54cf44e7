"""Whether an answer is one to keep is said of whatever a provider may have sent, and saying it never raises."""

from __future__ import annotations

from typing import Any

import pytest

from lynkr.answers.whole import is_whole
from lynkr.lane import Format

ANTHROPIC, CHAT, RESPONSES, GEMINI = (
    Format.ANTHROPIC,
    Format.OPENAI_CHAT,
    Format.OPENAI_RESPONSES,
    Format.GEMINI,
)
WHOLE: dict[Format, dict[str, Any]] = {
    ANTHROPIC: {"type": "message", "content": [{"type": "text", "text": "So."}], "stop_reason": "end_turn"},
    CHAT: {"choices": [{"index": 0, "message": {"role": "assistant", "content": "So."}, "finish_reason": "stop"}]},
    RESPONSES: {"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "So."}]}]},
    GEMINI: {"candidates": [{"content": {"parts": [{"text": "So."}]}, "finishReason": "STOP"}]},
}  # fmt: skip


@pytest.mark.parametrize("spoken", WHOLE)
def test_an_answer_in_words_that_came_to_its_end_is_whole(spoken: Format) -> None:
    assert is_whole(spoken, [WHOLE[spoken]])


ODD: list[list[dict[str, Any]]] = [
    [{"choices": [None]}],
    [{"choices": ["t"]}],
    [{"choices": [{"message": "t", "finish_reason": "stop"}]}],
    [{"candidates": [{"content": "t"}]}],
    [{"candidates": [{"content": "t", "finishReason": "STOP"}]}],
    [{"candidates": [None]}],
    [{"output": [None], "status": "completed"}],
    [{"type": "message", "content": [None], "stop_reason": "end_turn"}],
    [{"type": ["message_start"]}],
    [{"type": ["message_start"]}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}],
    [{"type": ["response.completed"]}, {"type": "response.completed", "response": WHOLE[RESPONSES]}],
]


@pytest.mark.parametrize("values", ODD, ids=str)
@pytest.mark.parametrize("spoken", WHOLE)
def test_what_is_of_an_odd_shape_is_no_answer_to_keep(spoken: Format, values: list[dict[str, Any]]) -> None:
    assert is_whole(spoken, values) is False
