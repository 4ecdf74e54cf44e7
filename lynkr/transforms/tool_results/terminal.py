"""What a terminal would show in the end: colours off, and of what was written over itself only the last."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import ALARM

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHMNOPZ\\])|[\x07\x0f\x0e]"
)
# The cursor to the line's first column.
_TO_BEGINNING = re.compile(r"\x1b\[1?G")
_BACKSPACED = re.compile(r"[^\x08\n]\x08")
# Frames of spinners, which are drawn again and again before the same words.
_SPINNER = re.compile(r"[⠀-⣿◐◓◑◒◴◷◶◵▖▘▝▗|/\\-](?=\s)")


def squeeze(text: str, what: Meaning) -> str:
    """`text` as it would stand on a screen. A file that is shown keeps every byte."""
    if what.role in ("shown", "written") or not ("\x1b" in text or "\r" in text or "\x08" in text or "\x07" in text):
        return text
    text = _ESCAPES.sub("", _TO_BEGINNING.sub("\r", text))
    while _BACKSPACED.search(text):
        text = _BACKSPACED.sub("", text)
    if "\r" in text:
        text = "\n".join(line for whole in text.split("\n") for line in _last(whole))
    return text


def _last(line: str) -> list[str]:
    """What stays of a line that was written over with carriage returns; what gave alarm stays as well."""
    written = [part.rstrip() for part in line.split("\r")]
    seen = [part for part in written if part.strip()]
    if len(seen) <= 1:
        return seen or [""]
    alarms = [part for part in dict.fromkeys(seen[:-1]) if ALARM.search(_SPINNER.sub("", part, count=1))]
    return [*(part for part in alarms if part != seen[-1]), seen[-1]]
