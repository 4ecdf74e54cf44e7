"""The one line that stands where something was left out: what it was, and how to have it back."""

from __future__ import annotations

import re

MARK = "[lynkr: "
# Stands in a stub until the whole result is known; the first one then says how to get the original.
MORE = "\0more\0"
# What matters whatever it stands in: a line with one of these words is no chatter.
_WORDS = r"""err(?:or|no)?s? fail(?:ed|ures?|ing|s)? fatal panic(?:ked)? exception traceback warn(?:ings?)? denied
refused cannot can't could\snot couldn't unable undefined unresolved missing not\sfound no\ssuch invalid deprecat\w*
vulnerab\w* abort(?:ed)? killed segfault segmentation time[ds]?\s?out conflicts? reject(?:ed)? mismatch critical severe
alert unsupported unexpected broken corrupt\w* leak\w* unhealthy crash\w* backoff evicted oom\w* e\d{3,4}"""
_SIGNS = "[✗✖✕✘×❌⚠‼]"


def _by_first_letter(words: list[str]) -> str:
    """An alternation that is entered at its words' first letters only, which is three times as fast."""
    letters = dict.fromkeys(word[0] for word in words)
    rests = {letter: "|".join(word[1:] for word in words if word[0] == letter) for letter in letters}
    return "|".join(rf"{letter}(?<![a-z0-9_]{letter})(?:{rest})(?![a-z0-9_])" for letter, rest in rests.items())


_ALARM = re.compile(f"{_by_first_letter(_WORDS.split())}|{_SIGNS}")


def alarming(text: str) -> bool:
    """Whether a text gives alarm: it names an error, a warning, a failure."""
    return _ALARM.search(text.lower()) is not None


def stub(words: str) -> str:
    """The line for `words`, which name what was left out."""
    return f"{MARK}{words}{MORE}]"


def finished(text: str, identity: str) -> str:
    """`text` with its first stub saying how to get the original, which is called `identity`."""
    text = text.replace(MORE, f"; all of it: lynkr expand {identity}", 1)
    return text.replace(MORE, "")
