"""Ollama's own API: POST /api/chat, lines of JSON. A format of lanes only; no client speaks it to us."""

from __future__ import annotations

import re

from lynkr.formats.ollama.answer_read import AnswerReader, read_answer, read_refusal
from lynkr.formats.ollama.request_write import write_request
from lynkr.framing.ndjson import Lines as Framing
from lynkr.lane import Format

__all__ = [
    "CALL_ID",
    "HEADERS",
    "NAME",
    "TOOL_NAME",
    "AnswerReader",
    "Framing",
    "read_answer",
    "read_refusal",
    "target_path",
    "write_request",
]

NAME = Format.OLLAMA
HEADERS: dict[str, str] = {}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = re.compile(r"[!-~]{1,128}")


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    return "/api/chat"
