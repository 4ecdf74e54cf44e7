"""What git says around the facts: how to undo what was just done, and twice what file a diff is about."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import stub

# `  (use "git add <file>..." to update what will be committed)`
_HINT = re.compile(
    r"^\s*\((?:use \"git |fix conflicts and then run|commit or discard the untracked|all conflicts fixed).*\)\n", re.M
)
# The names stand in the two lines below as well; the hashes of the blobs are nobody's.
_HEAD = re.compile(r"^diff --git a/(\S+) b/\1\nindex [0-9a-f]+\.\.[0-9a-f]+(?: \d+)?\n(?=--- a/\1\n\+\+\+ b/\1$)", re.M)
_INDEX = re.compile(r"^index [0-9a-f]+\.\.[0-9a-f]+(?: \d+)?\n(?=--- )", re.M)


def squeeze(text: str, what: Meaning) -> str:
    """`text` without them."""
    if what.role in ("shown", "written", "listed"):
        return text
    if what.ran("git status", "git commit", "git rebase", "git merge", "git stash", "git cherry-pick", "git restore"):
        text = _HINT.sub("", text)
    if what.ran("git pull", "git merge", "git commit", "git cherry-pick", "git rebase"):
        text = _without_modes(text)
    if "diff --git " in text:
        text = _INDEX.sub("", _HEAD.sub("", text))
    return text


# ` src/a.py | 12 +++--`, and later ` create mode 100644 src/a.py`.
_STATED = re.compile(r"^ (\S+) +\| +(?:\d+ [+-]*|Bin .*)$", re.M)
_MODE = re.compile(r"^ (?:create|delete) mode \d+ (\S+)(?:\n|\Z)", re.M)
_LEAST_MODES = 4


def _without_modes(text: str) -> str:
    """`text` without the files of its list once more, as created or deleted."""
    stated = set(_STATED.findall(text))

    def again(found: re.Match[str]) -> bool:
        return found[1] in stated and " 100644 " in found[0]

    repeated = [found for found in _MODE.finditer(text) if again(found)]
    if len(repeated) < _LEAST_MODES:
        return text
    new, first = sum(" create " in found[0] for found in repeated), repeated[0].start()
    said = stub(f"of the files above {new} were created, {len(repeated) - new} deleted")
    return f"{text[:first]}{said}\n{_MODE.sub(lambda found: '' if again(found) else found[0], text[first:])}"
