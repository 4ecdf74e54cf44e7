"""What programs say while all goes well: passed tests, downloads, compiled units, steps of a build.

A line goes only where it is known: a pattern of its program's, with the counts kept in the one stub that stands in its
place. A line that gives alarm stays whatever it looks like, unless its pattern says for certain that it is a success (a
passed test may be called `test_error`). Everything that is not known stays.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.chatter_rules import FAMILIES, NAMED, Family
from lynkr.transforms.tool_results.stub import ALARM, counted, stub

# A stub takes its place too.
_GAIN = 60
# Names of passed tests are worth their place where they are few: they say what is tested.
_NAMES = 48
_NAME = re.compile(r"(?:--- PASS: |\[ *\d+%\] PASSED |PASS +|\(pass\) |^\s*[✓✔√] |^test |^ok +\d+ - |^ok  \t)?(\S+)")


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
    gone = {line.at for line in dropped}
    first = dropped[0].at
    said = _said(dropped, lines)
    kept = [said if n == first else line for n, line in enumerate(lines) if n not in gone or (n == first and said)]
    new = "\n".join(kept)
    return new if len(new) + _GAIN < len(text) else text


def _said(dropped: list[_Dropped], lines: list[str]) -> str:
    """The stub: how many of what, and the names of what passed where they are few."""
    counts, names = dict[str, int](), list[str]()
    for line in dropped:
        if line.what:
            counts[line.what] = counts.get(line.what, 0) + 1
        if line.what in NAMED and (found := _NAME.search(lines[line.at])):
            names.append(found[1])
    words = f"left out {counted(counts)}"
    named = ", ".join(dict.fromkeys(names))
    if names and len(names) <= _NAMES and len(named) * 2 < sum(len(lines[line.at]) for line in dropped):
        words += f" ({named})"
    return stub(words) if counts else ""


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
