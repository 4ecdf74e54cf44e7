"""Times before every line of a log: to the second, and said where they change.

What a log's lines say stays whole; the fractions and the repeated day are what the original keeps.
"""

from __future__ import annotations

import re

from lynkr.transforms.command import Meaning
from lynkr.transforms.tool_results.stub import stub

_LEAST = 10
# A line, perhaps with a job's and a step's name, its time with a fraction of a second, and what it says.
_TIMED = re.compile(
    r"((?:[^\t\n]*\t){0,2}?)\ufeff?(\[?)(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,]\d{3,9}(Z|[+-]\d\d:?\d\d|)"
    r"(\]?)(?: +(?!\|)|$)(.*)"
)


def squeeze(text: str, what: Meaning) -> str:
    """`text` with short times, where ten lines or more have long ones."""
    if what.role != "output" or what.items:
        return text
    lines = text.split("\n")
    timed = [_TIMED.fullmatch(line) for line in lines]
    zones = {found[5] for found in timed if found}
    if sum(found is not None for found in timed) < _LEAST or len(zones) > 1:
        return text
    out, last = list[str](), ("", "")
    for line, found in zip(lines, timed, strict=True):
        if found is None:
            out.append(line)
            continue
        before, opening, day, time, _, closing, said = found.groups()
        if not last[0]:
            zone = f", in {zones.pop()}" if any(zones) else ""
            out.append(stub(f"times to the second{zone}, and only where they change"))
        mark = f"{day} {time}" if day != last[0] else time if time != last[1] else ""
        out.append(before + (f"{opening}{mark}{closing} " if mark else "") + said)
        last = (day, time)
    new = "\n".join(out)
    return new if len(new) + 60 < len(text) else text
