"""Anthropic Messages: POST /v1/messages (wire facts: platform.claude.com, "Messages" and "Streaming")."""

from __future__ import annotations

import re

from lynkr.formats.anthropic.answer_read import AnswerReader, read_answer
from lynkr.formats.anthropic.answer_write import PING, AnswerWriter, write_answer
from lynkr.formats.anthropic.breakpoints import breakpoints
from lynkr.formats.anthropic.errors import error_body, error_event, read_refusal, refusal_body
from lynkr.formats.anthropic.figures import AnswerWatch
from lynkr.formats.anthropic.passages import TALK, passages, reshaped, told
from lynkr.formats.anthropic.request_read import read_request
from lynkr.formats.anthropic.request_write import write_request
from lynkr.framing.sse import Stream as Framing
from lynkr.lane import Format

__all__ = [
    "AFTER_BROKEN",
    "CALL_ID",
    "CREDENTIALS",
    "FREE_PATHS",
    "HEADERS",
    "NAME",
    "PATHS",
    "PING",
    "TALK",
    "TOOL_NAME",
    "AnswerReader",
    "AnswerWatch",
    "AnswerWriter",
    "Framing",
    "breakpoints",
    "error_body",
    "error_event",
    "passages",
    "read_answer",
    "read_refusal",
    "read_request",
    "refusal_body",
    "reshaped",
    "target_path",
    "told",
    "write_answer",
    "write_request",
]

NAME = Format.ANTHROPIC
PATHS = re.compile(r"/v1/messages")
# Counting tokens is free of charge; it is relayed like any other request and never metered.
FREE_PATHS = re.compile(r"/v1/messages/count_tokens")
# One line end: clients go by the name of the event, and the last name in it counts. With two they would try to read the
# broken rest first and complain about it (Claude Code 2.1.329).
AFTER_BROKEN: bytes | None = b"\n"
CREDENTIALS = ("x-api-key", "authorization")
HEADERS = {"anthropic-version": "2023-06-01"}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    return "/v1/messages"
