"""Long lines that repeat parts of earlier ones: a comment in several answers of an API, a page's frame in each of them.

What `again` does for lines this does within them: a part of a hundred characters or more that stands in an earlier long
line of a result is replaced by how long it is, behind its first words, which stay in place to be found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lynkr.transforms.tool_results.stub import MARK

_LONG = 160  # characters of a line that is worth a look
_LEAST = 100  # of a part that is replaced
_SEED = 32  # of the words that a part begins with, and is found by
# Words that stand in more places tell nothing.
_MOST = 24
_BOUND = re.compile(r"(?<=[\s\"'<>,;:=(\[{|\\/])(?=\S)")


@dataclass(slots=True)
class Spans:
    """The long lines that were said so far, and where each of their words stands. It can be taken back."""

    _lines: list[str] = field(default_factory=list)
    _places: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    _added: list[list[str]] = field(default_factory=list)

    def point(self) -> int:
        """Where we are now, for `back_to`."""
        return len(self._lines)

    def back_to(self, point: int) -> None:
        """Forgets what was said since."""
        for seeds in self._added[point:]:
            for seed in seeds:
                self._places[seed].pop()
        del self._added[point:], self._lines[point:]

    def shortened(self, text: str) -> str:
        """`text` without parts of its long lines that stand already; puts them down."""
        if len(text) < _LONG:
            return text
        return "\n".join(self._line(line) if len(line) >= _LONG else line for line in text.split("\n"))

    def _line(self, line: str) -> str:
        if line.startswith(MARK):
            return line
        bounds = [found.start() for found in _BOUND.finditer(line)]
        if not bounds or bounds[0]:
            bounds.insert(0, 0)
        number, seeds = len(self._lines), list[str]()
        self._lines.append(line)
        self._added.append(seeds)
        out, done = list[str](), 0
        last = len(line) - _SEED
        for at in bounds:
            if at > last:
                break
            seed = line[at : at + _SEED]
            places = self._places.get(seed)
            if places is None:
                self._places[seed] = [(number, at)]
                seeds.append(seed)
                continue
            # Wherever these words stand, the same has to follow.
            if at >= done and 0 < len(places) <= _MOST:
                least = line[at : at + _LEAST]
                if (
                    all(self._lines[number].startswith(least, place) for number, place in places)
                    and (size := min(self._same(line, at, *place) for place in places)) >= _LEAST
                ):
                    said = f"{MARK}{size - _SEED} characters, as after these words above]"
                    out += [line[done : at + _SEED], said]
                    done = at + size
            if len(places) <= _MOST:
                places.append((number, at))
                seeds.append(seed)
        return "".join([*out, line[done:]])

    def _same(self, line: str, at: int, number: int, place: int) -> int:
        """How many characters from `at` stand at a place, up to the last bound; within one line they do not overlap."""
        other = self._lines[number]
        most = min(len(line) - at, len(other) - place, at - place if other is line else len(line))
        low, high = 0, max(most, 0)
        while low < high:
            middle = (low + high + 1) // 2
            if line[at + low : at + middle] == other[place + low : place + middle]:
                low = middle
            else:
                high = middle - 1
        # Not in the middle of a word.
        while low and at + low < len(line) and (line[at + low].isalnum() and line[at + low - 1].isalnum()):
            low -= 1
        return low
