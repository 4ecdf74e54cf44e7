"""Lines that begin with the same path, which is then said once: what grep, linters and compilers write.

    src/a.py:12:text        src/a.py:12:text
    src/a.py:14:more   →    14:more
    src/b.py:3:other        src/b.py:3:other

Nothing is lost and the order stays, so the lines can be put together again: one that begins with its number is of the
file of the line above.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lynkr.transforms.command import Meaning

# A path and a place in it: 12:text, 12:5: text, (12,5): text.
_PLACED = re.compile(
    r"((?:[A-Za-z]:)?[^:()\n]*[^:()\s\d][^:()\n]*)(?::(\d+[:.,\- ].*|\d+$)|(\(\d+,\d+\): .*))", re.DOTALL
)
# Lines around a match, as grep -C writes them; the path is known from the match.
_AROUND = re.compile(r"-(?=\d+-)")
_BETWEEN = "--"
# Of a file with fewer lines each stays whole: those are the places that are quoted next, as `path:line`.
LEAST = 3


class _Placed(NamedTuple):
    """A line of a file: its path, and the rest."""

    path: str
    rest: str


def squeeze(text: str, what: Meaning) -> str:
    """`text` with runs of lines of one file under its path."""
    if what.role in ("shown", "listed", "written"):
        return text
    lines = text.split("\n")
    placed = [_placed(line) for line in lines]
    if paths := {line.path for line in placed if line}:
        placed = [part or _around(line, paths) for line, part in zip(lines, placed, strict=True)]
        return "\n".join(_under(lines, placed))
    return text


def _placed(line: str) -> _Placed | None:
    found = _PLACED.match(line)
    if not found or "://" in found[1] or found[1] != found[1].strip() or not ("." in found[1] or "/" in found[1]):
        return None
    return None if found[1][0].isdigit() and "/" not in found[1] else _Placed(found[1], found[2] or found[3])


def _around(line: str, paths: set[str]) -> _Placed | None:
    for found in _AROUND.finditer(line):
        if line[: found.start()] in paths:
            return _Placed(line[: found.start()], line[found.end() :])
    return None


def _of(placed: list[_Placed | None], path: str) -> bool:
    return bool(placed and placed[0] and placed[0].path == path)


def _under(lines: list[str], placed: list[_Placed | None]) -> list[str]:
    """The lines, without the path where it is that of the line before."""
    out, at = list[str](), 0
    while at < len(lines):
        first, group, end = placed[at], list[str](), at
        while first and end < len(lines):
            part = placed[end]
            if part and part.path == first.path:
                group.append(part.rest)
            elif (
                lines[end] == _BETWEEN
                and (then := placed[end + 1 : end + 2])
                and then[0]
                and then[0].path == first.path
            ):
                group.append(_BETWEEN)
            else:
                break
            end += 1
        out.append(lines[at])
        end = max(end, at + 1)
        # What follows must not look as if it belonged there.
        clear = end >= len(lines) or placed[end] or not lines[end].lstrip("(")[:1].isdigit()
        out += group[1:] if clear and len(group) >= LEAST else lines[at + 1 : end]
        at = end
    return out
