"""The one line that stands where something was left out: what it was, and how to have it back."""

from __future__ import annotations

import re

MARK = "[lynkr: "
# Stands in a stub until the whole result is known; the first one then says how to get the original.
MORE = "\0more\0"
# What matters whatever it stands in: a line with one of these words is no chatter.
ALARM = re.compile(
    r"(?i)\b(?:err(?:or|no)?s?|err!|fail(?:ed|ure|ures|ing|s)?|fatal|panic(?:ked)?|exception|traceback|"
    r"warn(?:ing|ings)?|denied|refused|cannot|can't|could not|couldn't|unable|undefined|unresolved|missing|not found|"
    r"no such|invalid|deprecat\w*|vulnerab\w*|abort(?:ed)?|killed|segfault|segmentation|time[ds]? ?out|conflicts?|"
    r"reject(?:ed)?|mismatch|critical|severe|alert|unsupported|unexpected|broken|corrupt\w*|leak\w*|unhealthy|crash\w*|backoff|evicted|oom\w*)\b|"
    r"[✗✖✕✘×❌⚠‼]|\bE\d{3,4}\b|\bnpm ERR"
)


def stub(words: str) -> str:
    """The line for `words`, which name what was left out."""
    return f"{MARK}{words}{MORE}]"


def finished(text: str, identity: str) -> str:
    """`text` with its first stub saying how to get the original, which is called `identity`."""
    text = text.replace(MORE, f"; all of it: lynkr expand {identity}", 1)
    return text.replace(MORE, "")


def counted(counts: dict[str, int]) -> str:
    """`3 passed tests, 12 downloads` for {"passed test": 3, "download": 12}."""
    return ", ".join(f"{count} {_plural(what) if count != 1 else what}" for what, count in counts.items())


def _plural(what: str) -> str:
    return what[:-1] + "ies" if what.endswith("y") and what[-2] not in "aeiou" else what + "s"
