"""Claude on Google's Vertex AI: Anthropic's body in Google's envelope.

Anthropic's own format but for the model, which stands in the path, and the version, which stands in the body; betas
stay a header, and events come as they are. What is refused may be refused in Google's words.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from lynkr.changes import Changes
from lynkr.conversation import Conversation
from lynkr.events import Refusal
from lynkr.formats import anthropic, google
from lynkr.formats.anthropic import AnswerReader, Framing, read_answer
from lynkr.framing import sse
from lynkr.framing.frame import Frame
from lynkr.lane import Format
from lynkr.target import Target

__all__ = [
    "BETAS_IN_BODY",
    "CALL_ID",
    "HEADERS",
    "INNER",
    "NAME",
    "TOOL_NAME",
    "AnswerReader",
    "Framing",
    "envelope",
    "passed",
    "read_answer",
    "read_refusal",
    "target_path",
    "write_request",
]

NAME = Format.VERTEX_ANTHROPIC
# The format of what is inside.
INNER = Format.ANTHROPIC
HEADERS: dict[str, str] = {}
TOOL_NAME: re.Pattern[str] = anthropic.TOOL_NAME
CALL_ID: re.Pattern[str] = anthropic.CALL_ID
BETAS_IN_BODY = False
VERSION = "vertex-2023-10-16"


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to; dated models have an `@`."""
    return f"/models/{quote(model, safe='@')}:" + ("streamRawPredict" if stream else "rawPredict")


def envelope(_betas: tuple[str, ...]) -> dict[str, Any]:
    """What the envelope changes in a body: its members by name, None for those that must go."""
    return {"model": None, "anthropic_version": VERSION}


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    body = anthropic.write_request(conversation, target, changes)
    return {"anthropic_version": VERSION} | {name: value for name, value in body.items() if name != "model"}


def read_refusal(body: dict[str, Any]) -> Refusal:
    """The refusal in an error's body: Anthropic's, where the model refuses, or Google's, where the cloud does."""
    return anthropic.read_refusal(body) if body.get("type") == "error" else google.read_refusal(body)


def passed(frame: Frame) -> bytes:
    """An event as it came."""
    return sse.write(frame.name, frame.data)
