"""What the conversation already holds is not sent a second time.

A run of lines that stands, word for word, in an earlier result, a call or a message is replaced by one line that says
where it stands: by line numbers where both are numbered, otherwise behind the run's first line, which is left in place
to be found again. Only what stands before counts, so that the same conversation gives the same bytes on every turn.
Where a tool has taken the earlier copy out (a compaction), nothing refers to it and the text is sent in full.

A text that was itself sent with references counts as the whole that it says: a diff shown twice is one reference, not
one for each piece. What a compressor has left out of a text does not stand there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lynkr.transforms.lines import Line, read

MARK = "[lynkr: "
# Shorter lines (braces, blanks) begin no run; they belong to one that is found by others.
_TELLING = 6
# A line that stands in more places than this is looked for in the latest and the first of them.
_PLACES = 12
# What is replaced must be so much longer than what replaces it: a reader who has to look back pays too.
_GAIN = 20
_LEAST_LINES = 2


class Source(NamedTuple):
    """A text that stands in the conversation: its first line's index, what to call it, the file that it shows."""

    start: int
    label: str
    path: str


class Copy(NamedTuple):
    """A run: `count` lines from line `at` of the text stand from line `there` of what was sent before."""

    at: int
    there: int
    count: int


@dataclass(slots=True)
class Standing:
    """Everything that was sent so far, line by line, and where each line stands. It can be taken back to a point."""

    lines: list[Line | None] = field(default_factory=list)  # None stands between two texts
    hidden: list[bool] = field(default_factory=list)  # sent as a part of a reference
    sources: list[Source] = field(default_factory=list)
    _places: dict[str, list[int]] = field(default_factory=dict)
    _labels: dict[str, int] = field(default_factory=dict)

    def add(self, lines: list[Line], label: str, path: str = "", referred: Iterable[Copy] = ()) -> None:
        """Puts down a text; `referred` are the runs of it that were sent as references."""
        count = self._labels[label] = self._labels.get(label, 0) + 1
        if count > 1:
            label = f"{label} (no. {count})"
        self.sources.append(Source(len(self.lines), label, path))
        for line in lines:
            if line.text.startswith(MARK):
                self.lines.append(None)
                continue
            if _telling(line.text):
                self._places.setdefault(line.text, []).append(len(self.lines))
            self.lines.append(line)
        self.lines.append(None)
        start = len(self.hidden)
        self.hidden += [False] * (len(self.lines) - start)
        for run in referred:
            self.hidden[start + run.at : start + run.at + run.count] = [True] * run.count

    def point(self) -> tuple[int, int]:
        """Where we are now, for `back_to`."""
        return len(self.lines), len(self.sources)

    def back_to(self, point: tuple[int, int]) -> None:
        """Forgets what was put down since."""
        for line in reversed(self.lines[point[0] :]):
            if line is not None and _telling(line.text):
                places = self._places[line.text]
                places.pop()
                if not places:
                    del self._places[line.text]
        for source in self.sources[point[1] :]:
            self._labels[source.label.partition(" (no. ")[0]] -= 1
        del self.lines[point[0] :], self.hidden[point[0] :], self.sources[point[1] :]

    def places(self, text: str) -> list[int]:
        """Where a line stands, the latest first."""
        found = self._places.get(text, [])
        return found[::-1] if len(found) <= _PLACES else [*found[: -_PLACES : -1], found[0]]

    def source(self, at: int) -> Source:
        """The text that a line belongs to."""
        return self.sources[bisect_right(self.sources, at, key=lambda source: source.start) - 1]


def _telling(text: str) -> bool:
    return len(text.strip()) >= _TELLING


class Referring(NamedTuple):
    """A text with references, the lines that it would have had, and the runs that were replaced."""

    text: str
    lines: list[Line]
    runs: tuple[Copy, ...]


def referring(text: str, standing: Standing, path: str) -> Referring:
    """`text` with the runs that stand already replaced by references to them. `path` is the file that it shows."""
    texts = text.split("\n")
    lines = read(texts)
    out, at, made = list[str](), 0, list[Copy]()
    for run in _runs(lines, standing):
        new = _said(run, lines, texts, standing, path)
        if sum(map(len, texts[run.at : run.at + run.count])) + run.count > sum(map(len, new)) + len(new) + _GAIN:
            out += [*texts[at : run.at], *new]
            at = run.at + run.count
            # The first line stands there to be found, unless numbers say where it is.
            made.append(run if len(new) == 1 else Copy(run.at + 1, run.there + 1, run.count - 1))
    return Referring("\n".join([*out, *texts[at:]]), lines, tuple(made))


def _runs(lines: list[Line], standing: Standing) -> list[Copy]:
    runs, at, free = list[Copy](), 0, 0
    while at < len(lines):
        best = Copy(at, 0, 0)
        if _telling(lines[at].text):
            for there in standing.places(lines[at].text):
                found = _anchored(_extended(lines, standing.lines, at, there, free), lines, standing)
                if found.count > best.count:
                    best = found
        if best.count >= _LEAST_LINES:
            runs.append(best)
            at = free = best.at + best.count
        else:
            at += 1
    return runs


def _anchored(run: Copy, lines: list[Line], standing: Standing) -> Copy:
    """The run from where a reader can find it: by number, or from a line that was sent as it is."""
    there = standing.lines[run.there]
    if lines[run.at].number and there is not None and there.number:
        return run
    for skipped in range(run.count):
        if not standing.hidden[run.there + skipped] and _telling(lines[run.at + skipped].text):
            return Copy(run.at + skipped, run.there + skipped, run.count - skipped)
    return Copy(run.at, run.there, 0)


def _extended(lines: list[Line], there: list[Line | None], at: int, place: int, free: int) -> Copy:
    """The run through lines `at` and `place`, in both directions; not before `free`."""
    first, last = 0, 1
    while at - first > free and place > first and _goes_on(lines, there, at - first - 1, place - first - 1, at, place):
        first += 1
    while at + last < len(lines) and place + last < len(there) and _goes_on(
        lines, there, at + last, place + last, at, place
    ):  # fmt: skip
        last += 1
    return Copy(at - first, place - first, first + last)


def _goes_on(lines: list[Line], there: list[Line | None], at: int, place: int, at0: int, place0: int) -> bool:
    """Whether the run through `at0` and `place0` holds `at` and `place`: the same lines, or the same words in lines that
    are numbered on and of one sign."""
    here, other = lines[at], there[place]
    if other is None or here.text != other.text:
        return False
    start, origin = lines[at0], there[place0]
    assert origin is not None
    return (here == other and start == origin) or (
        here.sign == start.sign
        and other.sign == origin.sign
        and _numbered_on(here, start, at - at0)
        and _numbered_on(other, origin, place - place0)
    )


def _numbered_on(line: Line, start: Line, steps: int) -> bool:
    return line.number == start.number + steps if start.number else not line.number


def _said(run: Copy, lines: list[Line], texts: list[str], standing: Standing, path: str) -> list[str]:
    """What stands in place of a run: one line, and where nothing is numbered, the run's first line before it."""
    source = standing.source(run.there)
    here, there = lines[run.at], standing.lines[run.there]
    assert there is not None
    same_file = bool(path) and path == source.path
    where = "above" if same_file else f"in {source.label} above"
    if here.number:
        last = here.number + run.count - 1
        if there.number == here.number:
            return [f"{MARK}lines {here.number}-{last} unchanged, as {where}]"]
        if there.number:
            was = f"{there.number}-{there.number + run.count - 1}"
            return [f"{MARK}lines {here.number}-{last} = lines {was} {where}, unchanged]"]
        return [texts[run.at], f"{MARK}lines {here.number + 1}-{last} go on from there as {where}]"]
    signed = f" with {here.sign} before each" if here.sign.strip() and here.sign != there.sign else ""
    return [texts[run.at], f"{MARK}{run.count - 1} more lines{signed}, as after this one {where}]"]
