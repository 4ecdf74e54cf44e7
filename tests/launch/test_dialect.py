"""A tool of many formats speaks the lane's own, so that nothing need be translated."""

from __future__ import annotations

import pytest

from lynkr.lane import Auth, Format, Lane
from lynkr.launch.launch import dialect

A, CHAT, RESPONSES, GEMINI = Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI


@pytest.mark.parametrize(
    ("formats", "known", "spoken"),
    [
        ((RESPONSES, CHAT), (A, CHAT, RESPONSES), RESPONSES),
        ((CHAT, A, RESPONSES), (A, RESPONSES), A),
        ((Format.BEDROCK_INVOKE, Format.BEDROCK_CONVERSE), (A, CHAT), A),
        ((Format.VERTEX_ANTHROPIC,), (CHAT, A), A),
        ((Format.OLLAMA,), (A, CHAT), CHAT),
        ((GEMINI,), (A, CHAT), CHAT),
    ],
)
def test_a_tool_speaks_what_its_lane_speaks(
    formats: tuple[Format, ...], known: tuple[Format, ...], spoken: Format
) -> None:
    assert dialect(Lane("main", "any", formats, Auth.KEY), known) is spoken
