"""What programs say while all goes well: passed tests, downloads, compiled units, steps of a build.

A line goes only where it is known: a pattern of its program's, with the counts kept in the one stub that stands in its
place. A line that gives alarm stays whatever it looks like, unless its pattern says for certain that it is a success (a
passed test may be called `test_error`). Everything that is not known stays.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.chatter_rules import FAMILIES, NAMED, Family, Rule
from lynkr.transforms.tool_results.stub import alarming, stub

# A stub takes its place too.
_GAIN = 60
# Longer lines are no program's chatter.
_LONGEST = 4000
_LOOK = 6000
# So far below a head its own output begins.
_UNDER = 4
# Who says so wants to see every step.
_ASKED = frozenset(("--dry-run", "--just-print", "--listEmittedFiles", "--listFiles", "V=1", "VERBOSE=1", "--trace"))
_ASKED_BY = (("make", "-n"), ("gmake", "-n"), ("ninja", "-v"), ("ninja", "-n"))
# What these write is somebody else's words, whatever it looks like.
_SAY_ANYTHING = ("git", "psql", "mysql", "sqlite3", "curl", "wget", "jq", "gh", "glab", "ps", "diff", "strings")


class _Dropped(NamedTuple):
    at: int
    what: str
    name: str


def squeeze(text: str, what: Meaning) -> str:
    """`text` without chatter."""
    if what.role != "output":
        return text
    if any(_ASKED.intersection(words) or words[:2] in _ASKED_BY for words in what.programs):
        return text
    looked = "" if what.ran(*_SAY_ANYTHING) else _ends(text)
    families = [family for family in FAMILIES if what.ran(*family.programs) or family.look.search(looked)]
    if not families:
        return text
    lines = text.split("\n")
    dropped = _dropped(lines, families)
    if not dropped:
        return text
    gone = {line.at for line in dropped}
    first = dropped[0].at
    said = _said(dropped)
    kept = list[str]()
    for at, line in enumerate(lines):
        if at == first and said:
            kept.append(said)
        # Between what went stood blank lines.
        elif at not in gone and (line.strip() or at - 1 not in gone or not kept or kept[-1].strip()):
            kept.append(line)
    new = "\n".join(kept)
    return new if new.strip() and len(new) + _GAIN < len(text) else text


def _ends(text: str) -> str:
    """Beginning and end, where a program that says something for certain shows itself."""
    return text if len(text) <= 2 * _LOOK else f"{text[:_LOOK]}\n{text[-_LOOK:]}"


def _said(dropped: list[_Dropped]) -> str:
    """The stub: how many of what, and their names where they are few."""
    counts, names = dict[str, int](), dict[str, list[str]]()
    for line in dropped:
        if line.what:
            counts[line.what] = counts.get(line.what, 0) + 1
            if line.name:
                names.setdefault(line.what, []).append(line.name)
    parts = list[str]()
    for what, count in counts.items():
        named = list(dict.fromkeys(names.get(what, ())))
        few = named and len(named) <= NAMED.get(what, 0)
        parts.append(_counted(what, count) + (f" ({_listed(named)})" if few else ""))
    return stub(f"left out {', '.join(parts)}") if counts else ""


def _counted(what: str, count: int) -> str:
    """`1 download`, `3 passed tests`, `2 retries`."""
    many = what[:-1] + "ies" if what.endswith("y") and what[-2] not in "aeiou" else what + "s"
    return f"{count} {what if count == 1 else many}"


# What stands before a test's own name.
_GROUP = re.compile(r".*(?:::|\.(?=\w+$)| > | \u203a )", re.DOTALL)


def _listed(names: list[str]) -> str:
    """Names side by side; what the one before begins with is not said again."""
    said, group = list[str](), ""
    for name in names:
        found = _GROUP.match(name)
        now = found[0] if found else ""
        mark = next((end for end in ("::", ">", ".", "\u203a") if now.rstrip().endswith(end)), "")
        said.append(f"{mark} {name[len(now) :]}".replace(":: ", "::") if now and now == group else name)
        group = now
    return ", ".join(said)


def _dropped(lines: list[str], families: list[Family]) -> list[_Dropped]:
    rules = [rule for family in families for rule in family.rules]
    pattern = _alternatives(tuple(rule.pattern for rule in rules))
    dropped, counts = list[tuple[_Dropped, Rule]](), dict[str, int]()
    for at, line in enumerate(lines):
        found = pattern.match(line) if len(line) <= _LONGEST else None
        if found is None:
            continue
        number, name = _which(found)
        rule = rules[number]
        if rule.heads and not _stands_alone(lines, at, pattern):
            continue
        if rule.sure or not alarming(line):
            dropped.append((_Dropped(at, rule.what, name or ""), rule))
            counts[rule.what] = counts.get(rule.what, 0) + 1
    return [line for line, rule in dropped if counts[rule.what] >= rule.least]


def _stands_alone(lines: list[str], at: int, pattern: re.Pattern[str]) -> bool:
    """Whether nothing stands under a head but what goes too."""
    after = next((line for line in lines[at + 1 : at + _UNDER] if line.strip()), "")
    return not after or bool(pattern.match(after))


@lru_cache(64)
def _alternatives(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all: the group r3 is the third one's, n3 the name in it."""
    return re.compile("|".join(f"(?P<r{n}>{p.replace('(?P<NAME>', f'(?P<n{n}>')})" for n, p in enumerate(patterns)))


def _which(found: re.Match[str]) -> tuple[int, str | None]:
    assert found.lastgroup is not None  # the group of the rule, which closes last
    number = found.lastgroup[1:]
    return int(number), found[f"n{number}"] if f"n{number}" in found.re.groupindex else None
