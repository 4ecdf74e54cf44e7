"""An answer as it is kept: plain JSON, and only what can be given again word for word.

An answer with a tool call is none: what is called has an effect, or gives something else the next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lynkr.answer import Answer, AnswerPart
from lynkr.conversation import Seal, Text, Thinking
from lynkr.events import End, Stop
from lynkr.usage import WARM_S, Usage

_FIGURES = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """An answer that was given: to which request (`row`), at what time (seconds since the epoch), by which lane's
    model, and what it took."""

    answer: Answer
    row: str
    at: float
    lane: str
    model: str
    usage: Usage

    def worth(self, now: float) -> Usage:
        """What it would take to ask again now: what was written to a cache a moment ago would be read from it."""
        cached = self.usage.cache_read or self.usage.cache_write or self.usage.cache_write_1h
        if cached and now - self.at < WARM_S:
            return Usage(cache_read=self.usage.prompt, output=self.usage.output)
        return self.usage

    @property
    def again(self) -> Answer:
        """The answer as it is given again: all of the prompt came from a cache."""
        usage = Usage(cache_read=self.usage.prompt, output=self.usage.output, reasoning=self.usage.reasoning)
        end = End(self.answer.end.stop, usage, self.answer.end.sequence)
        return Answer(self.answer.id, self.answer.model, self.answer.parts, end)


def stored(given: PastAnswer) -> dict[str, Any] | None:
    """The same as JSON's values; None for what is not to be kept."""
    parts = [_part(part) for part in given.answer.parts]
    if (
        None in parts
        or given.answer.end.stop not in (Stop.END, Stop.SEQUENCE)
        or not any(isinstance(part, Text) and part.text for part in given.answer.parts)
    ):
        return None
    end = given.answer.end
    return {
        "parts": parts, "stop": str(end.stop), "sequence": end.sequence, "said_model": given.answer.model,
        "row": given.row, "at": given.at, "lane": given.lane, "model": given.model,
        "usage": {name: getattr(given.usage, name) for name in _FIGURES},
    }  # fmt: skip


def restored(value: dict[str, Any]) -> PastAnswer:
    """What `stored` made. Raises LookupError, TypeError, ValueError, AttributeError, OverflowError for all else."""
    parts = tuple(_whole(part) for part in value["parts"])
    end = End(Stop(value["stop"]), None, value["sequence"])
    answer = Answer("", str(value["said_model"]), parts, end)
    figures: dict[str, Any] = {name: int(value["usage"][name]) for name in _FIGURES}
    usage = Usage(**figures)
    return PastAnswer(answer, str(value["row"]), float(value["at"]), str(value["lane"]), str(value["model"]), usage)


def _part(part: AnswerPart) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"text": text}
        case Thinking(text, None):
            return {"thinking": text}
        case Thinking(text, Seal(kind, data, None)):
            return {"thinking": text, "seal": [kind, data]}
    return None


def _whole(value: dict[str, Any]) -> Text | Thinking:
    if "text" in value:
        return Text(str(value["text"]))
    sealed = value.get("seal")
    return Thinking(str(value["thinking"]), Seal(str(sealed[0]), str(sealed[1])) if sealed else None)
