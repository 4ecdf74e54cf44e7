"""What a conversation costs on a lane and what it costs to leave one: the prompt cache's arithmetic.

A provider reads what stood in the last request from its cache, at a small part of the price, and writes the rest. Who
changes the model pays for writing all of it once more. So the question is never whether one turn is easy, but for how
many calls the conversation will stay.
"""

from __future__ import annotations

from typing import NamedTuple

# Anthropic's usual time that an entry lives after its last use; others keep theirs about as long.
WARM_S = 300.0
# A coding tool's call, in the middle of recorded sessions: new tokens in it, tokens of its answer.
GROWTH, OUTPUT = 2000, 600
# Calls that are still to come, by how hard the work looks; of recorded sessions.
CALLS = {"simple": 3, "medium": 8, "complex": 15, "reasoning": 20}


class Rates(NamedTuple):
    """USD per token: what is new to the cache (its writing included), what is read from it, what is answered."""

    new: float
    read: float
    output: float


FREE = Rates(0.0, 0.0, 0.0)


def cost(rates: Rates, known: int, prompt: int, output: int) -> float:
    """USD of a call with `prompt` tokens, `known` of which the lane's cache holds."""
    known = min(known, prompt)
    return known * rates.read + (prompt - known) * rates.new + output * rates.output


def entry(rates: Rates, known: int) -> float:
    """USD that it costs to come cold to a lane, against having been there: `known` tokens are written, not read."""
    return known * (rates.new - rates.read)


def per_call(here: Rates, there: Rates, context: int) -> float:
    """USD that each further call saves over `there` against `here`, both warm."""
    return context * (here.read - there.read) + GROWTH * (here.new - there.new) + OUTPUT * (here.output - there.output)


def way_back(cheap: Rates, strong: Rates, context: int) -> float:
    """After how many calls at `cheap` the savings pay for going over to `strong`; infinite where they never do."""
    open_ = entry(strong, context) - context * (strong.new - cheap.new) - OUTPUT * (strong.output - cheap.output)
    gained = per_call(strong, cheap, context) - entry(strong, GROWTH)
    if open_ <= 0:
        return 1.0
    return 1 + open_ / gained if gained > 0 else float("inf")
