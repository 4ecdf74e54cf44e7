"""Rulers: rows of one sign that only part or frame what is said, cut to three; and lines that come again at once.

Only at a line's beginning or end, and never in what may be code: signs under a place (`^^^^`, `~~~~`) show
how wide it is.
"""

from __future__ import annotations

import re
from operator import eq

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import MARK

_SIGNS, _DRAWN = r"[=_*#.⎯━─═╌┄╍┅—–-]", r"[⎯━─═╌┄╍┅—–]"
# Nothing but a ruler; one at both ends of a title; one that is drawn, at either end. Of a bar (`###### 5`) the length
# says something.
_RULER = re.compile(
    rf"^([ \t]?)({_SIGNS})\2{{7,}}(?P<whole>)$"
    rf"|^({_SIGNS})\4{{7,}}(?P<title>[^\n]*?[^\n=_*#-])\4{{4,}}$"
    rf"|^\*{{8,}}(?P<module> Module [^\n]*)$"
    rf"|^({_DRAWN})\7{{7,}}(?=[ \w\[])|(?<=[ \w\]%)])({_DRAWN})\8{{7,}}$",
    re.M,
)
_LONG = re.compile(rf"({_SIGNS})\1{{7}}")
_BROKEN = re.compile(r"^(?:([_-]) ){8,}\1?\s*$", re.M)
_CODE = re.compile(r"^(?:@@ -\d|diff --git |--- a/)", re.M)
# The least of each ruler: without one there is nothing to look for.
_EIGHT = tuple(sign * 8 for sign in "=_*#.⎯━─═╌┄╍┅—–-")


def squeeze(text: str, what: Meaning) -> str:
    """`text` with short rulers, and each line that comes several times in a row once, with its count."""
    if what.role in ("shown", "found", "listed", "written"):
        return text
    text = _said_once(text)
    if _CODE.search(text) or what.ran("git diff", "git show", "diff", "cat"):
        return text
    if any(eight in text for eight in _EIGHT):
        lines = text.split("\n")
        text = "\n".join(_RULER.sub(_short, line) if _LONG.search(line) else line for line in lines)
    return _BROKEN.sub(r"\1 \1 \1", text) if "- - - - " in text or "_ _ _ _ " in text else text


def _short(found: re.Match[str]) -> str:
    if found["title"] is not None:
        return found[4] * 3 + found["title"] + found[4] * 3
    if found["module"] is not None:
        return "***" + found["module"]
    return (found[1] or "") + (found[2] or found[7] or found[8]) * 3


def _said_once(text: str) -> str:
    lines, out, at = text.split("\n"), list[str](), 0
    if not any(map(eq, lines, lines[1:])):
        return text
    while at < len(lines):
        end = at + 1
        while end < len(lines) and lines[end] == lines[at]:
            end += 1
        said = f"{MARK}this line {end - at} times]"
        worth = lines[at].strip() and (end - at - 1) * (len(lines[at]) + 1) > len(said) + 1
        out += [lines[at], said] if worth else lines[at:end]
        at = end
    return "\n".join(out)
