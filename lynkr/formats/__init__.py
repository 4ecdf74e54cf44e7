"""One module or folder a wire format. None knows another; these tables are where they meet.

Every format can be a lane's: it says where a request is posted (`target_path`) and with what headers, writes one
(`write_request`), and reads the answer, streamed (`Framing`, `AnswerReader`) or whole (`read_answer`, `read_refusal`).
Those that tools speak (`CODECS`) also say which paths are theirs (`PATHS`, and `FREE_PATHS` for what is never billed),
which headers carry the client's credential (`CREDENTIALS`), read requests, write answers, and say how an error of ours
looks (`error_body`, `error_event`, and what has to stand between a broken event and that one: `AFTER_BROKEN`), in which
list what was said stands (`TALK`) and what each of its elements holds (`passages`), and change which tools are offered
(`reshaped`) and what the system prompt ends with (`told`). What
passes by untouched is read for its figures alone (`AnswerWatch`). Clouds put an envelope around another's format
(`ENVELOPES`): the client's own body goes into it (`envelope`), and its own events come out (`passed`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from lynkr.answer import Answer
from lynkr.changes import Changes
from lynkr.conversation import Conversation
from lynkr.document import Document, Edit, Trail
from lynkr.errors import LynkrError
from lynkr.events import Event, Refusal
from lynkr.formats import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
    vertex_anthropic,
)
from lynkr.formats.watch import Watch
from lynkr.framing.frame import Frame, Framing
from lynkr.lane import Format
from lynkr.passage import Passage, Reshape
from lynkr.target import Label, Target


class Reader(Protocol):
    """Reads one streamed answer."""

    def __init__(self, label: Label, changes: Changes) -> None: ...

    def frame(self, frame: Frame) -> list[Event]: ...

    def end(self) -> list[Event]: ...


class Writer(Protocol):
    """Writes one streamed answer."""

    def __init__(self, label: Label, changes: Changes) -> None: ...

    def event(self, event: Event) -> bytes: ...


# Properties, because a module's constants are only to be read.
class Speech(Protocol):
    """What the module of a format holds that lanes speak."""

    @property
    def NAME(self) -> Format: ...

    @property
    def HEADERS(self) -> Mapping[str, str]: ...

    @property
    def TOOL_NAME(self) -> re.Pattern[str]: ...

    @property
    def CALL_ID(self) -> re.Pattern[str]: ...

    @property
    def Framing(self) -> type[Framing]: ...

    @property
    def AnswerReader(self) -> type[Reader]: ...

    def target_path(self, model: str, stream: bool) -> str: ...

    def write_request(self, conversation: Conversation, target: Target, changes: Changes) -> dict[str, Any]: ...

    def read_answer(self, body: dict[str, Any], label: Label, changes: Changes) -> Answer: ...

    def read_refusal(self, body: dict[str, Any]) -> Refusal: ...


class Codec(Speech, Protocol):
    """What the module of a format holds that tools speak as well."""

    @property
    def PATHS(self) -> re.Pattern[str]: ...

    @property
    def FREE_PATHS(self) -> re.Pattern[str]: ...

    @property
    def CREDENTIALS(self) -> tuple[str, ...]: ...

    @property
    def AFTER_BROKEN(self) -> bytes | None: ...

    @property
    def PING(self) -> bytes: ...

    @property
    def TALK(self) -> str: ...

    @property
    def AnswerWatch(self) -> type[Watch]: ...

    @property
    def AnswerWriter(self) -> type[Writer]: ...

    def read_request(self, body: dict[str, Any], trail: Trail | None = None) -> Conversation: ...

    def passages(self, element: dict[str, Any]) -> Iterator[Passage]: ...

    def reshaped(self, tools: list[Any], reshape: Reshape) -> list[Any]: ...

    def told(self, document: Document, words: str) -> list[Edit]: ...

    def write_answer(self, answer: Answer, label: Label, changes: Changes) -> bytes: ...

    def refusal_body(self, refusal: Refusal) -> tuple[int, bytes]: ...

    def error_body(self, error: LynkrError) -> bytes: ...

    def error_event(self, error: LynkrError) -> bytes: ...


class Envelope(Speech, Protocol):
    """What the module of a cloud's envelope holds as well."""

    @property
    def INNER(self) -> Format: ...

    @property
    def BETAS_IN_BODY(self) -> bool: ...

    def envelope(self, betas: tuple[str, ...]) -> dict[str, Any]: ...

    def passed(self, frame: Frame) -> bytes: ...


_SPOKEN_BY_TOOLS: tuple[Codec, ...] = (anthropic, openai_chat, openai_responses, gemini)
_ENVELOPES: tuple[Envelope, ...] = (bedrock_invoke, vertex_anthropic)
_SPOKEN_BY_LANES: tuple[Speech, ...] = (*_SPOKEN_BY_TOOLS, ollama, bedrock_converse, *_ENVELOPES)
CODECS: dict[Format, Codec] = {codec.NAME: codec for codec in _SPOKEN_BY_TOOLS}
SPEECHES: dict[Format, Speech] = {speech.NAME: speech for speech in _SPOKEN_BY_LANES}
ENVELOPES: dict[Format, Envelope] = {envelope.NAME: envelope for envelope in _ENVELOPES}
# Whatever names a credential in any format: what is taken off where the lane brings its own.
CREDENTIAL_HEADERS = frozenset(
    {name for codec in CODECS.values() for name in codec.CREDENTIALS}
    | {"api-key", "cookie", "openai-organization", "openai-project"}
)


class Match(NamedTuple):
    """What a path means: its format, whether its answers are metered, the model if the path names it."""

    format: Format
    metered: bool
    model: str | None


@lru_cache(maxsize=256)
def match(method: str, path: str) -> Match | None:
    """The format that `path` (without the query) speaks, or None for what is only to be tunnelled."""
    if method != "POST":
        return None
    for name, codec in CODECS.items():
        if found := codec.PATHS.fullmatch(path):
            return Match(name, metered=True, model=found.groupdict().get("model"))
        if codec.FREE_PATHS.fullmatch(path):
            return Match(name, metered=False, model=None)
    return None


# Paths of the OpenAI API that no other provider here has.
_OPENAI = re.compile(
    r"/v1/(?:audio|assistants|batches|chat|completions|containers|conversations|embeddings|evals|fine_tuning|images|"
    r"moderations|realtime|responses|threads|uploads|vector_stores|videos)(?:/|$)"
)
_HINTS = (
    (("anthropic-version", "anthropic-beta", "x-api-key"), Format.ANTHROPIC),
    (("x-goog-api-key", "x-goog-api-client"), Format.GEMINI),
    (("openai-organization", "openai-project", "chatgpt-account-id"), Format.OPENAI_RESPONSES),
)


def resembling(path: str, headers: Mapping[str, str]) -> Format | None:
    """The format whose provider a path without a format of its own belongs to; None where that cannot be told.

    Such a request may carry a credential, so nothing is guessed: it takes a header, a key or a client that one provider
    has and the others have not.
    """
    for names, spoken in _HINTS:
        if any(name in headers for name in names):
            return spoken
    agent = headers.get("user-agent", "").lower()
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if bearer.startswith("sk-ant-") or agent.startswith(("anthropic/", "asyncanthropic/", "claude-cli/")):
        return Format.ANTHROPIC
    if bearer.startswith("sk-") or agent.startswith(("openai/", "asyncopenai/", "codex")) or _OPENAI.match(path):
        return Format.OPENAI_RESPONSES
    if path.startswith(("/v1beta/", "/v1alpha/")):
        return Format.GEMINI
    return Format.ANTHROPIC if path.startswith(("/v1/messages/", "/api/")) else None
