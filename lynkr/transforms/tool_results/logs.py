"""Lines of a log that differ in nothing but times and figures: the first and the last stay, and how many there were.

Every line that gives alarm stays unless only its time sets it apart from another, and so does one whose figure is rare
(a status, an exit code), stands out or was measured. A line with more lines under it (a traceback) is no repetition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import MARK, alarming, stub

_LEAST_LINES = 40
# So many lines, from all of it, show whether it is a log.
_LOOK = 100
# First, last and one that says how many: fewer are not worth it.
_LEAST = 6
_TIME = (
    r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d)?"
    r"|\d\d?/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d(?:[.,]\d+)?"
)
# A line of a log has a time and says how much it matters, or it is a server's about a request. Rows of a query, commits
# and processes have times too; they are items.
_LEVEL = r"\b(?:DEBUG|INFO|NOTICE|TRACE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|debug|info|notice|trace|warn(?:ing)?|error)\b"
_LOGGED = re.compile(
    rf"(?!{{).{{0,64}}?(?:{_TIME}).{{0,40}}?(?:{_LEVEL}|\"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) )"
    r"|\W{0,2}(?:DEBUG|INFO|NOTICE|TRACE|WARN(?:ING)?|ERROR)\b"
    r"|{(?=.{0,300}\"(?:level|levelname|severity)\":)",
    re.DOTALL,
)
# A client's port is as good as a time.
_TIMES = re.compile(rf"{_TIME}|(?<=\.\d):\d{{5}}\b|(?<=\.\d\d):\d{{5}}\b|(?<=\.\d\d\d):\d{{5}}\b")
# Of what is well a figure says little, nor does an identifier.
_FIGURE = re.compile(r"(?<![A-Za-z_.])\d[\w.:,%-]*|\b[a-f](?=[a-f-]{0,12}\d)[0-9a-f-]{6,}\b")
# What is measured is looked at one by one; how long something took is not.
_MEASURED = re.compile(r"-?\d+\.\d+[,;]?\Z")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# A figure that has so few values is a kind (a status, an exit code); one so much larger than the middle stands out.
_FEW, _LARGER = 4, 8
_REFUSED = re.compile(
    r'(?:" | |=)[45]\d\d(?= |$|,)|"level":\s*[456]0\b|"(?:status|statusCode|status_code|code)":\s*[45]\d\d\b'
)
_LOG_FILE = re.compile(r"\.log(?:\.\d+)?$|^/var/log/")


def squeeze(text: str, what: Meaning) -> str:
    """`text` with the log lines folded that say the same six times or more."""
    if what.items or not (what.role == "output" or (what.role == "shown" and _LOG_FILE.search(what.path))):
        return text
    lines = text.split("\n")
    if len(lines) < _LEAST_LINES:
        return text
    if sum(bool(_LOGGED.match(line)) for line in lines[:: len(lines) // _LOOK + 1]) < _LEAST:
        return text
    logged = [bool(_LOGGED.match(line)) for line in lines]
    alike: dict[str, list[int]] = {}
    timeless, alarms = dict[int, str](), dict[str, bool]()
    for at, line in enumerate(lines):
        if logged[at] and (at + 1 >= len(lines) or logged[at + 1] or not lines[at + 1]):
            timeless[at] = _TIMES.sub("", line)
            key = _FIGURE.sub("#", timeless[at])
            if key not in alarms:
                alarms[key] = alarming(key)
            alike.setdefault(timeless[at] if alarms[key] or _REFUSED.search(line) else key, []).append(at)
    gone, counts = set[int](), dict[int, int]()
    for where in (kind for places in alike.values() for kind in _kinds(places, timeless)):
        if len(where) >= _LEAST:
            counts[where[0]] = len(where)
            gone.update(where[1:-1])
    if not gone:
        return text
    said = stub(f"left out {len(gone)} log lines that differ from the first and last of their kind only in figures")
    kept = [
        f"{line} {MARK}{counts[at]} such lines]" if at in counts else line
        for at, line in enumerate(lines)
        if at not in gone
    ]
    new = "\n".join([said, *kept])
    return new if len(new) < len(text) else text


def _kinds(places: list[int], timeless: dict[int, str]) -> Iterator[list[int]]:
    """Lines that differ in figures, by what those figures tell: a status apart from a count, what stands out alone."""
    if len(places) < _LEAST:
        return
    rows = [_FIGURE.findall(timeless[at]) for at in places]
    if len({len(row) for row in rows}) > 1:
        return
    columns = list(zip(*rows, strict=True))
    if any(len(set(column)) > _FEW and all(map(_MEASURED.match, column)) for column in columns):
        return
    telling = [n for n, column in enumerate(columns) if len(set(column)) <= max(_FEW, len(places) // 20)]
    highest = [_highest(column) for column in columns]
    kinds: dict[tuple[str, ...], list[int]] = {}
    for at, row in zip(places, rows, strict=True):
        if not any(_value(figure) > most for figure, most in zip(row, highest, strict=True)):
            kinds.setdefault(tuple(row[n] for n in telling), []).append(at)
    yield from kinds.values()


def _highest(column: tuple[str, ...]) -> float:
    """What a figure of a column may be without standing out."""
    values = sorted(map(_value, column))
    return max(values[len(values) // 2] * _LARGER, values[len(values) // 10 * 9])


def _value(figure: str) -> float:
    found = _NUMBER.match(figure)
    return float(found[0]) if found else 0.0
