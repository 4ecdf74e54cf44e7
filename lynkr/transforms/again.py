"""What the conversation already holds is not sent a second time.

A run of lines that stands, word for word, in an earlier result, a call or a message is replaced by one line that says
where it stands: by line numbers where both are numbered, otherwise behind the run's first line, which is left in place
to be found again. Only what stands before counts, so that the same conversation gives the same bytes on every turn.
Where a tool has taken the earlier copy out (a compaction), nothing refers to it and the text is sent in full.

A text that was itself sent with references counts as the whole that it says: a diff shown twice is one reference, not
one for each piece. What a compressor has left out of a text does not stand there.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from lynkr.transforms.command import short
from lynkr.transforms.lines import Line, read
from lynkr.transforms.tool_results.stub import MARK, alarming

# What a tool tells the model beside a result stays within its tags: a reference may stand between them, none across.
_OPENING, _CLOSING = "<system-reminder>", "</system-reminder>"
_Key = TypeVar("_Key")
# Shorter lines (braces, blanks) begin no run; they belong to one that is found by others.
_TELLING = 6
# Of the places where two lines stand so many are tried, the latest first.
_PLACES = 6
_ALL_PLACES = 16
# What is replaced must be so much longer than what replaces it: a reader who has to look back pays too.
_GAIN = 12
_LEAST_LINES = 2
# So many lines at a run's beginning are tried as the one by which it is found.
_SKIPPED = 6
# Within one and the same text a reader follows less gladly: a file repeats itself in little things.
_LEAST_WITHIN_A_FILE = 4
_LEAST_WITHIN_OUTPUT = 3
_LEAST_ALARMING = 6


class Source(NamedTuple):
    """A text that stands in the conversation: its first line's index, what to call it, the file that it shows, and the
    how many-th call of that name it belongs to."""

    start: int
    label: str
    path: str
    call: int


class Replaced(NamedTuple):
    """What an edit put in place of what, in the file that its tool shows now."""

    old: str
    new: str


class Copy(NamedTuple):
    """A run: `size` lines from line `at` of the text stand from line `there` of what was sent before."""

    at: int
    there: int
    size: int


@dataclass(slots=True)
class Standing:
    """Everything that was sent so far, line by line, and where each line stands. It can be taken back to a point."""

    # None is the end of a text, or a line that nobody may refer to.
    lines: list[Line | None] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)  # sent as a part of a reference
    sources: list[Source] = field(default_factory=list)
    _places: dict[str, list[int]] = field(default_factory=dict)
    # A run has two lines at least, and two lines one after another stand in far fewer places than one.
    _pairs: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _labels: dict[str, int] = field(default_factory=dict)
    # Texts in which a number stands more than once: two files, one after the other.
    _twice: set[int] = field(default_factory=set)
    _last: int = 0

    def begin(self, label: str, path: str = "", *, more: bool = False) -> None:
        """Begins a text that is called `label` and shows the file `path`; `more` of the same call as the one before."""
        self._last = 0
        self._labels[label] = self._labels.get(label, 0) + (not more)
        self.sources.append(Source(len(self.lines), label, path, self._labels[label]))

    def put(self, line: Line | None, *, hidden: bool = False) -> None:
        """Puts down a line of the text that was begun; None at its end."""
        if line is not None:
            if line.number:
                if line.number <= self._last:
                    self._twice.add(len(self.sources) - 1)
                self._last = line.number
            telling = _telling(line.text)
            if telling:
                self._places.setdefault(line.text, []).append(len(self.lines))
            before = self.lines[-1] if self.lines else None
            if before is not None and (telling or _telling(before.text)):
                self._pairs.setdefault((before.text, line.text), []).append(len(self.lines) - 1)
        self.lines.append(line)
        self.hidden.append(hidden)

    def add(self, lines: list[Line], label: str, path: str = "", *, more: bool = False) -> None:
        """Puts down a whole text, as it was sent."""
        self.begin(label, path, more=more)
        for line in lines:
            self.put(None if line.text.startswith(MARK) or _CLOSING in line.text else line)
        self.put(None)

    def point(self) -> tuple[int, int]:
        """Where we are now, for `back_to`."""
        return len(self.lines), len(self.sources)

    def back_to(self, point: tuple[int, int]) -> None:
        """Forgets what was put down since."""
        for at in range(len(self.lines) - 1, point[0] - 1, -1):
            line, before = self.lines[at], self.lines[at - 1] if at else None
            if line is None:
                continue
            if _telling(line.text):
                _drop_last(self._places, line.text)
            if before is not None and (_telling(line.text) or _telling(before.text)):
                _drop_last(self._pairs, (before.text, line.text))
        for source in self.sources[point[1] :]:
            self._labels[source.label] = min(self._labels[source.label], source.call - 1)
        del self.lines[point[0] :], self.hidden[point[0] :], self.sources[point[1] :]
        self._twice = {n for n in self._twice if n < point[1]}

    def places(self, text: str, following: str) -> list[int]:
        """Where a line stands before another, the latest first."""
        found = self._pairs.get((text, following), [])
        return found[: -_PLACES - 1 : -1]

    def says_the_same(self, run: Copy) -> bool:
        """Whether a run's first line is followed by the same lines wherever it stands, so that any place will do."""
        first = self.lines[run.there]
        assert first is not None
        return self._goes_on_alike(run, self._places.get(first.text, []))

    def holds(self, texts: list[str], path: str) -> bool:
        """Whether lines stand one after another in the latest text about a file that has the first one to look for."""
        first = next((n for n, text in enumerate(texts[:-1]) if _telling(text)), None)
        if first is None:
            return False
        for place in self.places(texts[first], texts[first + 1]):
            if self.source(place).path == path:
                start = place - first
                there = self.lines[max(start, 0) : start + len(texts)]
                return [line and line.text for line in there] == texts
        return False

    def counts(self, run: Copy) -> bool:
        """Whether a run's lines are numbered, and in its text no number stands twice."""
        return self._source_at(run.there) not in self._twice and _counted(self.lines, run.there, run.size)

    def tells(self, run: Copy) -> bool:
        """Whether within the text that it stands in, a run's first line is followed by nothing else anywhere."""
        first, n = self.lines[run.there], self._source_at(run.there)
        assert first is not None
        end = self.sources[n + 1].start if n + 1 < len(self.sources) else len(self.lines)
        places = self._places.get(first.text, [])
        return self._goes_on_alike(run, places[bisect_left(places, self.sources[n].start) : bisect_left(places, end)])

    def _goes_on_alike(self, run: Copy, places: list[int]) -> bool:
        if len(places) > _ALL_PLACES:
            return False
        said = self.lines[run.there : run.there + run.size]
        return all(at == run.there or _same(self.lines[at : at + run.size], said) for at in places)

    def where(self, run: Copy, path: str, begun: int) -> str:
        """Where a run stands, in words: `above` alone only where nobody can look in the wrong place."""
        source = self.source(run.there)
        if run.there >= begun:
            return "above"
        if path and path == source.path and source is self._latest(path, begun):
            return "above"
        return self.name(source)

    def name(self, source: Source) -> str:
        """Which text of those above it is, in words."""
        label, calls = source.label, self._labels[source.label]
        if calls == 1:
            return f"in {label} above"
        alike = [one for one in self.sources if one.label == label]
        if source.path and any(one.path != source.path for one in alike):
            # Two files whose names end alike.
            label = label.removesuffix(short(source.path)) + source.path
            alike = [one for one in alike if one.path == source.path]
        numbers = sorted({one.call for one in alike})
        return f"in {label}{f' (no. {numbers.index(source.call) + 1})' if len(numbers) > 1 else ''} above"

    def _latest(self, path: str, before: int) -> Source | None:
        return next((one for one in reversed(self.sources) if one.path == path and one.start < before), None)

    def source(self, at: int) -> Source:
        """The text that a line belongs to."""
        return self.sources[self._source_at(at)]

    def _source_at(self, at: int) -> int:
        return bisect_right(self.sources, at, key=lambda source: source.start) - 1


def _same(some: list[Line | None], others: list[Line | None]) -> bool:
    """Whether two runs say the same under the same signs, whatever their numbers."""
    if some == others:
        return True
    return len(some) == len(others) and all(
        one is other or (one and other and one.text == other.text and one.sign == other.sign)
        for one, other in zip(some, others, strict=True)
    )


def _telling(text: str) -> bool:
    return len(text) >= _TELLING and len(text.strip()) >= _TELLING


def _drop_last(places: dict[_Key, list[int]], key: _Key) -> None:
    places[key].pop()
    if not places[key]:
        del places[key]


def referring(
    text: str,
    standing: Standing,
    label: str,
    path: str,
    edit: Replaced | None,
    *,
    output: bool,
) -> str:
    """`text` with the runs that stand already replaced by references to them, and put down as what it says.

    `path` is the file that it shows, `label` what it is to be called. `edit` is what its tool was asked to do, where it
    shows the outcome. In `output` of a program fewer lines count that stand in this very text before, and more where
    one of them gives alarm: few of those are read sooner than looked for.
    """
    least_within, least_alarming = (_LEAST_WITHIN_OUTPUT, _LEAST_ALARMING) if output else (_LEAST_WITHIN_A_FILE, 0)
    texts = text.split("\n")
    lines = _apart(read(texts), texts)
    if edit and (left := _edited(lines, standing, path, edit)):
        standing.begin(label, path)
        for n, line in enumerate(lines):
            standing.put(line, hidden=n in left)
        standing.put(None)
        said = f"{MARK}lines {lines[left[0]].number}-{lines[left[-1]].number}, as your edit above left them]"
        return "\n".join([*texts[: left[0]], said, *texts[left[-1] + 1 :]])
    standing.begin(label, path)
    begun, out, done = len(standing.lines), list[str](), 0
    at, tried = 0, dict[int, int]()
    while at < len(lines):
        run = _run(lines, at, done, standing, begun, least_within, tried)
        new = _said(run, lines, texts, standing, path, begun) if run else []
        if (
            not run
            or _length(texts[run.at : run.at + run.size]) <= _length(new) + _GAIN
            or (run.size < least_alarming and any(map(alarming, texts[run.at + 1 : run.at + run.size])))
        ):
            standing.put(None if lines[at] is _NOTHING or _CLOSING in texts[at] else lines[at])
            at += 1
            continue
        out += [*texts[done : run.at], *new]
        # Without numbers, the first line stands there to be found.
        shown = len(new) - 1
        for before in range(run.at + shown, at):
            standing.hidden[begun + before] = True
        done = run.at + run.size
        for n in range(at, done):
            standing.put(lines[n], hidden=n >= run.at + shown)
        at = done
        tried.clear()
    standing.put(None)
    return "\n".join([*out, *texts[done:]])


# What is told of the lines that follow holds for those alone.
_TELLS = re.compile(r"\[lynkr: (?:each of the next )?(\d+) .*(?:begins with | as rows)")


_NOTHING = Line("\0")


def _apart(lines: list[Line], texts: list[str]) -> list[Line]:
    """Lines under a head of ours (rows of a table, lines without what they begin with) like no other line anywhere."""
    at = 0
    while at < len(texts):
        found = _TELLS.match(texts[at]) if texts[at].startswith(MARK) else None
        end = min(at + 1 + int(found[1]), len(texts)) if found else at + 1
        if found:
            lines[at:end] = [_NOTHING] * (end - at)
        at = end
    return lines


def _edited(lines: list[Line], standing: Standing, path: str, edit: Replaced) -> range | None:
    """The lines that an edit's tool shows of a file, if they are what the edit makes of lines that stand already."""
    at = [n for n, line in enumerate(lines) if line.number]
    if len(at) < _LEAST_LINES or not _counted(lines, at[0], len(at)):
        return None
    shown = range(at[0], at[-1] + 1)
    text = "\n".join(lines[n].text for n in shown)
    if not edit.new or text.count(edit.new) != 1:
        return None
    return shown if standing.holds(text.replace(edit.new, edit.old).split("\n"), path) else None


def _length(texts: list[str]) -> int:
    return sum(map(len, texts)) + len(texts)


def _run(
    lines: list[Line], at: int, free: int, standing: Standing, begun: int, least_within: int, tried: dict[int, int]
) -> Copy | None:
    """The longest run through line `at` and the next that stands already; it reaches back to `free` at most.

    `tried` says how far runs have been looked at, by the distance between the two places: within one nothing new is
    found.
    """
    if at + 1 == len(lines):
        return None
    best: Copy | None = None
    for there in standing.places(lines[at].text, lines[at + 1].text):
        if tried.get(there - at, 0) > at:
            continue
        # Within the text itself a run must not reach into what it is to stand for.
        most = begun + at - there if there >= begun else len(lines)
        run = _of_one_kind(_extended(lines, standing.lines, at, there, free, most), lines, at)
        tried[there - at] = run.at + run.size
        least = least_within if there >= begun else _LEAST_LINES
        found = _anchored(run, lines, standing) if run.size >= least else run
        if found.size >= least and (best is None or _worth(found, lines, standing) > _worth(best, lines, standing)):
            best = found
    return best


def _worth(run: Copy, lines: list[Line], standing: Standing) -> tuple[int, bool]:
    """The longer the better; of two alike, the one that has the same numbers."""
    there = standing.lines[run.there]
    return run.size, bool(there and there.number and there.number == lines[run.at].number)


def _anchored(run: Copy, lines: list[Line], standing: Standing) -> Copy:
    """The run from where a reader can find it: by number, or from a line that was sent as it is."""
    if _counted(lines, run.at, run.size) and standing.counts(run):
        return run
    for skipped in range(min(run.size, _SKIPPED)):
        rest = Copy(run.at + skipped, run.there + skipped, run.size - skipped)
        if rest.size < _LEAST_LINES:
            break
        if not standing.hidden[rest.there] and _telling(lines[rest.at].text) and standing.tells(rest):
            return rest
    return Copy(run.at, run.there, 0)


def _extended(lines: list[Line], there: list[Line | None], at: int, place: int, free: int, most: int) -> Copy:
    """The run of at most so many lines through `at` and `place`, in both directions; not before `free`."""
    before = min(at - free, place, most - 1)
    first, last = 0, 1
    if lines[at] == there[place]:
        while first < before and lines[at - first - 1] == there[place - first - 1]:
            first += 1
        behind = min(len(lines) - at, len(there) - place, most - first)
        while last < behind and lines[at + last] == there[place + last]:
            last += 1
        return Copy(at - first, place - first, first + last)
    while first < before and _goes_on(lines, there, at, place, -first - 1):
        first += 1
    behind = min(len(lines) - at, len(there) - place, most - first)
    while last < behind and _goes_on(lines, there, at, place, last):
        last += 1
    return Copy(at - first, place - first, first + last)


def _of_one_kind(run: Copy, lines: list[Line], at: int) -> Copy:
    """The part of a run around line `at` in which all lines have numbers, or none has: a file ends where they end.

    A tag that opens stands at its beginning, where it is seen.
    """
    numbered = bool(lines[at].number)
    first, last = at, at + 1
    while first > run.at and bool(lines[first - 1].number) == numbered and _OPENING not in lines[first].text:
        first -= 1
    while last < run.at + run.size and bool(lines[last].number) == numbered and _OPENING not in lines[last].text:
        last += 1
    return Copy(first, run.there + first - run.at, last - first)


def _goes_on(lines: list[Line], there: list[Line | None], at: int, place: int, steps: int) -> bool:
    """Whether what stands so many steps from `at` and `place` has the same words, numbered on and of one sign."""
    here, other = lines[at + steps], there[place + steps]
    start, origin = lines[at], there[place]
    return (
        other is not None
        and origin is not None
        and here.text == other.text
        and here.sign == start.sign
        and other.sign == origin.sign
        and _numbered_on(here, start, steps)
        and _numbered_on(other, origin, steps)
    )


def _counted(lines: Sequence[Line | None], at: int, size: int) -> bool:
    """Whether lines are numbered one by one."""
    first = lines[at]
    return bool(first and first.number) and all(
        line is not None and first is not None and line.number == first.number + n
        for n, line in enumerate(lines[at : at + size])
    )


def _numbered_on(line: Line, start: Line, steps: int) -> bool:
    return line.number == start.number + steps if start.number else not line.number


def _said(run: Copy, lines: list[Line], texts: list[str], standing: Standing, path: str, begun: int) -> list[str]:
    """What stands in place of a run: one line, and where nothing is numbered, the run's first line before it."""
    here, there = lines[run.at], standing.lines[run.there]
    assert there is not None
    counted = _counted(lines, run.at, run.size)
    # Without numbers, a text that is not about the file may have the first line as well, as a diff of it has.
    alike = not counted and standing.says_the_same(run)
    where = "above" if alike else standing.where(run, path if counted else "", begun)
    signed = ""
    if here.sign != there.sign and (here.sign.strip() or there.sign.strip()):
        signed = f", each with {here.sign}" if here.sign.strip() else f", without the {there.sign}"
    if counted:
        last = here.number + run.size - 1
        if not standing.counts(run):
            return [texts[run.at], f"{MARK}lines {here.number + 1}-{last}{signed} go on as {where}]"]
        if there.number == here.number:
            return [f"{MARK}lines {here.number}-{last} {'unchanged, ' if where == 'above' else ''}as {where}]"]
        if run.there < begun:
            # Other lines have those numbers here.
            where = standing.name(standing.source(run.there))
        return [f"{MARK}lines {here.number}-{last} = {there.number}-{there.number + run.size - 1} {where}]"]
    more = "line" if run.size == 2 else "lines"
    return [texts[run.at], f"{MARK}{run.size - 1} more {more}{signed}, as after this one {where}]"]
