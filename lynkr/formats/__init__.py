"""One module a wire format. None knows another; this table is where they meet.

A format module says which paths are its own (`PATHS`, and `FREE_PATHS` for what is never billed), which headers carry
the client's credential (`CREDENTIALS`), how an error of ours looks in it (`error_body`, `error_event`, and what has
to stand between a broken event and that one: `AFTER_BROKEN`), and how to read the figures of an answer (`AnswerWatch`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
