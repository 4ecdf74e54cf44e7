"""The same message at many places, said once with all of its places: what linters write about a whole tree.

a.py:1:0: C0114: Missing module docstring       C0114: Missing module docstring
b.py:1:0: C0114: Missing module docstring   →   at a.py:1:0 b.py:1:0 …
"""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning

# path:line:col: message, path(line,col): message, or line:col message under a path of its own (eslint).
_PLACED = re.compile(r"((?=[^\s:()]*[./])[^\s:()]{1,300}(?::\d+(?::\d+)?|\(\d+(?:,\d+)?\))):? (?=\S)(.{12,})")
# A message says how bad it is, or which rule it comes from; a log that names its places is in order.
_JUDGED = re.compile(
    r"\b(?:error|warning|note|info|fatal|hint|convention|refactor)\b|\b[A-Z]{1,5}\d{2,5}\b|[\w@/]+-[\w-]+[)\]]?\Z", re.I
)
_LEAST = 4


def squeeze(text: str, what: Meaning) -> str:
    """`text` with messages that occur in at least four places said once, where the first of them stood."""
    if what.role != "output":
        return text
    lines = text.split("\n")
    places: dict[str, list[str]] = {}
    split = _listed([_PLACED.fullmatch(line) for line in lines], lines)
    for found in split:
        if found and _JUDGED.search(found[2]):
            places.setdefault(found[2], []).append(found[1])
    often = {message for message, where in places.items() if len(where) >= _LEAST}
    if not often:
        return text
    out, said = list[str](), set[str]()
    for line, found in zip(lines, split, strict=True):
        if found is None or found[2] not in often:
            out.append(line)
        elif found[2] not in said:
            said.add(found[2])
            out += [found[2], f"at {' '.join(places[found[2]])}"]
    new = "\n".join(out)
    return new if len(new) < len(text) else text


def _listed(found: list[re.Match[str] | None], lines: list[str]) -> list[re.Match[str] | None]:
    """Those that stand in a list: what has lines of its own under it, or ends a report, stays in its place."""
    last = len(lines) - 1
    return [
        one
        if one
        and not (n < last and lines[n + 1][:1].isspace())
        and ((n and (found[n - 1] or lines[n - 1].startswith("****"))) or (n < last and found[n + 1]))
        else None
        for n, one in enumerate(found)
    ]
