"""JSON with its spaces taken out, and lists of like objects as tables: every key once, every value kept.

    [lynkr: 3 JSON objects as rows; columns: id,name,tags]
    1,ann,["a","b"]
    2,"7",[]

A value is written as in JSON; a text stands bare where it cannot be taken for anything else, so `7` is a number and
`"7"` a text. `^` says: as in the row above; nothing at all: the object has no such key. What is the same in all rows
stands in the first line. Numbers keep their digits, whatever they are.
"""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import MARK, stub

_LEAST = 160  # characters of JSON that are worth a look
_LEAST_ROWS, _MOST_COLUMNS = 4, 40
# A file of so many like objects is data, which nobody edits by hand.
_DATA_ROWS = 40
# So often something that looks like JSON may turn out to be none.
_MOST_FAILED = 20
_START = re.compile(r"^[\[{]", re.M)
_SPACE = re.compile(r"\s*")
# A text that looks like none of: a number, a word of JSON's, a mark of ours, something that needs quotes.
_BARE = re.compile(
    r"(?!-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\Z|true$|false$|null$|\^|\s|.*\s$)"
    r"[^\",\n\r\t\\\[\]{}\x00-\x1f\x7f]+\Z"
)
_DITTO = "^"


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """An object's members, also those whose key occurs twice."""


class _NotJson(ValueError):
    """Something that JSON has no words for."""


def _constant(name: str) -> Any:
    raise _NotJson(name)


_decoder = json.JSONDecoder(object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_constant)


def squeeze(text: str, what: Meaning) -> str:
    """`text` with the JSON in it said shorter."""
    try:
        return _squeezed(text, what)
    except RecursionError:  # so deep that nobody reads it
        return text


def _squeezed(text: str, what: Meaning) -> str:
    if what.role in ("written", "found", "listed"):
        return text
    # A file that may be edited keeps its spaces; a log that is only read does not.
    if what.role == "shown" and not _LOG.search(what.path):
        return _data(text) if what.programs else text
    if rows := _separated(text):
        return _shorter(_table(rows, "lines of CSV"), text)
    out, at, failed = list[str](), 0, 0
    for found in _START.finditer(text):
        if found.start() < at:
            continue
        if failed == _MOST_FAILED:
            break
        values, end = _values(text, found.start())
        failed += not values
        if not values or end - found.start() < _LEAST:
            continue
        new = _written(values, end - found.start())
        if len(new) < end - found.start():
            out += [text[at : found.start()], new]
            at = end
    return "".join([*out, text[at:]])


_LOG = re.compile(r"\.(?:log|jsonl|ndjson)$")


def _data(text: str) -> str:
    """A file that is one long list of objects as its table; any other as it is."""
    if (rows := _separated(text)) and len(rows) >= _DATA_ROWS:
        return _recoverable(_table(rows, "lines of CSV"), text)
    if not text.startswith("["):
        return text
    values, end = _values(text, 0)
    match values:
        case [list(rows)] if len(rows) >= _DATA_ROWS and not text[end:].strip():
            table = _table(rows, "objects of the list") if all(isinstance(row, _Object) for row in rows) else None
        case _:
            return text
    return _recoverable(table, text)


# `id,name,state` and then as many in every line; what is quoted may hold anything and stays as it is.
_CSV_HEAD = re.compile(r"[A-Za-z_][\w .-]*(?:,[A-Za-z_][\w .-]*){2,}\Z")
_CSV_ROWS = 10


def _separated(text: str) -> list[_Object] | None:
    """The rows of a CSV text, its cells as they were written; None where it is something else."""
    head, *lines = text.rstrip("\n").split("\n")
    if len(lines) < _CSV_ROWS or not _CSV_HEAD.match(head) or '"' in text or "^" in text or "\r" in text:
        return None
    names = head.split(",")
    rows = [line.split(",") for line in lines]
    if len(set(names)) < len(names) or "." in head or any(len(row) != len(names) for row in rows):
        return None
    return [_Object(zip(names, map(_Number, row), strict=True)) for row in rows]


def _recoverable(table: str | None, text: str) -> str:
    """A table in place of a file, with the way back; the file where that saves less than a quarter."""
    if not table or len(table) * 4 > len(text) * 3:
        return text
    head, _, lines = table.partition("\n")
    return f"{stub(head.removeprefix(MARK).removesuffix(']'))}\n{lines}"


def _values(text: str, start: int) -> tuple[list[Any], int]:
    """The JSON values that stand one after another from `start`, each on lines of its own, and the index after them."""
    values, at, end = list[Any](), start, start
    while at < len(text) and text[at] in "[{":
        try:
            value, stop = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        behind = _SPACE.match(text, stop)
        assert behind is not None
        if behind.end() < len(text) and "\n" not in behind[0]:
            break
        values.append(value)
        end, at = stop, behind.end()
    return values, end


def _shorter(table: str | None, plain: str) -> str:
    return table if table and len(table) < len(plain) else plain


def _written(values: list[Any], length: int) -> str:
    """Values that took so many characters, said shorter."""
    if len(values) >= _LEAST_ROWS and all(isinstance(value, _Object) for value in values):
        table = _table(values, "JSON objects")
        return table if table and len(table) < 0.6 * length else _shorter(table, "\n".join(map(_dumped, values)))
    return "\n".join(_with_tables(value, length) for value in values)


def _with_tables(value: Any, length: int) -> str:
    """A value with its long lists of objects as tables behind it."""
    tables = list[str]()

    def replaced(inner: Any) -> str:
        if isinstance(inner, _Object):
            return "{" + ",".join(f"{_text(key)}:{replaced(item)}" for key, item in inner) + "}"
        if isinstance(inner, list):
            if len(inner) >= _LEAST_ROWS and all(isinstance(item, _Object) for item in inner):
                name = f"table {len(tables) + 1}"
                table = _table(inner, "objects of the list" if inner is value else f"objects of {name}")
                sure = inner is value and table is not None and len(table) < 0.6 * length
                plain = "" if sure else "[" + ",".join(map(_dumped, inner)) + "]"
                if table and (sure or len(table) + 16 < len(plain)):
                    tables.append(table)
                    return "" if inner is value else f"<{name}>"
                return plain
            return "[" + ",".join(map(replaced, inner)) + "]"
        return _dumped(inner)

    said = replaced(value)
    return "\n".join(filter(None, [said, *tables]))


class _Column(NamedTuple):
    """A key, its occurrence within one object, and each object's value, None where it has none."""

    name: str
    cells: list[str | None]


def _table(objects: list[_Object], what: str) -> str | None:
    """Objects as rows; None where they are too unlike."""
    columns: dict[tuple[str, int], list[str | None]] = {}
    for n, item in enumerate(objects):
        seen = dict[str, int]()
        for key, value in _flat(item):
            # A key that an object has twice is two columns.
            seen[key] = seen.get(key, 0) + 1
            columns.setdefault((key, seen[key]), [None] * len(objects))[n] = _cell(value)
    if not columns or len(columns) > _MOST_COLUMNS or any(not _KEY.match(name) for name, _ in columns):
        return None
    varying, same = list[_Column](), list[str]()
    for (name, _), cells in columns.items():
        if cells[0] is not None and len(set(cells)) == 1 and _PLAIN.match(cells[0]):
            same.append(f"{name}={cells[0]}")
        else:
            varying.append(_Column(name, cells))
    rows = [",".join(_row(varying, n)) for n in range(len(objects))]
    said = f"{MARK}{len(objects)} {what} as rows"
    if same:
        said += f"; in all of them {', '.join(same)}"
    ditto = "; ^ = as in the row above" if any(_DITTO in row.split(",") for row in rows) else ""
    head = f"{said}{ditto}; columns: {','.join(column.name for column in varying)}]"
    return "\n".join([head, *rows]) if "\n" not in head else None


# What can stand in the first line without being taken for its words.
_PLAIN = re.compile(r"[^;]*\Z")
_KEY = re.compile(r"[\w$@. /:-]+\Z|\"[\w$@. /:-]+\"\Z")


def _flat(item: _Object, before: str = "") -> list[tuple[str, Any]]:
    """Members; those of an object within stand as `outer.inner`, a key that has a dot itself in quotes."""
    found = list[tuple[str, Any]]()
    for key, value in item:
        if isinstance(value, _Object) and value and not any("." in name for name, _ in value) and "." not in key:
            found += _flat(value, f"{before}{key}.")
        else:
            # A dot of its own is no step into an object.
            found.append((before + (f'"{key}"' if "." in key else key), value))
    return found


def _row(columns: list[_Column], n: int) -> list[str]:
    cells = list[str]()
    for column in columns:
        cell = column.cells[n]
        above = column.cells[n - 1] if n else None
        cells.append("" if cell is None else _DITTO if cell == above and len(cell) > 3 else cell)
    return cells


def _cell(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, _Number) and _BARE.match(value):
        return value
    return _dumped(value)


def _dumped(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, _Object):
        return "{" + ",".join(f"{_text(key)}:{_dumped(inner)}" for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return _text(value)


def _text(value: Any) -> str:
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value)
