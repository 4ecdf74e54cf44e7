"""Reading JSON that others wrote, and writing our own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from math import isfinite
from typing import Any

from lynkr.document import Document, Edit
from lynkr.errors import ClientError
from lynkr.passage import Offer


def dump(value: object) -> bytes:
    """`value` as compact JSON."""
    return dumps(value).encode()


_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
# Halves of pairs have no bytes in UTF-8; JSON can still say them.
_HALVES = re.compile("[\ud800-\udfff]")


def dumps(value: object) -> str:
    """`value` as compact JSON text. Numbers that JSON has no words for (Python reads NaN and 1e999) become null."""
    try:
        text = _text(value)
    except ValueError:
        text = _text(_finite(value))
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text) if _HALVES.search(text) else text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def wrong(at: str, what: str) -> ClientError:
    """The error for a request that cannot be read: `at` names the place."""
    return ClientError(f"lynkr: {at}: {what}", kind="invalid_request")


def objects(value: object, at: str) -> list[dict[str, Any]]:
    """The objects of a list; none where it is missing. Raises ClientError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise wrong(at, "must be a list of objects")
    return value


def dicts(value: object) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list. For answers, which are read as far as they can be."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def numbered(value: object) -> list[tuple[int, dict[str, Any]]]:
    """The objects in a list, each with its index; none where it is no list."""
    return [(n, item) for n, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []


def instead(tool: dict[str, Any], offer: Offer, schema: str) -> dict[str, Any]:
    """A tool that says what `offer` says, with its schema under that key; what it had not, it does not get."""
    new = dict(tool)
    if "description" in tool:
        new["description"] = offer.description
    if schema in tool and offer.schema is not None:
        new[schema] = offer.schema
    return new


def added(document: Document, path: tuple[str | int, ...], words: str) -> list[Edit]:
    """The edit that adds a paragraph to the text at `path`; none where there is no text."""
    node = document.find(*path)
    if node is None or not isinstance(node.value, str):
        return []
    return [Edit(node.start, node.end, dumps(f"{node.value}\n\n{words}" if node.value else words))]


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list; none where it is no list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def text(value: dict[str, Any], key: str) -> str:
    """The text `value[key]`, "" where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def optional(value: dict[str, Any], key: str) -> str | None:
    """The text `value[key]`, None where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else None


def number(value: dict[str, Any], key: str) -> float | None:
    """The number `value[key]`, None where there is none."""
    found = value.get(key)
    right = isinstance(found, (int, float)) and not isinstance(found, bool) and isfinite(found)
    return found if right else None


def whole(value: dict[str, Any], key: str) -> int | None:
    """The whole number `value[key]`, None where there is none."""
    found = number(value, key)
    return int(found) if found is not None and abs(found) < 2**53 else None


def flag(value: dict[str, Any], key: str) -> bool | None:
    """The truth value `value[key]`, None where there is none."""
    found = value.get(key)
    return found if isinstance(found, bool) else None


def plain_schema(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """A tool's schema for servers that do not know which dialect `$schema` names, and refuse it."""
    if not schema:
        return {"type": "object", "properties": {}}
    return {name: value for name, value in schema.items() if name != "$schema"}


# What stands before the text of a result that is an error, where a format has no field for that.
ERROR_MARK = "[tool error]\n"


def hidden(user: str) -> str:
    """A user's id as a hash: clients put account and device in it, another provider gets what tells users apart."""
    return sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def parsed_object(arguments: str) -> dict[str, Any] | None:
    """Arguments of a call as an object: {} for none at all, None where the text is no JSON object."""
    if not arguments.strip():
        return {}
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
