"""Tables that a program drew with spaces (docker ps, kubectl get): two between columns are enough.

Only where every row has as many cells as the first, so that each cell still stands in its column.
"""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning

_LOOK = re.compile(r"^[A-Z][A-Z0-9 _/()%-]* {2}", re.M)
_GAP = re.compile(r" {2,}")
_LEAST_ROWS, _LEAST_COLUMNS = 3, 3
# Names of columns as those programs write them: `CONTAINER ID`, `PORT(S)`, `CPU%`.
_HEAD = re.compile(r"[A-Z][A-Z0-9 _/()%-]+\Z")


def squeeze(text: str, what: Meaning) -> str:
    """`text` with the columns of its tables two spaces apart."""
    if what.role != "output" or not _LOOK.search(text):
        return text
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        names = _GAP.split(lines[at].rstrip())
        if len(names) < _LEAST_COLUMNS or not all(map(_HEAD.match, names)):
            at += 1
            continue
        end = at
        while end < len(lines) and lines[end].strip() and not lines[end].startswith(" "):
            end += 1
        rows = [_GAP.split(line.rstrip()) for line in lines[at:end]]
        if len(rows) >= _LEAST_ROWS and all(len(row) == len(names) for row in rows):
            lines[at:end] = ["  ".join(row) for row in rows]
        at = max(end, at + 1)
    return "\n".join(lines)
