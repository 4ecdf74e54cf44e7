"""A conversation, shaped: each tool result squeezed where it first appears, by what it is and what stands before it.

The rule that pays: the same conversation gives the same bytes, on every turn, after a restart, in a fork. So a result's
new text is a function of the result, of the elements before it and of the session's settings, and of nothing else. What
is remembered here between two turns only saves doing the same work again: forgetting it changes no byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import is_
from typing import Any, NamedTuple

from lynkr.document import Document, Edit, Node
from lynkr.passage import Called, Given, Passage, Said
from lynkr.transforms.again import Replaced, Standing, referring
from lynkr.transforms.command import UNKNOWN, Meaning, meaning, of_command
from lynkr.transforms.lines import Line, patch, read, thinned
from lynkr.transforms.spans import Spans
from lynkr.transforms.tool_results import Cut, Squeezed, squeeze
from lynkr.transforms.tool_results.stub import MARK, MORE

Passages = Callable[[dict[str, Any]], Iterator[Passage]]
# Shorter results are not worth a look, nor a reader's surprise.
LEAST = 120
_HALF = re.compile("[\ud800-\udfff]")
# So many conversations are remembered, and of them so many characters: one that is not is shaped anew in each turn.
_THREADS, _CHARACTERS = 256, 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Change:
    """A result that is sent otherwise. `id` is the original's; `label` what a reader would call the call."""

    id: str
    label: str
    before: str
    after: str
    cuts: tuple[Cut, ...]


class Placed(NamedTuple):
    """A change in the client's body: where its text begins, by how much the body gets shorter, and by what."""

    change: Change
    start: int
    gone: int
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class Shaped:
    """What is to be changed in a document. `fresh` are the changes that stand in elements which are new to us."""

    edits: tuple[Edit, ...] = ()
    placed: tuple[Placed, ...] = ()
    fresh: tuple[Change, ...] = ()
    faults: int = 0


@dataclass(slots=True)
class _Element:
    """One element of the client's list, and what became of it."""

    node: Node
    passages: tuple[Passage, ...]
    point: tuple[tuple[int, int], int]
    changes: dict[tuple[str | int, ...], Change] = field(default_factory=dict)
    faults: int = 0


@dataclass(slots=True)
class _Calls:
    """The calls so far, by id. Where a client gives none, an id is the tool's name, and stands for several calls."""

    _made: dict[str, list[tuple[int, Called]]] = field(default_factory=dict)
    _answered: dict[str, list[tuple[int, tuple[str | int, ...]]]] = field(default_factory=dict)

    def put(self, element: int, call: Called) -> None:
        """Puts down a call that stands in the list's element of that number."""
        self._made.setdefault(call.id, []).append((element, call))

    def of(self, element: int, given: Given) -> Called | None:
        """The call that a result answers: of the latest with its id, the next one without a result."""
        # A client may give the id with the result only.
        made = self._made.get(given.id) or self._made.get(given.name, [])
        answered = self._answered.setdefault(given.id, [])
        # One answer may hold several texts.
        place = (element, given.path[:2])
        if not answered or answered[-1] != place:
            answered.append(place)
        latest = [call for number, call in made if number == made[-1][0]]
        count = sum(number > made[-1][0] for number, _ in answered) - 1 if made else 0
        return latest[min(count, len(latest) - 1)] if latest else None

    def back_to(self, element: int, passages: tuple[Passage, ...]) -> None:
        """Forgets what stands in an element."""
        for passage in passages:
            if isinstance(passage, Called) and (made := self._made.get(passage.id)) and made[-1][0] >= element:
                made.pop()
            if isinstance(passage, Given) and (answered := self._answered.get(passage.id)):
                while answered and answered[-1][0] >= element:
                    answered.pop()


@dataclass(slots=True)
class _Thread:
    """One conversation as far as it has gone."""

    thin: bool = False
    refer: bool = True
    keeping: bool = True
    elements: list[_Element] = field(default_factory=list)
    # Where the changes stand in the latest document: the nodes of its elements, all changes, and how many of them (and
    # of faults) there are up to each element.
    nodes: list[Node] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    upto: list[tuple[int, int]] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)
    spans: Spans = field(default_factory=Spans)
    calls: _Calls = field(default_factory=_Calls)

    @property
    def size(self) -> int:
        """How long its text is, about."""
        return self.nodes[-1].end - self.nodes[0].start if self.nodes else 0

    def point(self) -> tuple[tuple[int, int], int]:
        """Where the text that stands ends."""
        return self.standing.point(), self.spans.point()

    def back_to(self, point: tuple[tuple[int, int], int]) -> None:
        """Forgets what was put down after a point."""
        self.standing.back_to(point[0])
        self.spans.back_to(point[1])


@dataclass(slots=True)
class Shaper:
    """Shapes the conversations of one session. `thin` leaves most line numbers of files out; without `refer` nothing
    refers to what stands earlier, because the provider may take that out; without `keeping` nothing is left out that
    could not be had back."""

    thin: bool = False
    refer: bool = True
    keeping: bool = True
    _threads: list[_Thread] = field(default_factory=list)

    def shape(self, document: Document, talk: str, passages: Passages) -> Shaped:
        """What is to be changed in `document`, whose list of what was said is its member `talk`."""
        nodes = document.elements(talk)
        thread, fresh = self._thread(nodes, passages), list[Change]()
        for node in nodes[len(thread.elements) :]:
            element = _shaped(node, _passages(node, passages), thread)
            thread.elements.append(element)
            fresh += element.changes.values()
        faults = _place(thread, document, nodes)
        return Shaped(tuple(thread.edits), tuple(thread.placed), tuple(fresh), faults)

    def _thread(self, nodes: list[Node], passages: Passages) -> _Thread:
        """The conversation that `nodes` go on from, taken back to what they share with it."""
        best, shared, look = None, 0, cache(lambda at: _passages(nodes[at], passages))
        for thread in self._threads:
            count = _shared(thread, nodes, look)
            # A conversation that parts early is another one, and both may go on.
            if count > shared and count * 2 >= len(thread.elements):
                best, shared = thread, count
        if best is None:
            best = _Thread(self.thin, self.refer, self.keeping)
        else:
            self._threads.remove(best)
            _back_to(best, shared)
        while self._threads and (len(self._threads) >= _THREADS or sum(t.size for t in self._threads) > _CHARACTERS):
            del self._threads[0]
        self._threads.append(best)
        return best


def _passages(node: Node, passages: Passages) -> tuple[Passage, ...]:
    return tuple(passages(node.value)) if isinstance(node.value, dict) else ()


def _shared(thread: _Thread, nodes: list[Node], look: Callable[[int], tuple[Passage, ...]]) -> int:
    """How many elements are the same at both beginnings, by what `look` gives of the new ones' passages. A cache
    breakpoint that has moved on makes no difference."""
    count = _identical(thread.nodes, nodes)
    for element, node in zip(thread.elements[count:], nodes[count:], strict=False):
        if node.value is not element.node.value and look(count) != element.passages:
            break
        count += 1
    return count


def _identical(some: list[Node], others: list[Node]) -> int:
    """How many nodes of two lists are the very same: a document that was read on another's heels shares them."""
    size = min(len(some), len(others))
    same = list(map(is_, some, others))
    return size if all(same) else same.index(False)


def _place(thread: _Thread, document: Document, nodes: list[Node]) -> int:
    """Finds the places of those changes in a document that the one before did not have; how many faults there are."""
    known = min(_identical(thread.nodes, nodes), len(thread.upto))
    many, faults = thread.upto[known - 1] if known else (0, 0)
    del thread.edits[many:], thread.placed[many:], thread.upto[known:]
    for element, node in zip(thread.elements[known:], nodes[known:], strict=True):
        element.node = node
        for edit, place in _places(document, element):
            thread.edits.append(edit)
            thread.placed.append(place)
        faults += element.faults
        thread.upto.append((len(thread.edits), faults))
    thread.nodes = list(nodes)
    return faults


def _back_to(thread: _Thread, count: int) -> None:
    if count < len(thread.elements):
        thread.back_to(thread.elements[count].point)
        for number in range(len(thread.elements) - 1, count - 1, -1):
            thread.calls.back_to(number, thread.elements[number].passages)
        del thread.elements[count:], thread.nodes[count:], thread.upto[count:]


def _shaped(node: Node, passages: tuple[Passage, ...], thread: _Thread) -> _Element:
    element, said = _Element(node, passages, thread.point()), False
    for passage in passages:
        match passage:
            case Said():
                label = "the user's message" if passage.by == "user" else "your message"
                thread.standing.add([Line(text) for text in passage.text.split("\n")], label, more=said)
                said = True
            case Called():
                thread.calls.put(len(thread.elements), passage)
                _put_down(passage, thread.standing)
            case Given():
                call = thread.calls.of(len(thread.elements), passage)
                what = meaning(call or (Called("", passage.name) if passage.name else None))
                point = thread.point()
                try:
                    change = _change(passage, what, thread, _replaced(call))
                except Exception:  # noqa: BLE001 - by the same input it will fail again, so the text stays as it is
                    element.faults += 1
                    change = None
                if change is not None:
                    element.changes[passage.path] = change
                else:
                    thread.back_to(point)
                    thread.standing.add(read(passage.text.split("\n")), f"the {what.label}", what.path)
                    if thread.refer:
                        thread.spans.shortened(passage.text)
    return element


def _put_down(call: Called, standing: Standing) -> None:
    """What a call says stands in the conversation too: a file that was written, the text of an edit."""
    what = meaning(call)
    texts = [call.arguments] if isinstance(call.arguments, str) else list(_texts(call.arguments))
    for n, text in enumerate(text for text in texts if "\n" in text):
        lines = text.split("\n")
        told = patch(lines) if "*** Begin Patch" in text else read(lines)
        standing.add(told, f"your {what.label}", what.path, more=n > 0)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _replaced(call: Called | None) -> Replaced | None:
    """What a call puts in place of what, if it is an edit."""
    arguments = call.arguments if call and isinstance(call.arguments, Mapping) else {}
    for old, new in (("old_string", "new_string"), ("old_str", "new_str"), ("oldString", "newString")):
        if isinstance(arguments.get(old), str) and isinstance(arguments.get(new), str):
            return Replaced(arguments[old], arguments[new])
    return None


def _change(given: Given, what: Meaning, thread: _Thread, edit: Replaced | None = None) -> Change | None:
    """What becomes of one result, and puts it down; None where it stays as it is."""
    text = given.text
    # What has a mark of ours in it has been here before.
    if len(text) < LEAST or what.role == "ours" or MARK in text or MORE in text:
        return None
    squeezed: Squeezed = squeeze(text, what, keeping=thread.keeping)
    cuts, after = list(squeezed.cuts), squeezed.text
    if thread.refer:
        output = what.role == "output"
        after = referring(after, thread.standing, f"the {what.label}", what.path, edit, output=output)
        if what.role in ("output", "found"):
            after = thread.spans.shortened(after)
        if after != squeezed.text:
            cuts.append(Cut("seen before", len(squeezed.text) - len(after)))
    if thread.thin and what.numbered and (thinner := thinned(after)) != after:
        cuts.append(Cut("line numbers", len(after) - len(thinner)))
        after = thinner
    if len(after) >= len(text):
        return None
    return Change(squeezed.id, what.label, text, after, _settled(cuts, len(text) - len(after)))


def _settled(cuts: list[Cut], saved: int) -> tuple[Cut, ...]:
    """`cuts` that add up to what was saved: the words that say what is gone are the largest one's."""
    most = max(cuts, key=lambda cut: cut.chars)
    more = sum(cut.chars for cut in cuts) - saved
    return tuple(cut._replace(chars=cut.chars - more) if cut is most else cut for cut in cuts)


def alone(text: str, command: str = "", tool: str = "", path: str = "") -> Change | None:
    """What becomes of a result that stands in no conversation; None where it stays as it is.

    It was given by `command`, or by `tool` for the file `path`.
    """
    what = of_command(command) if command else meaning(Called("", tool, {"path": path})) if tool else UNKNOWN
    return _change(Given("", text, ()), what, _Thread())


def _places(document: Document, element: _Element) -> Iterator[tuple[Edit, Placed]]:
    nodes = document.places(element.node, element.changes)
    for path, change in element.changes.items():
        node = nodes[path]
        # As the client has written this very text, whatever else its body may hold later; half a character can only
        # be escaped.
        escaped = not change.before.isascii() and document.text[node.start : node.end].isascii()
        new = json.dumps(change.after, ensure_ascii=escaped or bool(_HALF.search(change.after)))
        gone = node.end - node.start - len(new)
        # In the body a character may be several; the cuts add up to what the text got shorter by.
        size = len(change.before) - len(change.after)
        cuts = tuple(Cut(cut.kind, cut.chars * gone // size) for cut in change.cuts)
        yield Edit(node.start, node.end, new), Placed(change, node.start, gone, cuts)
