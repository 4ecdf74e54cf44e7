"""The bodies of one session as they are read: a coding tool sends the whole conversation with every request, so what
two of them have in common is parsed once."""

from __future__ import annotations

from dataclasses import dataclass, field

from lynkr.document import Document

# So many are remembered, to read the next ones on their heels, and so many bytes of them; larger ones are not.
_REMEMBERED, _MOST, _LARGEST = 32, 32 * 1024 * 1024, 16 * 1024 * 1024
_SAMPLE = 256


@dataclass(slots=True)
class Documents:
    """The latest documents."""

    _latest: list[Document] = field(default_factory=list)

    def read(self, body: bytes, text: str | None = None) -> Document:
        """The document in `body`, whose decoded `text` may be at hand. Raises MalformedDocument."""
        known, most = None, -1
        for document in self._latest:
            if document.body is body:
                return document
            if (same := alike(document.body, body)) > most:
                known, most = document, same
        document = Document.read(body, known, text)
        if len(body) <= _LARGEST:
            if known is not None and 2 * most >= len(known.body):
                self._latest.remove(known)
            self._latest.append(document)
            while len(self._latest) > _REMEMBERED or sum(len(one.body) for one in self._latest) > _MOST:
                del self._latest[0]
        return document


def alike(one: bytes, other: bytes) -> int:
    """Roughly how much two bodies have in common at their beginning, by samples further and further in."""
    count = 512
    while count < len(one) and one[count - _SAMPLE : count] == other[count - _SAMPLE : count]:
        count *= 2
    return count // 2
