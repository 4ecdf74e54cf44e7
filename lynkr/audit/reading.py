"""Finds transcripts and reads them line by line: a file that is damaged, or of another kind, costs what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

from lynkr.audit import claude_code, codex
from lynkr.audit.past import Read, Reader

READERS: tuple[Reader, ...] = (cast(Reader, claude_code), cast(Reader, codex))
# A line this long is no entry of a transcript.
_LONGEST = 256 * 1024 * 1024


class File(NamedTuple):
    """A transcript, and how it is read; `reader` is None where no tool's is known."""

    path: Path
    reader: Reader | None


def find(places: Iterable[Path], home: Path, environ: Mapping[str, str]) -> list[File]:
    """The transcripts in `places` (files and folders), or where the tools keep them."""
    given = list(places)
    if not given:
        return [File(path, reader) for reader in READERS for path in _of(reader, home, environ)]
    paths = chain.from_iterable(sorted(place.rglob("*.jsonl")) if place.is_dir() else [place] for place in given)
    return [File(path, _reader(path)) for path in dict.fromkeys(paths)]


def _of(reader: Reader, home: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    try:
        yield from reader.files(home, environ.get)
    except OSError:
        return  # a folder that may not be looked into holds nothing for us


def _reader(path: Path) -> Reader | None:
    with suppress(OSError):  # told when it is to be read
        for entry in _entries(path, Read(path)):
            found = next((reader for reader in READERS if reader.mine(entry)), None)
            if found is not None:
                return found
    return None


def read(file: File, seen: set[str]) -> Read:
    """What a transcript tells. Raises OSError where it cannot be read."""
    account = Read(file.path)
    if file.reader is None:
        account.lines = account.skipped = sum(1 for _ in _entries(file.path, account))
        return account
    found = file.reader.read(file.path, _entries(file.path, account), seen)
    found.lines, found.skipped = account.lines, account.skipped
    return found


def _entries(path: Path, account: Read) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        while line := file.readline(_LONGEST):
            if not line.strip():
                continue
            account.lines += 1
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                account.skipped += 1
                continue
            if isinstance(value, dict):
                yield value
            else:
                account.skipped += 1
