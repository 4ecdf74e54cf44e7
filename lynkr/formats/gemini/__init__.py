"""Gemini generateContent: POST /v1beta/models/{model}:generateContent and :streamGenerateContent."""

from __future__ import annotations

import re
from urllib.parse import quote

from lynkr.formats.gemini.answer_read import AnswerReader, read_answer
from lynkr.formats.gemini.answer_write import PING, AnswerWriter, write_answer
from lynkr.formats.gemini.errors import error_body, error_event, refusal_body
from lynkr.formats.gemini.figures import AnswerWatch
from lynkr.formats.gemini.passages import TALK, passages, reshaped, told
from lynkr.formats.gemini.request_read import read_request
from lynkr.formats.gemini.request_write import write_request
from lynkr.formats.google import read_refusal
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

NAME = Format.GEMINI
PATHS = re.compile(r"/v1(?:alpha|beta)?/models/(?P<model>.+):(?:generateContent|streamGenerateContent)")
FREE_PATHS = re.compile(r"/v1(?:alpha|beta)?/models/.+:countTokens")
# Events have no names here, so that a client could only fail to read a broken one: it ends as the lane ended it.
AFTER_BROKEN: bytes | None = None
CREDENTIALS = ("x-goog-api-key", "authorization")
HEADERS: dict[str, str] = {}
TOOL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
CALL_ID = re.compile(r"[!-~]{1,128}")


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    name = quote(model, safe="")
    return (
        f"/v1beta/models/{name}:streamGenerateContent?alt=sse" if stream else f"/v1beta/models/{name}:generateContent"
    )
