"""Amazon Bedrock's Converse: POST /model/{id}/converse and /converse-stream. A format of lanes only."""

from __future__ import annotations

import re

from lynkr.formats.bedrock import model_path, read_refusal
from lynkr.formats.bedrock_converse.answer_read import AnswerReader, read_answer
from lynkr.formats.bedrock_converse.request_write import write_request
from lynkr.framing.eventstream import Messages as Framing
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

NAME = Format.BEDROCK_CONVERSE
HEADERS: dict[str, str] = {}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    return f"/model/{model_path(model)}/converse" + ("-stream" if stream else "")
