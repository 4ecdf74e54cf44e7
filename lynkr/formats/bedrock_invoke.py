"""Amazon Bedrock's InvokeModel for Claude: Anthropic's body in AWS's envelope, in both directions.

It knows another format, as `vertex_anthropic` does, because it is that format, with the model in the path, version and
betas in the body, and each event base64 inside an AWS event. A client of Anthropic's keeps its own bytes within the
envelope.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import Conversation
from lynkr.events import Event, Failed, MalformedStream
from lynkr.formats import anthropic
from lynkr.formats.anthropic import read_answer
from lynkr.formats.bedrock import failed, model_path, read_refusal
from lynkr.formats.values import text
from lynkr.formats.watch import parsed
from lynkr.framing import sse
from lynkr.framing.eventstream import Messages as Framing
from lynkr.framing.frame import Frame
from lynkr.lane import Format
from lynkr.target import Label, Target

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
    "unpacked",
    "write_request",
]

NAME = Format.BEDROCK_INVOKE
# The format of what is inside.
INNER = Format.ANTHROPIC
HEADERS: dict[str, str] = {}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = anthropic.CALL_ID
BETAS_IN_BODY = True
VERSION = "bedrock-2023-05-31"


def target_path(model: str, stream: bool) -> str:
    """Where a request is posted to."""
    return f"/model/{model_path(model)}/invoke" + ("-with-response-stream" if stream else "")


def envelope(betas: tuple[str, ...]) -> dict[str, Any]:
    """What the envelope changes in a body: its members by name, None for those that must go."""
    said: dict[str, Any] = {"model": None, "stream": None, "anthropic_version": VERSION}
    return said | ({"anthropic_beta": list(betas)} if betas else {})


def write_request(conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]:
    """The body that says `conversation`; what it cannot say is noted in `changes`."""
    body = anthropic.write_request(conversation, target, changes)
    body = {name: value for name, value in body.items() if name not in ("model", "stream")}
    return {"anthropic_version": VERSION, **body}


def unpacked(frame: Frame) -> Frame | None:
    """Anthropic's event in a frame; None where it holds none. Raises MalformedStream."""
    if frame.name != "chunk":
        return None
    held = text(parsed(frame.data), "bytes")
    try:
        data = base64.b64decode(held, validate=True)
    except ValueError as error:
        raise MalformedStream("an event's bytes are not base64") from error
    kind = text(parsed(data), "type")
    return Frame(kind if kind.isascii() and kind.isprintable() else "", data)


def passed(frame: Frame) -> bytes:
    """The same event as a client of Anthropic's gets it, its JSON untouched; nothing where it holds none."""
    inner = unpacked(frame)
    return sse.write(inner.name, inner.data) if inner else b""


class AnswerReader:
    """Reads one streamed answer, frame by frame."""

    def __init__(self, label: Label, changes: Changes) -> None:
        self._inner = anthropic.AnswerReader(label, changes)

    def frame(self, frame: Frame) -> list[Event]:
        """The events that a frame tells. Raises MalformedStream."""
        if frame.name.startswith("!"):
            return [Failed(failed(frame))]
        inner = unpacked(frame)
        return self._inner.frame(inner) if inner else []

    def end(self) -> list[Event]:
        """What the end of the stream tells. Raises MalformedStream where the answer is not whole."""
        return self._inner.end()
