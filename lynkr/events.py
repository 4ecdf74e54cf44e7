"""What an answer says, whatever wire format it came in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lynkr.conversation import Call, Opaque, Seal, Text, Thinking


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; the kinds do not overlap, so their sum is all there was.

    `input` is uncached input only. `cache_write` is held for the provider's default time (5 minutes at Anthropic),
    `cache_write_1h` for an hour. `reasoning` is the part of `output` that was thinking. `extras` says that something
    was billed besides tokens at the list rate (a server tool's fee, a faster or slower service tier), so that a cost
    computed from these figures alone is an estimate.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    extras: bool = False

    @property
    def prompt(self) -> int:
        """All input tokens, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader took from an answer that passed by.

    `usage` is None where the provider gave no figures. `final` says whether they are its last word: a stream that is
    cut after its first event leaves the input known and the output open. `text_chars` counts the characters of output
    that were seen, the ground for an estimate where the figure is missing. `complete` says that the answer reached
    its own end; `failure` is the provider's name for an error inside of it.
    """

    usage: Usage | None = None
    final: bool = False
    complete: bool = False
    text_chars: int = 0
    failure: str | None = None


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
