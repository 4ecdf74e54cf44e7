"""Results right behind their calls, as every provider demands it; whatever stood between comes after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lynkr.conversation import Call, Conversation, Result, Turn


def settled(c: Conversation) -> Conversation:
    """The conversation with the results of each round in one turn, right behind the turn with the calls."""
    return replace(c, turns=tuple(_settled(c.turns)))


def _settled(turns: Iterable[Turn]) -> Iterator[Turn]:
    after: list[Turn] = []
    open_calls: set[str] = set()
    for turn in turns:
        if turn.role == "assistant":
            yield from _round(after)
            yield turn
            after = []
            open_calls = {part.id for part in turn.parts if isinstance(part, Call)}
        elif open_calls or after:
            after.append(turn)
        else:
            yield turn
    yield from _round(after)


def _round(turns: list[Turn]) -> Iterator[Turn]:
    """What is said to the model between two turns of its own: first all results, with the words beside them."""
    results = tuple(part for turn in turns for part in turn.parts if isinstance(part, Result))
    if not results:
        yield from turns
        return
    first = True
    for turn in turns:
        others = tuple(part for part in turn.parts if not isinstance(part, Result))
        with_results = len(others) < len(turn.parts)
        if first:
            # Words that came with the first results stay beside them.
            if with_results:
                yield Turn("user", (*results, *others))
            else:
                yield Turn("user", results)
                yield turn
            first = False
        elif others:
            yield replace(turn, parts=others)
