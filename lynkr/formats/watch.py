"""Reading an answer that passes by untouched: what was billed, and whether it came to its end.

A watch looks into as few events as it can (relaying must stay cheap) and never raises: an answer that it cannot read is
an answer without figures, not a reason to stop one. Each format says which events matter and where its figures stand.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from lynkr.framing import sse
from lynkr.usage import Heard, Usage


def string_of(*names: str) -> re.Pattern[bytes]:
    """A pattern of JSON strings that are members of one of these names; group 1 is the text, escapes and all."""
    either = "|".join(names)
    return re.compile(rf'"(?:{either})"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"'.encode())


class Watch(ABC):
    """Reads one answer. Feed it events as they come, or the one body of an answer that is not streamed."""

    # A block without any of these bytes says nothing that matters here; it is counted, not parsed.
    telling: tuple[bytes, ...] = (b'"usage"', b'"error"')
    # Where output text stands in a streamed event.
    text = string_of("text")
    # The same in an answer that is not streamed; None where it is no different.
    whole_text: re.Pattern[bytes] | None = None

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._final = self._complete = False
        self._chars = 0
        self._failure: str | None = None

    def block(self, block: bytes) -> None:
        """Reads one SSE block."""
        for match in self.text.finditer(block):
            self._chars += len(match[1])
        for mark in self.telling:
            if mark in block:
                break
        else:
            return
        event = sse.parse(block)
        if event is None:
            return
        if event.data.strip() == b"[DONE]":
            self._complete = True
            return
        value = parsed(event.data)
        if value:
            self.event(value)

    def body(self, body: bytes) -> None:
        """Reads a whole answer that was not streamed."""
        for match in (self.whole_text or self.text).finditer(body):
            self._chars += len(match[1])
        value = parsed(body)
        if value:
            self._complete = True
            self.answer(value)

    @abstractmethod
    def event(self, value: dict[str, Any]) -> None:
        """Takes what a streamed event says."""

    @abstractmethod
    def answer(self, value: dict[str, Any]) -> None:
        """Takes what an unstreamed answer says."""

    def heard(self) -> Heard:
        """What the answer said so far."""
        return Heard(self._usage, self._final, self._complete, self._chars, self._failure)


# No count is larger; what is would not fit into the ledger (and infinity into no integer).
_MOST = 2**53


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; empty where there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def member(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object `value[name]`; empty where there is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def count(value: Mapping[str, Any], *names: str) -> int:
    """The first of `names` that holds a count; 0 where none does."""
    for name in names:
        found = value.get(name)
        if (type(found) is int or type(found) is float) and 0 <= found < _MOST:
            return int(found)
    return 0


def failure(value: Mapping[str, Any]) -> str | None:
    """The name of the error that `value` carries under `error`: its code or type, never its message."""
    error = value.get("error")
    if not isinstance(error, dict):
        return "error" if error else None
    names = (error.get("code"), error.get("type"), error.get("status"))
    return next((str(name)[:80] for name in names if name and isinstance(name, (str, int))), "error")
