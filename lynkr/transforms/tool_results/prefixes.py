"""Lines that all begin alike: what they have in common is said once.

A job's log repeats its job, step and day before every line; a service its host and name. The rest of each line stays as
it is and in its place, so that nothing is lost.
"""

from __future__ import annotations

import re
from operator import eq

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import MARK

_LEAST_LINES, _LEAST_CHARS = 5, 12
# A beginning ends behind one of these, so that no name is cut in two; a time may be cut between its parts.
_END = re.compile(r".*(?:\t|  |: |\] |\| |\d{4}-\d\d-\d\d[T ]|\d\d:\d\d:)", re.DOTALL)


def squeeze(text: str, what: Meaning) -> str:
    """`text` with common beginnings said once."""
    if what.role != "output" or what.items:
        return text
    lines = text.split("\n")
    if not any(map(eq, begun := [line[:_LEAST_CHARS] for line in lines], begun[1:])):
        return text
    out, at = list[str](), 0
    while at < len(lines):
        end, common = _group(lines, at)
        count = end - at
        saved = (count - 1) * len(common)
        words = f'{MARK}each of the next {count} lines begins with "{common}"]'
        if count >= _LEAST_LINES and saved > len(words) + 40 and '"' not in common:
            out += [words, *(line[len(common) :] for line in lines[at:end])]
        else:
            out += lines[at:end]
        at = end
    return "\n".join(out)


def _group(lines: list[str], at: int) -> tuple[int, str]:
    """The lines from `at` that begin alike: one past the last, and what they have in common."""
    common, end = lines[at], at + 1
    if end < len(lines) and common[:_LEAST_CHARS] != lines[end][:_LEAST_CHARS]:
        return end, ""
    while end < len(lines):
        both = shared(common, lines[end])
        found = _END.match(both)
        shorter = found[0] if found else ""
        # A long beginning of a few is worth more than a short one of many.
        if len(shorter) < _LEAST_CHARS or (end - at > 3 and len(shorter) * 3 < len(common) * 2):
            break
        common, end = shorter, end + 1
    return end, common if end > at + 1 else ""


def shared(one: str, other: str) -> str:
    """What both begin with."""
    size = min(len(one), len(other))
    for n in range(size):
        if one[n] != other[n]:
            return one[:n]
    return one[:size]
