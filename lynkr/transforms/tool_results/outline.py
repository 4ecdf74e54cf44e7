"""The bulk of a large result that nobody reads: scripts, styles and drawings within a page, lines of minified code.

What frames it stays where it is, and says how much there was. Only what a program wrote is cut so, and only where all
of it is more than 8,000 characters; data within a page (`application/json`) stays.
"""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import stub

_LARGE = 8_000
_OPENING = re.compile(r"<(script|style|svg)\b([^<>]{0,500})>", re.I)
_LEAST = 200
# Code that was written for no reader: a line of so many characters, hardly a space, and many signs of code.
_LONG, _HEAD, _TAIL = 4_000, 1_000, 300
_MOST_SPACE, _LEAST_SIGNS = 0.08, 0.04
_CODE = "{}();="


def squeeze(text: str, what: Meaning) -> str:
    """`text` without the bulk of its page or its minified lines."""
    if what.role != "output" or len(text) <= _LARGE:
        return text
    page = _without_scripts(text)
    if max(map(len, page.split("\n"))) <= _LONG:
        return page
    return "\n".join(_cut(line) if len(line) > _LONG else line for line in page.split("\n"))


def _without_scripts(text: str) -> str:
    lower, out, at, endless = text.lower(), list[str](), 0, set[str]()
    if len(lower) != len(text):
        return text
    for found in _OPENING.finditer(text):
        name = found[1].lower()
        if found.start() < at or name in endless or "json" in found[2].lower():
            continue
        end = lower.find(f"</{name}", found.end())
        if end < 0:
            endless.add(name)
        elif end - found.end() >= _LEAST:
            out += [text[at : found.end()], stub(f"{end - found.end()} characters of {name}")]
            at = end
    return "".join([*out, text[at:]])


def _cut(line: str) -> str:
    spaces, signs = line.count(" "), sum(map(line.count, _CODE))
    if line[0] in "[{" or spaces > _MOST_SPACE * len(line) or signs < _LEAST_SIGNS * len(line):
        return line
    gone = len(line) - _HEAD - _TAIL
    return line[:_HEAD] + stub(f"{gone} characters of minified code") + line[-_TAIL:]
