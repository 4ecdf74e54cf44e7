"""Bytes written as text (base64, long hexadecimal): nobody reads them, so their beginning and their length will do."""

from __future__ import annotations

import re
from hashlib import sha256

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import stub

_LEAST, _KEPT, _END = 512, 48, 16
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{_LEAST},}}={{0,2}}")
# A run of one sign, or of words, is no bytes.
_MIXED = re.compile(r"(?=.*\d)(?=.*[a-f])(?:[0-9a-f]+|(?=.*[A-Z])(?=.*[g-z]).+)\Z")


def squeeze(text: str, what: Meaning) -> str:
    """`text` with runs of at least 512 characters of encoded bytes cut to their beginning."""
    if what.role != "output" or max(map(len, text.split("\n"))) < _LEAST:
        return text
    return _RUN.sub(_short, text)


def _short(found: re.Match[str]) -> str:
    run = found[0]
    if not _MIXED.match(run) or len(set(run)) < 12:
        return run
    # Two that begin alike are told apart.
    digest = sha256(run.encode()).hexdigest()[:8]
    said = stub(f"{len(run) - _KEPT - _END} more characters of encoded bytes, SHA-256 of all {digest}")
    return run[:_KEPT] + said + run[-_END:]
