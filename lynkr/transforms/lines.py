"""Lines of a result as what they say and how they are numbered or marked.

A file is shown as `   12→text` by one tool, `12:text` by another and bare by a third; a diff puts a sign before each
line. Two lines say the same when their text is the same; prefix and number say where.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lynkr.transforms.tool_results.stub import MARK

# cat -n and its like; a search in one file, or under the path of one.
_NUMBERED = re.compile(r"( *(?=\d+[→\t|]))?(\d{1,7})(→|\t|\| |[:-])(.*)", re.DOTALL)
_SHOWN = re.compile(r" *\d{1,7}(→|\t|\| )")
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+")
# So many lines at the beginning tell how the rest is written.
_LOOK = 40


class Line(NamedTuple):
    """`text` is what is said; `number` counts from 1, 0 where there is none; `sign` is a diff's."""

    text: str
    number: int = 0
    sign: str = ""


def read(texts: list[str]) -> list[Line]:
    """The lines of one text, in the way that its beginning shows."""
    head = [text for text in texts[:_LOOK] if text.strip()]
    numbered = sum(1 for text in head if _SHOWN.match(text))
    if numbered * 3 >= len(head) and numbered:
        return [_numbered(text) for text in texts]
    if any(_HUNK.match(text) for text in texts):
        return _signed(texts)
    colons = sum(1 for text in head if _NUMBERED.match(text))
    if colons * 2 >= len(head) and colons:
        return _searched(texts)
    return [Line(text) for text in texts]


def _numbered(text: str) -> Line:
    found = _NUMBERED.match(text)
    return Line(found[4], int(found[2])) if found else Line(text)


def _searched(texts: list[str]) -> list[Line]:
    """What a search wrote. Where it shows lines around its matches (`12-`), a match (`12:`) is a line of its own.

    Under several paths a number says nothing without its own.
    """
    found = [_NUMBERED.match(text) for text in texts]
    if any(
        one is None and text.strip("- ") and not text.startswith(MARK) for one, text in zip(found, texts, strict=True)
    ):
        return [Line(text) for text in texts]
    around = any(one and one[3] == "-" for one in found)
    return [
        Line(one[4], int(one[2])) if one and not (around and one[3] == ":") else Line(text)
        for text, one in zip(texts, found, strict=True)
    ]


def _signed(texts: list[str]) -> list[Line]:
    """The lines of a diff; what stands before its first hunk has no sign, nor have headers between files."""
    lines, within = list[Line](), False
    for text in texts:
        if _HUNK.match(text):
            within = True
        elif text.startswith(("diff ", "--- ", "+++ ", "index ")):
            within = text.startswith("+++ ")
        elif within and text[:1] in ("+", "-", " "):
            lines.append(Line(text[1:], 0, text[0]))
            continue
        lines.append(Line(text))
    return lines


def patch(texts: list[str]) -> list[Line]:
    """The lines of a patch as a model writes one (`*** Begin Patch`)."""
    return [Line(text[1:], 0, text[0]) if text[:1] in ("+", "-", " ") else Line(text) for text in texts]


# Of so many lines one keeps its number, and so does the first after anything else.
_EVERY = 10


def thinned(text: str) -> str:
    """A file as `cat -n` shows it, with the number on each tenth line and wherever the numbers do not go on by one.

    What stands behind the number stays, so that no column moves.
    """
    out, last = list[str](), -1
    for line in text.split("\n"):
        found = _SHOWN.match(line)
        number = int(found[0].strip().rstrip("→|")) if found else -1
        out.append(line[found.start(1) :] if found and number == last + 1 and number % _EVERY else line)
        last = number
    return "\n".join(out)
