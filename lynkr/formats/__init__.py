"""One module a wire format. None knows another; this table is where they meet.

A format module says which paths are its own (`PATHS`, and `FREE_PATHS` for what is never billed), which headers carry
the client's credential (`CREDENTIALS`), how an error of ours looks in it (`error_body`, `error_event`, and what has
to stand between a broken event and that one: `AFTER_BROKEN`), and how to read the figures of an answer (`AnswerWatch`).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from lynkr.errors import LynkrError
from lynkr.formats import anthropic, gemini, openai_chat, openai_responses
from lynkr.formats.watch import Watch
from lynkr.lane import Format


class Codec(Protocol):
    """What a format module holds."""

    # Properties, because a module's constants are only to be read.
    @property
    def NAME(self) -> Format: ...

    @property
    def PATHS(self) -> re.Pattern[str]: ...

    @property
    def FREE_PATHS(self) -> re.Pattern[str]: ...

    @property
    def CREDENTIALS(self) -> tuple[str, ...]: ...

    @property
    def AFTER_BROKEN(self) -> bytes | None: ...

    @property
    def AnswerWatch(self) -> type[Watch]: ...

    def error_body(self, error: LynkrError) -> bytes: ...

    def error_event(self, error: LynkrError) -> bytes: ...


_MODULES: tuple[Codec, ...] = (anthropic, openai_chat, openai_responses, gemini)
CODECS: dict[Format, Codec] = {codec.NAME: codec for codec in _MODULES}
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


def resembling(path: str, headers: dict[str, str]) -> Format:
    """The format whose house a path without one of its own belongs to, by its prefix and the client's headers.

    `/v1/models` is Anthropic's and OpenAI's alike; only the headers of an Anthropic client tell them apart.
    """
    if path.startswith(("/v1beta", "/v1alpha")) or "x-goog-api-key" in headers:
        return Format.GEMINI
    if "anthropic-version" in headers or "x-api-key" in headers or path.startswith(("/v1/messages", "/api/")):
        return Format.ANTHROPIC
    return Format.OPENAI_CHAT if path.startswith("/v1/chat") else Format.OPENAI_RESPONSES
