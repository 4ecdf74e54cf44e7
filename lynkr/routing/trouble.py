"""Whether work proves harder than it looked: failures that repeat, calls in a circle, a model that gives up."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from lynkr.conversation import Call, Result, Text, Turn

# Of a long result, its beginning and its end: there stands whether it failed.
_HEAD, _TAIL = 2000, 3000
_FAILED = re.compile(
    r"^(?:FAIL(?:ED|URE)?\b|ERROR\b|E  +\S|Traceback \(most recent|error(?:\[\w+\])?: |npm ERR!|panic: |fatal: |"
    r"(?:Error: )?Exit code:? [1-9]|Process exited with code [1-9]|exit status [1-9]|--- FAIL|"
    r".*\b[1-9]\d* (?:tests? )?failed\b|"
    r".*\bcommand not found\b|.*\bNo such file or directory\b|.*<tool_use_error>)",
    re.MULTILINE,
)
_GIVES_UP = re.compile(
    r"\b(?:i(?:'m| am) (?:unable|not able) to (?:fix|solve|resolve|find|get|make|complete|figure)|i give up"
    r"|i can(?:'|no)t (?:figure|seem to|fix|solve)|i(?:'m| am) (?:stuck|going in circles))",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")

# Of the latest results, so many are remembered; so many failures, equal failures or equal calls are trouble.
_REMEMBERED, FAILURES, EQUAL, CIRCLE = 8, 5, 3, 3


@dataclass(slots=True)
class Progress:
    """How one conversation's work goes since its user last spoke."""

    failures: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    calls: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    given_up: bool = False

    def take(self, turns: Iterable[Turn]) -> None:
        """Looks at what is new."""
        for turn in turns:
            for part in turn.parts:
                match part:
                    case Result():
                        self.failures.append(failure(part))
                    case Call():
                        self.calls.append(f"{part.name} {part.arguments}")
                    case Text() if turn.role == "assistant":
                        self.given_up = self.given_up or _GIVES_UP.search(part.text[-2000:]) is not None

    def trouble(self) -> str | None:
        """What is wrong, in a few words; None while nothing is."""
        failed = [line for line in self.failures if line]
        if failed and (most := Counter(failed).most_common(1)[0])[1] >= EQUAL:
            return f"the same failure {most[1]} times"
        if len(failed) >= FAILURES:
            return f"{len(failed)} of the last {len(self.failures)} tool results are failures"
        if failed and self.calls and (most := Counter(self.calls).most_common(1)[0])[1] >= CIRCLE:
            return f"the same call {most[1]} times"
        return "the model gives up" if self.given_up else None

    def clear(self) -> None:
        """The user has spoken, or another model goes on."""
        self.failures.clear()
        self.calls.clear()
        self.given_up = False


def failure(result: Result) -> str:
    """The line that says how a result failed, without its numbers; "" where it did not."""
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    seen = text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    found = _FAILED.search(seen)
    if found is None and not result.error:
        return ""
    start = found.start() if found else 0
    line = seen[start:].partition("\n")[0][:200]
    return _NUMBERS.sub("0", line) or "error"
