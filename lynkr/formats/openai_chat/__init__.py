"""OpenAI Chat Completions: POST /v1/chat/completions, as OpenAI and the many who speak it after OpenAI do."""

from __future__ import annotations

import re

from lynkr.errors import LynkrError
from lynkr.formats.openai import error_body, read_refusal, refusal_body
from lynkr.formats.openai_chat.answer_read import AnswerReader, read_answer
from lynkr.formats.openai_chat.answer_write import PING, AnswerWriter, write_answer
from lynkr.formats.openai_chat.figures import AnswerWatch
from lynkr.formats.openai_chat.passages import TALK, passages, reshaped, told
from lynkr.formats.openai_chat.request_read import read_request
from lynkr.formats.openai_chat.request_write import write_request
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

NAME = Format.OPENAI_CHAT
PATHS = re.compile(r"/v1/chat/completions")
FREE_PATHS = re.compile(r"(?!)")
# Events have no names here, so that a client could only fail to read a broken one: it ends as the lane ended it.
AFTER_BROKEN: bytes | None = None
CREDENTIALS = ("authorization",)
HEADERS: dict[str, str] = {}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = re.compile(r"[!-~]{1,64}")


def error_event(error: LynkrError) -> bytes:
    """The SSE event that ends a stream which cannot go on."""
    return sse.write("", error_body(error))


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    return "/v1/chat/completions"
