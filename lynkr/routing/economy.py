"""What a conversation costs on a lane and what it costs to leave one: the prompt cache's arithmetic.

A provider reads what stood in the last request from its cache, at a small part of the price, and writes the rest. Who
changes the model pays for writing all of it once more. So the question is never whether one turn is easy, but for how
many calls the conversation will stay.
"""

from __future__ import annotations

from typing import NamedTuple

from lynkr.usage import Usage

# So large a coding session grows, in the middle.
LARGE = 100_000
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


def actual(rates: Rates, known: int, usage: Usage) -> float:
    """USD of a call that has been made, by what the answer says was read; `known` is what should have been, which
    counts where it says nothing of a cache."""
    if usage.cache_read or usage.cache_write or usage.cache_write_1h:
        known = usage.cache_read
    return cost(rates, known, usage.prompt, usage.output)


def dearer(cheap: Rates, strong: Rates, context: int, shared: int = 0) -> bool:
    """Whether a conversation of so many tokens would not be cheaper at `cheap`: now, with `shared` of it in the cache
    of `strong`, and once it has grown."""
    begins = cost(cheap, 0, context, OUTPUT) - cost(strong, shared, context, OUTPUT)
    later = min(per_call(strong, cheap, context), per_call(strong, cheap, max(context, LARGE)))
    return later <= 0 or begins > 0


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
