"""What Amazon Bedrock's two formats share: its errors, and how a model's name stands in a path."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lynkr.events import Refusal
from lynkr.formats.refusals import by_words
from lynkr.formats.values import dumps, text
from lynkr.formats.watch import parsed
from lynkr.framing.frame import Frame

# Exception names, as they stand in a stream and in `x-amzn-errortype` (botocore, bedrock-runtime 2023-09-30).
_KINDS = {
    "throttlingexception": "rate_limit",
    "servicequotaexceededexception": "quota",
    "validationexception": "invalid",
    "accessdeniedexception": "permission",
    "resourcenotfoundexception": "not_found",
    "modeltimeoutexception": "timeout",
    "modelnotreadyexception": "overloaded",
    "serviceunavailableexception": "overloaded",
    "internalserverexception": "server",
    "modelerrorexception": "server",
    "modelstreamerrorexception": "server",
}


def model_path(model: str) -> str:
    """A model's id or ARN as a part of a path; AWS's own clients leave a colon as it is."""
    return quote(model, safe=":;")


def read_refusal(body: dict[str, Any]) -> Refusal:
    """The refusal in an error's body."""
    message = text(body, "message") or text(body, "Message") or dumps(body)
    named = text(body, "__type").rpartition("#")[2].lower()
    return by_words(Refusal(_KINDS.get(named, "server"), message))


def failed(frame: Frame) -> Refusal:
    """The refusal in an exception that ends a stream."""
    name = frame.name.removeprefix("!")
    message = text(parsed(frame.data), "message") or name
    return by_words(Refusal(_KINDS.get(name.lower(), "server"), message, code=name))
