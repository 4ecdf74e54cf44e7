"""What compression makes of recorded sessions, by kind of result: the table in docs/transforms.md.

    python tests/bench/compression.py SESSION.json... [--write]

A session is a JSON file with `messages` in Anthropic's format, every tool result in full. Tokens are estimated by one
rule on both sides, so only ratios count: a word of up to six letters is one, every further six one more; up to three
digits, a row of spaces and any other sign are one each. With --write the table goes into docs/transforms.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lynkr.document import Document
from lynkr.formats import anthropic
from lynkr.passage import Called, Given
from lynkr.transforms.command import meaning
from lynkr.transforms.shaper import Shaper

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "transforms.md"
BEGIN, END = "<!-- figures: made by tests/bench/compression.py -->", "<!-- end of figures -->"
_WORD = re.compile(r"[A-Za-z]+|\d{1,3}|\s+|[^\sA-Za-z\d]")
_NAMES = {
    "shown": "file reads (Read, cat, sed, head)",
    "found": "searches (grep, ripgrep, Grep)",
    "listed": "listings (ls, find, Glob)",
    "written": "what edits say",
    "git": "git",
    "tests": "tests",
    "JSON": "JSON",
    "output": "other output",
}
_TESTS = ("pytest", "go test", "cargo test", "jest", "vitest", "test", "unittest", "bin/test", "mocha", "rspec")


def tokens(text: str) -> int:
    count = 0
    for piece in _WORD.findall(text):
        if piece[0].isalpha():
            count += 1 + (len(piece) - 1) // 6
        elif piece != " ":
            count += 1
    return count


def results(session: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(kind, before, after) of every tool result."""
    document = Document.read(json.dumps({"messages": session["messages"]}).encode("utf-8", "surrogatepass"))
    shaped = Shaper().shape(document, anthropic.TALK, anthropic.passages)
    order = iter(placed.change for placed in shaped.placed)
    following = next(order, None)
    calls: dict[str, Called] = {}
    for message in session["messages"]:
        for passage in anthropic.passages(message):
            if isinstance(passage, Called):
                calls[passage.id] = passage
            elif isinstance(passage, Given):
                after = passage.text
                if following is not None and following.before == passage.text:
                    after, following = following.after, next(order, None)
                yield kind(calls.get(passage.id), passage.text), passage.text, after
    assert following is None, "a change that belongs to no result"


def kind(call: Called | None, text: str) -> str:
    what = meaning(call)
    if what.role != "output":
        return what.role
    if what.ran(*_TESTS) or re.search(r"^=+ .*(?:passed|failed)", text, re.M):
        return "tests"
    if any(words[0] == "git" for words in what.programs):
        return "git"
    return "JSON" if text.lstrip()[:1] in ("{", "[") else "output"


def main(paths: list[str]) -> list[str]:
    sums: dict[str, list[int]] = {}
    for path in paths:
        for name, before, after in results(json.loads(Path(path).read_text("utf-8"))):
            row = sums.setdefault(name, [0, 0, 0])
            row[0] += 1
            row[1] += tokens(before)
            row[2] += tokens(after)
    total = [sum(row[n] for row in sums.values()) for n in range(3)]
    lines = ["| result of | results | share of tokens | sent, of that |", "|---|---:|---:|---:|"]
    for name, row in sorted(sums.items(), key=lambda item: -item[1][1]):
        lines.append(f"| {_NAMES[name]} | {row[0]} | {row[1] / total[1]:.1%} | {row[2] / row[1]:.1%} |")
    return [*lines, f"| **all, of {len(paths)} sessions** | {total[0]} | | **{total[2] / total[1]:.1%}** |"]


if __name__ == "__main__":
    words = sys.argv[1:]
    table = "\n".join(main([word for word in words if word != "--write"]))
    if "--write" in words:
        text = DOCUMENT.read_text("utf-8")
        head, rest = text.split(BEGIN)
        DOCUMENT.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", "utf-8")
    print(table)
