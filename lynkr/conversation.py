"""What a request says, whatever wire format it came in: small frozen values.

A wire format's reader makes them and its writer says them again; whoever shapes a request (routing, fitting,
compression) works on these and never sees a format. What a format cannot say in them is kept as `Opaque`, which only
the format it came from can write, or named in `rest`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lynkr.lane import Format

Role = Literal["user", "assistant", "system"]
# `function` takes a JSON object, `custom` free text (OpenAI's freeform tools), `search` finds deferred tools.
ToolKind = Literal["function", "custom", "search"]
# A cache breakpoint stands behind what carries it; the value is how long the entry lives.
Cache = Literal["5m", "1h"]


@dataclass(frozen=True, slots=True)
class Home:
    """Where a request goes: the lane and the model. What is sealed is opened only where it was made."""

    lane: str
    model: str


@dataclass(frozen=True, slots=True)
class Seal:
    """A piece of reasoning that only its maker can read (a signature, an encrypted item), as text.

    `kind` names the wire field it came from: `anthropic.signature`, `anthropic.redacted`, `openai.reasoning` (JSON),
    `gemini.signature`, `chat.reasoning` (what a chat server says beside its answer, as text) and `chat.details` (JSON).
    `home` is None where it came from the client bare, which means: made by whoever speaks the client's own format.
    """

    kind: str
    data: str
    home: Home | None = None

    def at(self, home: Home) -> bool:
        """Whether it may be sent there."""
        return self.home is None or self.home == home


ENVELOPE = "lynkr:v1:"


def wrap(seal: Seal, home: Home, *, of_call: bool = False) -> str:
    """`seal`, made at `home`, as one string that survives a client of another format (ASCII, no spaces).

    `of_call` says that it belongs to the call which follows it. `unwrap` is the reverse.
    """
    held = [home.lane, home.model, seal.kind, seal.data, of_call]
    return ENVELOPE + base64.urlsafe_b64encode(json.dumps(held).encode()).decode()


# What Claude Code puts before its instructions for Anthropic alone, which takes it out again.
BILLING = "x-anthropic-billing-header:"
# The kind of seal that holds lynkr's own summary of a conversation: any lane may read it.
SUMMARY = "lynkr.summary"


def unwrap(text: str) -> tuple[Seal, bool] | None:
    """The seal in a string that `wrap` made, and whether it is a call's; None for any other string."""
    if not text.startswith(ENVELOPE):
        return None
    try:
        held = json.loads(base64.urlsafe_b64decode(text[len(ENVELOPE) :]))
        lane, model, kind, data, of_call = (str(held[0]), str(held[1]), str(held[2]), str(held[3]), bool(held[4]))
    except (ValueError, LookupError, TypeError):
        return Seal("broken", ""), False
    return Seal(kind, data, Home(lane, model)), of_call


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning. `text` may be empty where all of it is sealed."""

    text: str
    seal: Seal | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. `arguments` is JSON text, as the model wrote it; for a custom tool, the free text."""

    id: str
    name: str
    arguments: str = ""
    kind: ToolKind = "function"
    namespace: str | None = None
    seal: Seal | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, document, audio or video: base64 `data` with its type, a `url`, or a `file` held by the provider."""

    kind: Literal["image", "document", "audio", "video"]
    mime: str
    data: str | None = None
    url: str | None = None
    file: str | None = None
    name: str | None = None
    detail: str | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """In a result: a deferred tool that may be used from here on."""

    tool: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """A block that only `origin` has. `text` is what of it can be said in words elsewhere, "" if nothing."""

    origin: Format
    what: str
    value: Any
    text: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call gave. `name` is the called tool's, where it is known."""

    call_id: str
    parts: tuple[Text | Media | Reference | Opaque, ...] = ()
    error: bool = False
    name: str = ""
    kind: ToolKind = "function"
    cache: Cache | None = None
    # Tools that a search found and that may be called from here on.
    tools: tuple[Tool, ...] = ()


Part = Text | Thinking | Call | Result | Media | Opaque


@dataclass(frozen=True, slots=True)
class Turn:
    """Parts of one speaker. Results stand in the user's turns.

    `effort` is to be used from here on. `span` says which elements of the client's own list it was read from, first and
    one past the last; None for a turn of ours.
    """

    role: Role
    parts: tuple[Part, ...]
    effort: str | None = None
    span: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call. `schema` is JSON Schema; `format` the grammar of a custom tool.

    A `deferred` tool is not shown to the model before a `Reference` names it.
    """

    name: str
    description: str = ""
    schema: Mapping[str, Any] | None = None
    kind: ToolKind = "function"
    namespace: str | None = None
    strict: bool | None = None
    deferred: bool = False
    format: Mapping[str, Any] | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a tool is to be called. `only` narrows `auto` and `any` to some names; with one name, `any` is that."""

    mode: Literal["auto", "any", "none"] = "auto"
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model is to think before it answers.

    `mode`: `adaptive` (as it sees fit), `budget` (up to `budget` tokens), `between_tools`, `off`; None leaves it to
    the model. `effort` is one of none, minimal, low, medium, high, xhigh, max. `shown` asks for the thoughts' text.
    """

    mode: Literal["adaptive", "budget", "between_tools", "off"] | None = None
    budget: int | None = None
    effort: str | None = None
    shown: bool | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """The answer's form: JSON by `schema`, or any JSON object where that is None."""

    schema: Mapping[str, Any] | None = None
    name: str = "answer"
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. None leaves a field to the model."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole request. `rest` holds the top-level fields that have no place here, by their names on the wire.

    `cache` is a breakpoint behind the last part, wherever that is. `billing` is what Claude Code tells Anthropic in the
    system prompt, and nobody else.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool | Opaque, ...] = ()
    choice: Choice | None = None
    parallel: bool | None = None
    max_output: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    reasoning: Reasoning = field(default_factory=Reasoning)
    output: Output | None = None
    verbosity: str | None = None
    user: str | None = None
    cache_key: str | None = None
    service_tier: str | None = None
    stream: bool = False
    # The client hands its history over to be summed up, and wants one sealed item back that stands for it.
    summary: bool = False
    wants_usage: bool = True
    cache: Cache | None = None
    billing: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)
