"""What tools put around a command's output and nobody reads again: identifiers and figures of their own."""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning

# Codex: the exit status and the session stay, what the chunk was called and how many tokens it had go.
_CODEX = re.compile(r"\AChunk ID: [0-9a-f]+\n(Wall time: [^\n]*\n)((?:Process [^\n]*\n)?)(?:Original token count: \d+\n)?(?=Output:)")


def squeeze(text: str, what: Meaning) -> str:
    """`text` without them."""
    return _CODEX.sub(r"\2", text) if text.startswith("Chunk ID: ") else text
