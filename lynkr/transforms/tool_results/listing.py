"""Names of files, a line each, on one line for each folder: what ls writes where no terminal is."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning

_LEAST = 8
_NAME = re.compile(r"[\w.+@,~=%-]+[/*@|]?\Z")


def squeeze(text: str, what: Meaning) -> str:
    """`text` with names that need no quotes side by side, if it is a plain `ls` (no `-l`, no `-1`)."""
    runs = [words for words in what.programs if words[0] == "ls"]
    if what.role != "listed" or not runs or any(_asks_for_lines(word) for words in runs for word in words[1:]):
        return text
    if len(what.programs) > len(runs):
        return text
    out, names = list[str](), list[str]()
    for line in [*text.split("\n"), None]:
        if line is not None and _NAME.match(line):
            names.append(line)
            continue
        out += [" ".join(names)] if len(names) >= _LEAST else names
        names = []
        if line is not None:
            out.append(line)
    return "\n".join(out)


def _asks_for_lines(word: str) -> bool:
    return word.startswith("-") and not word.startswith("--") and bool(set(word) & set("l1mxCs"))
