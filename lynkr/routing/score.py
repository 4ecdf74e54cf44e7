"""How much work a prompt asks for: a number from 0 to 1, and what it is made of.

A sum of weights: of each signal that is there, of the prompt's length, of words that went with little or much work in
recorded sessions. The weights are data (weights.json), fitted by tests/bench/scoring.py; the same prompt has the same
score everywhere. Only the beginning and the end of a long prompt are looked at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from lynkr.routing.signals import SIGNALS, Signal

# So much of a prompt is looked at for signals and for words, at its beginning and its end: there stands what is asked.
_FOR_SIGNALS, _FOR_WORDS = (1200, 400), (6000, 1000)
# A word counts less than a signal, because there are many.
WORD = 0.4
_WORD = re.compile(r"[a-z']{2,}")


class Part(NamedTuple):
    """What one thing adds to the score, before it is squeezed between 0 and 1; `words` say what was seen."""

    name: str
    words: str
    weight: float


class Score(NamedTuple):
    """`value` is 0 for no work and 1 for much; the parts are in the order of their weight, heaviest first."""

    value: float
    parts: tuple[Part, ...]


def signals(prompt: str) -> Iterator[Signal]:
    """The signals that a prompt gives."""
    text = _ends(prompt, *_FOR_SIGNALS)
    return (signal for signal in SIGNALS if signal.pattern.search(text))


def words(prompt: str) -> set[str]:
    """The different words of a prompt, in lower case."""
    return set(_WORD.findall(_ends(prompt, *_FOR_WORDS)))


def _ends(prompt: str, head: int, tail: int) -> str:
    return (prompt if len(prompt) <= head + tail else f"{prompt[:head]}\n{prompt[-tail:]}").lower()


def lengths(prompt: str) -> dict[str, float]:
    """What a prompt's length says; it says most where it is short."""
    size = math.log1p(len(prompt))
    return {
        "length": size / 5,
        "over_50": max(size - 4, 0.0) / 3,
        "over_250": max(size - 5.5, 0.0) / 3,
        "over_1100": max(size - 7, 0.0) / 3,
        "line_count": math.log1p(prompt.count("\n")) / 3,
    }


@cache
def weights() -> dict[str, Any]:
    """The fitted weights."""
    found: dict[str, Any] = json.loads((files("lynkr.routing") / "weights.json").read_text("utf-8"))
    return found


def score(prompt: str) -> Score:
    """How much work `prompt` asks for."""
    fitted = weights()
    parts = [Part(signal.name, signal.words, fitted["signals"][signal.name]) for signal in signals(prompt)]
    size = sum(fitted["lengths"][name] * value for name, value in lengths(prompt).items())
    parts.append(Part("length", f"{len(prompt)} characters", size))
    known = fitted["words"]
    parts += [Part(f"word {word}", f'says "{word}"', known[word] * WORD) for word in words(prompt) if word in known]
    parts.sort(key=lambda part: (-abs(part.weight), part.name))
    total = math.fsum(part.weight for part in parts) + fitted["bias"]
    value = 1 / (1 + math.exp(-(total - fitted["middle"]) / fitted["spread"]))
    return Score(round(value, 4), tuple(parts))
