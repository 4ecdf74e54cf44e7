"""The way back: a lane's calls under the names, kinds and ids that the client knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from lynkr.conversation import Call
from lynkr.events import Close, Delta, Event, Open
from lynkr.translate.tools import INPUT, Names


class Restorer:
    """Restores one answer's calls. `seed` makes an id unique that was taken before."""

    def __init__(self, names: Names, seed: str) -> None:
        self._names, self._seed = names, seed
        self._ids = set(names.ids)
        self._freeform: Freeform | None = None

    def event(self, event: Event) -> Iterator[Event]:
        """What `event` is at the client's."""
        if isinstance(event, Delta):
            if self._freeform is None:
                yield event
            elif said := self._freeform.feed(event.text):
                yield Delta(said)
        elif isinstance(event, Open) and isinstance(event.part, Call):
            yield Open(self._call(event.part))
        elif isinstance(event, Close) and self._freeform is not None:
            said, self._freeform = self._freeform.rest(), None
            if said:
                yield Delta(said)
            yield event
        else:
            yield event

    def _call(self, call: Call) -> Call:
        unique, n = call.id, 1
        while not unique or unique in self._ids:
            # Some servers begin to count anew with every answer; a client could not tell the calls apart.
            unique, n = f"{call.id or 'call'}_{self._seed}" + (f"_{n}" if n > 1 else ""), n + 1
        self._ids.add(unique)
        original = self._names.tools.get(call.name)
        if original is None:
            return replace(call, id=unique)
        self._freeform = Freeform() if original.kind == "custom" else None
        return replace(call, id=unique, name=original.name, namespace=original.namespace, kind=original.kind)


_BEGIN = re.compile(r'\s*\{\s*"' + INPUT + r'"\s*:\s*"')
# Raw text of a JSON string as far as it can be read by itself: no half escape, no half of a surrogate pair.
_WHOLE = re.compile(
    r"(?:[^\"\\]|\\[\"\\/bfnrt]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}"
    r"(?=[^\\]|\\[^u])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})*"
)


class Freeform:
    """The text in `{"input": "…"}`, taken out as it comes."""

    def __init__(self) -> None:
        self._raw = ""
        self._inside = self._over = False

    def feed(self, piece: str) -> str:
        """What `piece` adds to the text."""
        self._raw += "" if self._over else piece
        if not self._inside:
            begun = _BEGIN.match(self._raw)
            if begun is None:
                return ""
            self._inside, self._raw = True, self._raw[begun.end() :]
        whole = _WHOLE.match(self._raw)
        end = whole.end() if whole else 0
        said, self._raw = self._raw[:end], self._raw[end:]
        self._over = self._raw.startswith('"')
        return _read(said)

    def rest(self) -> str:
        """What is left when the arguments are over: nothing, or all of them where they had another form."""
        if self._over:
            return ""
        if self._inside:
            return _read(self._raw)
        try:
            value = json.loads(self._raw)
        except (ValueError, RecursionError):
            return self._raw
        if isinstance(value, dict):
            texts = [value[INPUT]] if isinstance(value.get(INPUT), str) else [*value.values()]
            if len(texts) == 1 and isinstance(texts[0], str):
                return texts[0]
        return self._raw


def _read(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw
