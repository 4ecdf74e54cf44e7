"""Parts of documents that are made by tests, so that they cannot fall behind the code."""

from __future__ import annotations

import os
from pathlib import Path

WRITE = "LYNKR_WRITE_DOCS" in os.environ
END = "<!-- end -->"


def check(document: Path, begin: str, made: str) -> None:
    """Compares what stands behind the mark `begin` with what it is made from; LYNKR_WRITE_DOCS=1 writes it anew."""
    text = document.read_text("utf-8")
    before, found, rest = text.partition(begin)
    assert found, f"{document} has no {begin}"
    _, _, after = rest.partition(END)
    expected = f"{before}{begin}{made}{END}{after}"
    if WRITE:
        document.write_text(expected, "utf-8")
    assert text == expected, "run this test with LYNKR_WRITE_DOCS=1 and look at what has changed"
