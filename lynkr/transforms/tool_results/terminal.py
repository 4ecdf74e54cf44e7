"""What a terminal would show in the end: colours off, and of what was written over itself only the last."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import alarming

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHMNOPZ\\])|[\x07\x0f\x0e]"
)
# Where only colours tell old from new.
_MEANT = ("--color-words", "--word-diff=color", "--color-moved")
# The cursor to the line's first column.
_TO_BEGINNING = re.compile(r"\x1b\[1?G")
# What is drawn over and over: a share, a count, a bar.
_PROGRESS = re.compile(
    r"\d%|\d+ ?/ ?\d|[#=>\u2588\u2501\u2591.-]{4}|\d\s?[kKMG]?i?B\b|^\s*[|/\\\u2800-\u28ff-]\s|\.\.\."
)
_WORDS = re.compile(r"[\W\d_]+")
# Frames of spinners, which are drawn again and again before the same words.
_SPINNER = re.compile(r"[⠀-⣿◐◓◑◒◴◷◶◵▖▘▝▗|/\\-](?=\s)")


def squeeze(text: str, what: Meaning) -> str:
    """`text` as it would stand on a screen. Text that was asked for keeps every byte."""
    if what.role in ("shown", "written") or (what.role == "found" and "\x1b[" not in text):
        return text
    if not any(sign in text for sign in "\x1b\r\x08\x07"):
        return text
    if any(word.startswith(_MEANT) for words in what.programs for word in words):
        return text
    text = _ESCAPES.sub("", _TO_BEGINNING.sub("\r", text))
    if "\x08" in text:
        text = _without_backspaces(text)
    if "\r" in text and what.role == "output" and not what.ran("git diff", "git show", "diff"):
        text = _as_shown(text)
    return text


def _without_backspaces(text: str) -> str:
    kept = list[str]()
    for piece in re.split("(\x08+)", text):
        if piece.startswith("\x08"):
            gone = len(piece)
            while gone and kept and not kept[-1].endswith("\n"):
                short = min(gone, len(kept[-1]) - kept[-1].rfind("\n") - 1)
                kept[-1], gone = kept[-1][: len(kept[-1]) - short], gone - short
                if not kept[-1]:
                    kept.pop()
        elif piece:
            kept.append(piece)
    return "".join(kept)


def _as_shown(text: str) -> str:
    lines = text.split("\n")
    ended = sum(line.endswith("\r") for line in lines)
    # A terminal ends every line so; where only some do, somebody may care which.
    if ended >= len(lines) - 1:
        lines = [line.removesuffix("\r") for line in lines]
    return "\n".join(seen for line in lines for seen in (_last(line) if "\r" in line[:-1] else [line]))


def _last(line: str) -> list[str]:
    """What stays of a line that was written over with carriage returns: the last of each progress, and every alarm."""
    seen = [part.rstrip() for part in line.split("\r") if part.strip()]
    if len(seen) <= 1:
        return seen or [""]
    kept = list[str]()
    for part, after in zip(seen, [*seen[1:], ""], strict=True):
        drawn = _PROGRESS.search(part) or _WORDS.sub(" ", part) == _WORDS.sub(" ", after)
        if not after or not drawn or alarming(_SPINNER.sub("", part, count=1)):
            kept.append(part)
    return list(dict.fromkeys(kept))
