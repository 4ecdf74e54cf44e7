"""OpenAI Responses: POST /v1/responses, what Codex speaks."""

from __future__ import annotations

import json
import re

from lynkr.errors import LynkrError
from lynkr.formats.openai import error_body, read_refusal, refusal_body
from lynkr.formats.openai_responses.answer_read import AnswerReader, read_answer
from lynkr.formats.openai_responses.answer_write import PING, AnswerWriter, write_answer
from lynkr.formats.openai_responses.figures import AnswerWatch
from lynkr.formats.openai_responses.passages import TALK, passages, reshaped, told
from lynkr.formats.openai_responses.request_read import read_request
from lynkr.formats.openai_responses.request_write import write_request
from lynkr.framing import sse
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

NAME = Format.OPENAI_RESPONSES
PATHS = re.compile(r"/v1/responses")
FREE_PATHS = re.compile(r"/v1/responses/input_tokens")
# Two line ends: Codex passes over an event that it cannot read and takes the next one (0.169.0).
AFTER_BROKEN: bytes | None = b"\n\n"
CREDENTIALS = ("authorization", "chatgpt-account-id")
HEADERS: dict[str, str] = {}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = re.compile(r"[!-~]{1,64}")


def error_event(error: LynkrError) -> bytes:
    """The SSE event that ends a stream which cannot go on."""
    failed = {"status": "failed", "error": {"code": "server_error", "message": error.sentence}}
    return sse.write("response.failed", json.dumps({"type": "response.failed", "response": failed}).encode())


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    return "/v1/responses"
