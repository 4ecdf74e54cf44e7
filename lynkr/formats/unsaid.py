"""What a request of some format cannot say, noted in the same words by all that write one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Media, Opaque, Result, Text, Thinking, Tool
from lynkr.formats.values import parsed_object

# Thoughts of these kinds are words that nobody has sealed.
_OPEN = ("chat.reasoning", "plain")


class Unsaid:
    """Notes what goes unsaid, in `changes`; `form` is the format's name for people."""

    def __init__(self, changes: Changes, form: str) -> None:
        self._changes, self._form = changes, form

    def content(self, what: str) -> None:
        """A kind of content that the format has not."""
        self._changes.drop(what, f"{self._form} has no such content")

    def setting(self, what: str) -> None:
        """A setting that the format has not."""
        self._changes.drop(what, f"{self._form} has no such setting")

    def naming(self, c: Conversation) -> None:
        """What says how much to write, for whom, and in which conversation."""
        for what, value in (("verbosity", c.verbosity), ("user id", c.user), ("prompt_cache_key", c.cache_key)):
            if value is not None:
                self.setting(what)

    def tool(self, tool: Opaque) -> None:
        """A tool that its provider runs."""
        self._changes.drop(tool.what, "only its own provider runs it")

    def words(self, part: Opaque) -> str:
        """The words that stand for a block of another format; "" where it has none."""
        if part.text:
            self._changes.change(part.what, "as text")
        else:
            self.content(part.what)
        return part.text

    def media(self, part: Media, by: str = "") -> None:
        """A picture or the like; `by` says how it was given."""
        self.content(f"{part.kind} {by}".strip())

    def thoughts(self, part: Thinking | Call) -> None:
        """Thoughts that do not go back, and what seals a call."""
        if isinstance(part, Thinking) and (part.seal is None or part.seal.kind in _OPEN):
            self._changes.drop("earlier reasoning", "this lane does not take it back")
        elif part.seal is not None:
            self._changes.drop("sealed reasoning", "only its maker can read it")

    def arguments(self, call: Call) -> dict[str, Any]:
        """A call's arguments as the object that the format wants."""
        given = parsed_object(call.arguments)
        if given is None:
            self._changes.change("malformed call arguments", "as text under `malformed`")
            return {"malformed": call.arguments}
        return given

    def breakpoints(self, parts: Iterable[Text | Tool | Call | Result | Media]) -> None:
        """Cache breakpoints."""
        for part in parts:
            if part.cache is not None:
                self._changes.drop("cache breakpoint", "this lane caches by itself or not")
