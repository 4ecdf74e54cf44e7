"""What programs say while all goes well: passed tests, downloads, compiled units, steps of a build.

A line goes only where it is known: a pattern of its program's, with the counts kept in the one stub that stands in its
place. A line that gives alarm stays whatever it looks like, unless its pattern says for certain that it is a success (a
passed test may be called `test_error`). Everything that is not known stays.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.chatter_rules import FAMILIES, Family
from lynkr.transforms.tool_results.stub import ALARM, counted, stub

# A stub takes its place too.
_GAIN = 60


class _Dropped(NamedTuple):
    at: int
    what: str


def squeeze(text: str, what: Meaning) -> str:
    """`text` without chatter."""
    if what.role in ("shown", "found", "listed", "written"):
        return text
    families = [family for family in FAMILIES if what.ran(*family.programs) or family.look.search(text)]
    if not families:
        return text
    lines = text.split("\n")
    dropped = _dropped(lines, families)
    if not dropped:
        return text
    counts = dict[str, int]()
    for line in dropped:
        if line.what:
            counts[line.what] = counts.get(line.what, 0) + 1
    gone = {line.at for line in dropped}
    first = dropped[0].at
    said = stub(f"left out {counted(counts)}") if counts else ""
    kept = [said if n == first else line for n, line in enumerate(lines) if n not in gone or (n == first and said)]
    new = "\n".join(kept)
    return new if len(new) + _GAIN < len(text) else text


def _dropped(lines: list[str], families: list[Family]) -> list[_Dropped]:
    rules = [rule for family in families for rule in family.rules]
    pattern = re.compile("|".join(f"(?P<r{n}>{rule.pattern})" for n, rule in enumerate(rules)))
    dropped = list[_Dropped]()
    for at, line in enumerate(lines):
        found = pattern.match(line)
        if found is None or found.lastgroup is None:
            continue
        rule = rules[int(found.lastgroup[1:])]
        if rule.sure or not ALARM.search(line):
            dropped.append(_Dropped(at, rule.what))
    return dropped
