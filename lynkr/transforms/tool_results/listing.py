"""Lists of files: what find, tree, ls -l, git ls-files and Glob write, without what only draws the list.

    src/api/client.ts         src/api/: client.ts errors.ts
    src/api/errors.ts    →    README.md
    README.md

Every name stays, and the order. A short list stays as it is: its paths are what is opened next, as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lynkr.transforms.command import Meaning

# A list with fewer paths stays as it is, and so does a folder with fewer files in a row.
_LONG, _LEAST = 100, 3
_PATH = re.compile(r"((?:\.{0,2}/)?(?:[\w.+@=%~-]+/)*)([\w.+@,=%~-]+)\Z")
# drwxr-xr-x  2 dev dev   4096 Nov 21 15:49 name
_LONG_LINE = re.compile(
    r"([bcdlps-][rwxsStT-]{9}[.+@]?)((?: +\S+){3,4}?)( +[A-Z][a-z]{2} +\d+ +[\d:]+)( .*)", re.DOTALL
)
_SPACES = re.compile(r" {2,}")
_BRANCH = re.compile(r"((?:(?:│[\s\xa0]{3}|[| ] {3}|\xa0{4}))*)(?:[├└]── |[|`]-- )")


def squeeze(text: str, what: Meaning) -> str:
    """`text` without the spaces of `ls -l`, the branches of `tree`, and what paths of one folder have in common."""
    if what.role != "listed" and not what.ran("git ls-files"):
        return text
    lines = text.split("\n")
    if what.ran("tree"):
        return "\n".join(_BRANCH.sub(_indented, line) for line in lines)
    if what.ran("ls", "ll"):
        return "\n".join(_narrow(line) for line in lines)
    paths = [_PATH.match(line) for line in lines]
    if sum(found is not None and bool(found[1]) for found in paths) < _LONG:
        return text
    return "\n".join(_by_folder(lines, paths))


def _indented(found: re.Match[str]) -> str:
    return "  " * (len(found[1]) // 4)


def _narrow(line: str) -> str:
    found = _LONG_LINE.match(line)
    return found[1] + _SPACES.sub(" ", found[2] + found[3]) + found[4] if found else line


def _by_folder(lines: list[str], paths: list[re.Match[str] | None]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        first, end = paths[at], at + 1
        while first and first[1] and end < len(lines) and (next_ := paths[end]) and next_[1] == first[1]:
            end += 1
        if first and end - at >= _LEAST:
            yield f"{first[1]}: {' '.join(found[2] for found in paths[at:end] if found)}"
        else:
            yield from lines[at:end]
        at = end
