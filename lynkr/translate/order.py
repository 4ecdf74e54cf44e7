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
    said: Turn | None = None  # the model's turn that waits for its results
    for turn in turns:
        if not turn.parts:
            continue  # nothing was said
        if turn.role != "assistant":
            if said is None:
                yield turn
            else:
                after.append(turn)
            continue
        if said is not None and not after:
            # Calls of one round in two turns: their results come behind both.
            turn = replace(said, parts=said.parts + turn.parts)
        elif said is not None:
            yield said
            yield from _round(after)
            after = []
        said = turn if any(isinstance(part, Call) for part in turn.parts) else None
        if said is None:
            yield turn
    if said is not None:
        yield said
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
