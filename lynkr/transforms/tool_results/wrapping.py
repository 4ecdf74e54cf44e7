"""What tools put around a command's output and nobody reads again: identifiers and figures of their own."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning

# Codex: the exit status, the session and how long it took (if anybody could have noticed) stay; what the chunk was
# called and how many tokens it had go.
_CODEX = re.compile(
    r"\AChunk ID: [0-9a-f]+\n(?:Wall time: 0\.\d+ seconds\n)?((?:(?:Wall time:|Process) [^\n]*\n)*)"
    r"(?:Original token count: \d+\n)?(?=Output:)"
)

# Claude Code: the file is named in the call.
_EDITED = re.compile(
    r"\AThe file \S.* has been updated\. Here's the result of running `cat -n` on a snippet of the edited file:\n"
)


def squeeze(text: str, what: Meaning) -> str:
    """`text` without them."""
    if text.startswith("Chunk ID: "):
        return _CODEX.sub(r"\1", text)
    return _EDITED.sub("The file has been updated:\n", text) if what.role == "written" else text
