"""Cache breakpoints for clients that set none, where the provider caches only up to one.

They stand where Claude Code sets them: behind the tools, behind the system prompt, behind the last message, and, as a
fourth, behind the user's message before that, where the last request ended: a provider looks back no further than 20
blocks from a breakpoint for what it has. Each turn sets them by the same rule, so that each finds the last one's. What
offers no tools and has no answer in it is taken for a single question: to write a cache for that costs more than it
saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Media, Part, Result, Text, Tool, Turn

_MARKED = (Text, Call, Result, Media)
# The message that ends the request, and the one that ended the last.
_LAST = 2


def with_breakpoints(c: Conversation, changes: Changes) -> Conversation:
    """`c` with breakpoints, if it has none and could use them."""
    goes_on = bool(c.tools) or any(turn.role == "assistant" for turn in c.turns)
    if not goes_on or c.cache is not None or _marked(c):
        return c
    ends = [n for n, turn in enumerate(c.turns) if turn.role == "user" and _last(turn.parts) is not None][-_LAST:]
    if not ends:
        return c
    changes.change("cache breakpoints", "set as Claude Code does, because the client sets none")
    turns = tuple(_ended(turn) if n in ends else turn for n, turn in enumerate(c.turns))
    system = (*c.system[:-1], replace(c.system[-1], cache="5m")) if c.system else ()
    at = next((n for n in reversed(range(len(c.tools))) if _can_end(c.tools[n])), None)
    tools = tuple(replace(tool, cache="5m") if n == at and isinstance(tool, Tool) else tool
                  for n, tool in enumerate(c.tools))  # fmt: skip
    return replace(c, turns=turns, system=system, tools=tools)


def _marked(c: Conversation) -> bool:
    parts = (part for turn in c.turns for part in turn.parts if isinstance(part, _MARKED))
    tools = (tool for tool in c.tools if isinstance(tool, Tool))
    return any(part.cache for part in (*c.system, *tools, *parts))


def _can_end(tool: object) -> bool:
    return isinstance(tool, Tool) and not tool.deferred


def _last(parts: Sequence[Part]) -> int | None:
    """The last part that can carry a breakpoint: no thoughts, and no text that says nothing."""
    return next(
        (
            n
            for n, part in reversed(list(enumerate(parts)))
            if isinstance(part, _MARKED) and not (isinstance(part, Text) and not part.text.strip())
        ),
        None,
    )


def _ended(turn: Turn) -> Turn:
    at = _last(turn.parts)
    parts = tuple(replace(part, cache="5m") if n == at and isinstance(part, _MARKED) else part
                  for n, part in enumerate(turn.parts))  # fmt: skip
    return replace(turn, parts=parts)
