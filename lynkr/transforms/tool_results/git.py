"""What git says around the facts: how to undo what was just done, and twice what file a diff is about."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning

# `  (use "git add <file>..." to update what will be committed)`
_HINT = re.compile(
    r"^\s*\((?:use \"git |fix conflicts and then run|commit or discard the untracked|all conflicts fixed).*\)\n", re.M
)
_ADVICE = re.compile(r"^hint: .*\n", re.M)
# The names stand in the two lines below as well; the hashes of the blobs are nobody's.
_HEAD = re.compile(r"^diff --git a/(\S+) b/\1\nindex [0-9a-f]+\.\.[0-9a-f]+(?: \d+)?\n(?=--- a/\1\n\+\+\+ b/\1$)", re.M)
_INDEX = re.compile(r"^index [0-9a-f]+\.\.[0-9a-f]+(?: \d+)?\n(?=--- )", re.M)


def squeeze(text: str, what: Meaning) -> str:
    """`text` without them."""
    if what.role in ("shown", "written", "listed"):
        return text
    if what.ran("git status", "git commit", "git rebase", "git merge", "git stash", "git cherry-pick", "git restore"):
        text = _HINT.sub("", text)
    if "diff --git " in text:
        text = _INDEX.sub("", _HEAD.sub("", text))
    return text
