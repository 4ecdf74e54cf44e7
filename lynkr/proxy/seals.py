"""Whether there is a seal of lynkr's in a body. A long conversation comes again with every request, so what stood in
the same place of an earlier one is not searched again: to compare takes a tenth of the time."""

from __future__ import annotations

from dataclasses import dataclass, field

from lynkr.document import common
from lynkr.proxy.documents import alike
from lynkr.translate.unseal import marked

# Of smaller bodies it is not worth it; larger ones, and those of more conversations, are not remembered.
_LEAST, _LARGEST, _REMEMBERED = 16 * 1024, 4 * 1024 * 1024, 8


@dataclass(slots=True)
class Seals:
    """One session's; the latest bodies without one."""

    _latest: list[bytes] = field(default_factory=list)

    def __call__(self, body: bytes) -> bool:
        """Whether there may be one."""
        if len(body) < _LEAST:
            return marked(body)
        known, most = b"", 0
        for each in self._latest:
            if (looks := alike(each, body)) > most:
                known, most = each, looks
        same = common(body, known)
        if marked(body, same):
            return True
        if 2 * same >= len(known):  # the same conversation, further on
            self._latest = [each for each in self._latest if each is not known]
        if len(body) <= _LARGEST:
            self._latest = [*self._latest[1 - _REMEMBERED :], body]
        return False
