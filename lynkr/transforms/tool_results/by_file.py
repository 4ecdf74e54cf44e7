"""Lines that begin with the same path, which is then said once: what grep, linters and compilers write.

    src/a.py:12:text        src/a.py:12:text
    src/a.py:14:more   →    14:more
    src/b.py:3:other        src/b.py:3:other

Nothing is lost and the order stays, so the lines can be put together again: one that begins with its number is of the
file of the line above. Of a long list the folder that all paths begin with is said once, before it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.prefixes import shared
from lynkr.transforms.tool_results.stub import MARK

# A path and a place in it: 12:text, 12:5: text, (12,5): text.
_PLACED = re.compile(r"((?:[A-Za-z]:)?[^:()\n]{1,300}+)(?::(\d+[:.,\- ].*|\d+$)|(\(\d+,\d+\): .*))", re.DOTALL)
# Lines around a match, as grep -C writes them; the path is known from the match.
_AROUND = re.compile(r"-(?=\d+-)")
_BETWEEN = "--"
# A path is no longer, so around a match the number stands nearer to the beginning.
_LONGEST = 300
# Of a file with fewer lines each stays whole: those are the places that are quoted next, as `path:line`.
LEAST = 3
# A list with so many is read for its whole; then every file's path is said once, and their folder before all.
_LONG = 100
_LEAST_FOLDER = 6


class _Placed(NamedTuple):
    """A line of a file: its path, and the rest. `written` is the path as it stands there, where it is another."""

    path: str
    rest: str
    written: str = ""


def squeeze(text: str, what: Meaning) -> str:
    """`text` with runs of lines of one file under its path."""
    if what.role in ("shown", "listed", "written"):
        return text
    lines = text.split("\n")
    placed = [_placed(line) for line in lines]
    paths = {line.path for line in placed if line}
    if not paths:
        return text
    names = dict[str, str]()
    for path in sorted(paths):
        name = path.rpartition("/")[2]
        # Of two files with one name nobody knows which is meant.
        names[name] = "" if name in names else path
    placed = [part or _around(line, paths, names) for line, part in zip(lines, placed, strict=True)]
    if sum(part is not None for part in placed) < _LONG:
        return "\n".join(_under(lines, placed, LEAST))
    said, lines, placed = _within(lines, placed)
    return "\n".join(said + _under(lines, placed, 2))


def _within(lines: list[str], placed: list[_Placed | None]) -> tuple[list[str], list[str], list[_Placed | None]]:
    """What all paths begin with, said once, and the lines without it."""
    paths = [part.path for part in placed if part]
    folder = shared(min(paths), max(paths)).rpartition("/")[0] + "/"
    if len(folder) < _LEAST_FOLDER or any(part and part.written for part in placed):
        return [], lines, placed
    size = len(folder)
    shorter = [line[size:] if part else line for line, part in zip(lines, placed, strict=True)]
    rest = [part and _Placed(part.path[size:], part.rest) for part in placed]
    return [f"{MARK}each path here begins with {folder}]"], shorter, rest


def _placed(line: str) -> _Placed | None:
    found = _PLACED.match(line)
    if (
        not found
        or "://" in found[1]
        or found[1] != found[1].strip()
        or "  " in found[1]
        or not ("." in found[1] or "/" in found[1])
    ):
        return None
    return None if found[1][0].isdigit() and "/" not in found[1] else _Placed(found[1], found[2] or found[3])


def _around(line: str, paths: set[str], names: dict[str, str]) -> _Placed | None:
    """A line around a match. Claude Code shortens the path of the match only, so there it is the whole one."""
    for found in _AROUND.finditer(line, 0, _LONGEST):
        path = line[: found.start()]
        if path in paths:
            return _Placed(path, line[found.end() :])
        known = names.get(path.rpartition("/")[2], "")
        if known and path.endswith(f"/{known}"):
            return _Placed(known, line[found.end() :], path)
    return None


def _under(lines: list[str], placed: list[_Placed | None], least: int) -> list[str]:
    """The lines, without the path where it is that of the line before."""
    out, at, said = list[str](), 0, set[str]()
    while at < len(lines):
        first, group, end = placed[at], list[str](), at
        while first and end < len(lines):
            part = placed[end]
            if part and part.path == first.path:
                # Either way to write a path is what is looked for next.
                group.append(lines[end] if part.written and part.written not in said else part.rest)
                said.add(part.written)
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
        out += group[1:] if clear and len(group) >= least else lines[at + 1 : end]
        at = end
    return out
