"""Rulers: rows of one sign that only part or frame what is said, cut to three; and lines that come again at once.

Only at a line's beginning or end, and never in what may be code: signs under a place (`^^^^`, `~~~~`) show how wide it
is.
"""

from __future__ import annotations

import re
from operator import eq

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import MARK

# Of these a row is nothing but a ruler; of `#`, `*` and `.` the length may say something, as in a bar or a grid.
_SIGNS, _DRAWN = (
    "=_-\u23af\u2501\u2500\u2550\u254c\u2504\u254d\u2505\u2014\u2013",
    frozenset("\u23af\u2501\u2500\u2550\u254c\u2504\u254d\u2505\u2014\u2013"),
)
_LEAST, _LEAST_BEHIND = 8, 5
_MODULE = re.compile(r"\*{8,}(?= Module )")
_BROKEN = re.compile(r"^(?:([_-]) ){8,}\1?\s*$", re.M)
_CODE = re.compile(r"^(?:@@ -\d|diff --git |--- a/)", re.M)
# The least of each ruler: without one there is nothing to look for.
_EIGHT = tuple(sign * _LEAST for sign in (*_SIGNS, "*"))


def squeeze(text: str, what: Meaning) -> str:
    """`text` with short rulers, and each line that comes several times in a row once, with its count."""
    if what.role != "output":
        return text
    text = _said_once(text)
    if _CODE.search(text) or what.ran("git diff", "git show", "diff", "cat"):
        return text
    if any(eight in text for eight in _EIGHT):
        text = "\n".join(_short(line) for line in text.split("\n"))
    return _BROKEN.sub(r"\1 \1 \1", text) if "- - - - " in text or "_ _ _ _ " in text else text


def _short(line: str) -> str:
    """A line without most of its ruler: nothing else, one at both ends of a title, one that is drawn at either end."""
    if len(line) < _LEAST:
        return line
    if found := _MODULE.match(line):
        return "***" + line[found.end() :]
    body = line.strip(" \t")
    first, last = body[:1], body[-1:]
    left, right = len(body) - len(body.lstrip(first)), len(body) - len(body.rstrip(last))
    if first in _SIGNS and left == len(body) >= _LEAST:
        return line[: line.index(first)][:1] + first * 3
    if first == last and first in _SIGNS and left >= _LEAST and right >= _LEAST_BEHIND:
        return first * 3 + body[left:-right] + first * 3
    if first in _DRAWN and left >= _LEAST:
        body = first * 3 + body[left:]
    if last in _DRAWN and right >= _LEAST:
        body = body[:-right] + last * 3
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return line if len(indent) + len(body) + 3 >= len(line) else indent + body


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
