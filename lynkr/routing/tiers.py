"""How hard a piece of work looks: the tier of a prompt, and the reason.

First hit wins: what the user wrote into the prompt (`/tier complex`), the profile's rules, the model that was asked
for (where the profile names it), the score of the prompt's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from lynkr.conversation import Call, Turn
from lynkr.routing import TIERS
from lynkr.routing.score import Score, score, weights
from lynkr.routing.settings import Routing, Rule

# Who asks for hard thinking gets at least this, whatever else the prompt says; and who touches what must not go wrong.
_FLOORS = {"think": "complex", "risk": "medium"}
_PATH = re.compile(r"(?<![\w.@~/-])(?:[\w.@~-]*+(?:/[\w.@-]++)++|[\w-]++\.[a-z]{1,5}\b)")
_SHOWN = 3


class TierChoice(NamedTuple):
    """A tier, why, what the prompt scored (None where it was not asked), and the lane where a rule names one.

    `by_hand`: it holds whatever it costs.
    """

    tier: str
    why: str
    score: float | None = None
    lane: str | None = None
    by_hand: bool = False


class Work(NamedTuple):
    """What rules are held against: who asks, for which model, in what words, and the calls that were made."""

    who: str
    model: str
    prompt: str
    calls: tuple[tuple[str, str], ...] = ()


def work(who: str, model: str, prompt: str, turns: Iterable[Turn], routing: Routing) -> Work:
    """The work of a conversation; its calls only where a rule of `routing` asks for them."""
    asked = any(rule.path or rule.tool for rule in routing.rules)
    calls = ((p.name, p.arguments) for turn in turns if asked for p in turn.parts if isinstance(p, Call))
    return Work(who, model, prompt, tuple(calls))


def tier_of(found: Work, routing: Routing, marked: str | None = None) -> TierChoice:
    """The tier of `found`."""
    if marked in TIERS:
        return TierChoice(marked, f"the prompt says /tier {marked}", by_hand=True)
    for rule in routing.rules:
        if matches(rule, found):
            where = f"tier {rule.tier}" if rule.tier else f"lane {rule.lane}"
            tier = rule.tier or scored(found.prompt).tier
            return TierChoice(
                tier, f"rule {rule.number} of the profile: {where}", None, rule.lane, by_hand=rule.lane is not None
            )
    for pattern, tier in routing.models.items():
        if fnmatchcase(found.model.lower(), pattern.lower()):
            return TierChoice(tier, f"asks for {found.model}, which the profile takes for {tier}")
    return scored(found.prompt)


def scored(prompt: str) -> TierChoice:
    """The tier that a prompt's words give."""
    result = score(prompt)
    tier = by_score(result.value)
    floors = [(_FLOORS[part.name], part.words) for part in result.parts if part.name in _FLOORS]
    for floor, words in floors:
        if TIERS.index(floor) > TIERS.index(tier):
            return TierChoice(floor, f"{words}: at least {floor}", result.value)
    return TierChoice(tier, explained(result), result.value)


def by_score(value: float) -> str:
    """The tier of a score."""
    limits: Mapping[str, float] = weights()["tiers"]
    return max((tier for tier in TIERS[1:] if value >= limits[tier]), key=TIERS.index, default=TIERS[0])


def explained(result: Score) -> str:
    """The heaviest parts of a score, in words of ours: it goes into the ledger, where no word of a prompt may be."""
    ours = [part for part in result.parts if not part.name.startswith("word ")]
    said = [f"{part.words} ({part.weight:+.2f})" for part in ours[:_SHOWN]]
    return f"scores {result.value:.2f}: {', '.join(said)}"


def matches(rule: Rule, found: Work) -> bool:
    """Whether all of a rule's conditions hold."""
    return (
        (rule.who is None or rule.who == found.who)
        and (rule.model is None or fnmatchcase(found.model.lower(), rule.model.lower()))
        and (not rule.words or any(_says(found.prompt, word) for word in rule.words))
        and (rule.path is None or any(fnmatchcase(path, rule.path) for path in _paths(found)))
        and (rule.tool is None or any(fnmatchcase(name, rule.tool) for name, _ in found.calls))
    )


def _says(prompt: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) is not None


def _paths(found: Work) -> Iterator[str]:
    for text in (found.prompt, *(arguments for _, arguments in found.calls)):
        for path in _PATH.findall(text):
            yield path
            # Patterns are written from the project's root; calls name whole paths.
            parts = path.split("/")
            yield from ("/".join(parts[n:]) for n in range(1, len(parts)))
