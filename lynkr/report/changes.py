"""Every change that a session made to a tool's result, before and after, for a terminal."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lynkr.ledger.row import Row
from lynkr.report.table import Paint, unpainted
from lynkr.report.words import plural

# So many lines of a change are shown unless all are asked for.
SHOWN = 16
_WIDE = 160


class Pair(NamedTuple):
    """A change as it was noted, and its original, None where that is not kept any more."""

    request: str
    id: str
    label: str
    cuts: Sequence[tuple[str, int]]
    before: str | None
    after: str


def as_values(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The changes as plain values."""
    return [
        {
            "request": pair.request,
            "id": pair.id,
            "result_of": pair.label,
            "kinds": [{"kind": kind, "characters": count} for kind, count in pair.cuts],
            "before": pair.before,
            "after": pair.after,
        }
        for pair in pairs
    ]


def noted(rows: Sequence[Row]) -> list[str]:
    """What was changed of requests beside results: tools left out, a sentence added; what translation dropped."""
    counts = Counter((change.what, change.did, change.why) for row in rows for change in row.changes)
    lines = [f"{what} {did} in {plural(count, 'request')}: {why}" for (what, did, why), count in counts.most_common()]
    return [*lines, ""] if lines else []


def change_list(pairs: Sequence[Pair], *, gone: bool, full: bool, paint: Paint = unpainted) -> list[str]:
    """The changes, one after another: which result, what became of it, and the lines that differ.

    `gone` says that there were some, which are not kept any more.
    """
    if not pairs and gone:
        return [
            "What was changed is not kept any more (two weeks, or lynkr cache clear); lynkr report says what it saved."
        ]
    if not pairs:
        return ["No result was changed in this session."]
    lines = list[str]()
    for n, pair in enumerate(pairs, 1):
        kinds = ", ".join(kind for kind, _ in pair.cuts)
        size = f"{len(pair.before):,} → {len(pair.after):,}" if pair.before is not None else f"→ {len(pair.after):,}"
        lines += [f"{paint(f'{n}. {pair.label}', 'bold')}  {size} characters: {kinds}"]
        if pair.before is None:
            lines += [paint("   the original is not kept any more", "dim"), ""]
            continue
        shown = [f"   {sign} {text[:_WIDE]}" for sign, text in differing(pair.before, pair.after)]
        hidden = len(shown) - SHOWN
        if not full and hidden > 1:
            shown = [*shown[:SHOWN], paint(f"   … {hidden} more lines; all of them with --full", "dim")]
        lines += [*shown, paint(f"   before: lynkr expand {pair.id}", "dim"), ""]
    return lines[:-1]


def differing(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The lines that only one of two texts has: (-, line) and (+, line), in their order."""
    old, new = before.split("\n"), after.split("\n")
    places: dict[str, list[int]] = {}
    for n, line in enumerate(old):
        places.setdefault(line, []).append(n)
    at = 0
    for line in new:
        found = places.get(line, [])
        n = bisect_left(found, at)
        if n == len(found):
            yield "+", line
            continue
        yield from (("-", gone) for gone in old[at : found[n]])
        at = found[n] + 1
    yield from (("-", gone) for gone in old[at:])
