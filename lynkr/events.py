"""What an answer says, whatever wire format it came in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lynkr.conversation import Call, Opaque, Seal, Text, Thinking
from lynkr.usage import Usage


class Stop(StrEnum):
    """Why an answer ended."""

    END = "end"
    SEQUENCE = "sequence"  # a stop sequence was met
    LENGTH = "length"  # the limit of output tokens
    CONTEXT = "context"  # the model's context is full
    CALLS = "calls"  # the client is to run tools
    PAUSE = "pause"  # the provider wants to go on when the same is sent again
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Start:
    """An answer begins. `usage` is what is known of the input so far."""

    id: str = ""
    model: str = ""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A part begins: a Text, Thinking or Call without its text or arguments, or a whole Opaque. Parts never overlap."""

    part: Text | Thinking | Call | Opaque


@dataclass(frozen=True, slots=True)
class Delta:
    """More of the open part: of its text, or of its call's arguments."""

    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """The open part is whole. `seal` is what came with it, known only now."""

    seal: Seal | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The answer is whole. `sequence` is the stop sequence that was met."""

    stop: Stop
    usage: Usage | None = None
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider gave up: before it answered, or in the middle."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Passed:
    """An event of the client's own format, as it came out of a cloud's envelope. `silent`: it says nothing yet."""

    data: bytes
    silent: bool = False


Event = Start | Open | Delta | Close | End | Ping | Failed | Passed


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of a provider's, in terms that every format has a word for.

    `kind`: invalid, authentication, billing, permission, not_found, conflict, too_large, context (the prompt is longer
    than the model takes), rate_limit, quota (as rate_limit, but waiting does not help), server, overloaded, timeout.
    `status` is the HTTP status it came with, None inside a stream.
    """

    kind: str
    message: str
    status: int | None = None
    code: str | None = None
    retry_after: str | None = None


class MalformedStream(ValueError):
    """An answer that is not in the format it should be in."""


class Unfinished(MalformedStream):
    """An answer that stops before its end, in the right format so far."""
