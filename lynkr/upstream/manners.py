"""What a few providers want of how a conversation is told, where others take it as it comes.

Each is a habit of somebody's API, found by its refusals. What is added is always the same for the same turn, so that
the prefix stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256

from lynkr.changes import Changes
from lynkr.conversation import Call, Conversation, Part, Result, Seal, Text, Thinking, Turn
from lynkr.target import Target

_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
# The least that is taken for thoughts.
_NO_THOUGHTS = " "
_BETWEEN = "Ok."


def mannered(c: Conversation, target: Target, changes: Changes) -> Conversation:
    """The conversation as `target` wants it told."""
    can, turns = target.can, c.turns
    if can.short_ids:
        turns = tuple(_short(turn, changes) for turn in turns)
    if can.wants_thoughts:
        turns = tuple(_thoughtful(turn, target, changes) for turn in turns)
    if not can.user_after_tools:
        turns = tuple(_apart(turns, changes))
    return c if turns == c.turns else replace(c, turns=turns)


def _short(turn: Turn, changes: Changes) -> Turn:
    def renamed(part: Part) -> Part:
        match part:
            case Call() if not _SHORT_ID.fullmatch(part.id):
                return replace(part, id=_letters(part.id))
            case Result() if not _SHORT_ID.fullmatch(part.call_id):
                return replace(part, call_id=_letters(part.call_id))
        return part

    parts = tuple(map(renamed, turn.parts))
    if parts == turn.parts:
        return turn
    changes.change("ids of calls", "in nine letters, which is all that this lane takes")
    return replace(turn, parts=parts)


def _letters(name: str) -> str:
    number = int.from_bytes(sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    said = ""
    for _ in range(9):
        number, at = divmod(number, len(_LETTERS))
        said += _LETTERS[at]
    return said


def _thoughtful(turn: Turn, target: Target, changes: Changes) -> Turn:
    if turn.role != "assistant" or not any(isinstance(part, Call) for part in turn.parts):
        return turn
    own = (part for part in turn.parts if isinstance(part, Thinking) and part.seal and part.seal.at(target.home))
    if any(part.text for part in own):
        return turn
    changes.change("thoughts before calls", "empty ones: this lane wants some, and these calls are another model's")
    thought = Thinking(_NO_THOUGHTS, Seal("chat.reasoning", "", target.home))
    return replace(turn, parts=(thought, *turn.parts))


def _apart(turns: Iterable[Turn], changes: Changes) -> Iterator[Turn]:
    """A user's words after the results of calls, behind a word of the model's."""
    answered = False
    for turn in turns:
        results = tuple(part for part in turn.parts if isinstance(part, Result))
        words = tuple(part for part in turn.parts if not isinstance(part, Result))
        if turn.role == "assistant" or not (answered or results) or not words:
            yield turn
        else:
            changes.change("words beside a tool's result", "in a turn of their own: this lane takes them only so")
            if results:
                yield replace(turn, parts=results)
            yield Turn("assistant", (Text(_BETWEEN),))
            yield Turn(turn.role, words) if results else turn
        answered = turn.role != "assistant" and bool(results) and not words
