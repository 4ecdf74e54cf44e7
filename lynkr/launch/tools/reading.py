"""Reading a tool's own configuration, which is the tool's to complain about: what cannot be read says nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_LINE = re.compile(r"""^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^#\n]*))""", re.MULTILINE)


def text(path: Path) -> str:
    """A file's text; empty where there is none."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def jsonc(said: str) -> dict[str, Any]:
    """An object of JSON with comments and last commas; empty where it is none."""
    for junk in (_COMMENT, _LAST_COMMA):
        said = junk.sub(lambda found: found[1] or "", said)
    try:
        return table(json.loads(said))
    except ValueError:
        return {}


def dotenv(said: str) -> dict[str, str]:
    """The variables that a .env file sets."""
    return {
        found[1]: next(v for v in (*found.groups()[1:], "") if v is not None).strip() for found in _LINE.finditer(said)
    }


def table(value: object) -> dict[str, Any]:
    """A mapping as it is; anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`under` with what `over` says, objects within objects merged the same way."""
    result = dict(under)
    for name, value in over.items():
        before = result.get(name)
        result[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def values(words: Sequence[str], *names: str) -> list[str]:
    """The values of a flag among a command's words, as `--name value` and as `--name=value`."""
    return [value for name in names for value in without(words, name)[1]]


def without(words: Sequence[str], name: str) -> tuple[list[str], list[str]]:
    """A command's words without a flag, and the values that it had. What stands after `--` is no flag."""
    kept, values, given = list[str](), list[str](), list(words)
    while given:
        word = given.pop(0)
        if word == "--":
            return [*kept, word, *given], values
        if word == name and given:
            values.append(given.pop(0))
        elif word.startswith(f"{name}="):
            values.append(word.partition("=")[2])
        else:
            kept.append(word)
    return kept, values


def upward(folder: Path, *names: str) -> list[Path]:
    """The files called one of `names` from `folder` up to the root, the nearest first."""
    return [path for place in (folder, *folder.parents) for name in names if (path := place / name).is_file()]
