"""Who may come in: whoever holds the session's secret, under a name of this machine. Pure, so that it can be tested.

The secret is the first segment of the path, so that any tool can carry it in its base URL. Codex cannot keep its base
URL off its command line, where every user of the machine could read it; it carries the secret in a header instead,
whose own value, if the user had one, is put back before the request travels on.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from lynkr.framing.http1 import Headers


@dataclass(frozen=True, slots=True)
class Carrier:
    """A header that holds the secret in this session, and what it would have held without lynkr (None: nothing)."""

    header: str
    original: str | None


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides over requests to 127.0.0.1:`port`, or to one of the `names` at any port."""

    secret: str
    port: int
    carriers: tuple[Carrier, ...] = ()
    names: tuple[str, ...] = ()

    def admit(self, target: str, headers: Headers) -> tuple[int, str, Headers]:
        """(200, the target without the secret, the headers without it), or (401 or 403, "", [])."""
        if not target.startswith("/"):
            return 401, "", []  # as a proxy is asked; a path is what there is here
        path, mark, query = target.partition("?")
        head, _, rest = path.lstrip("/").partition("/")
        if self._is_secret(head):
            path = "/" + rest.lstrip("/")  # a base URL may end in a slash
        elif not self._carried(headers):
            return 401, "", []
        headers = self._without(headers)
        target = path + mark + query
        if self.secret in target:
            return 401, "", []  # whatever this is, it must not travel on
        if not self._is_home(headers):
            return 403, "", []
        return 200, target, headers

    def _is_secret(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self.secret.encode())

    def _carried(self, headers: Headers) -> bool:
        """Whether one of the carriers holds the secret."""
        names = {carrier.header.lower().encode() for carrier in self.carriers}
        return any(key.lower() in names and self._is_secret(_bare(value)) for key, value in headers)

    def _without(self, headers: Headers) -> Headers:
        """The headers without the secret, wherever it stands: a client may give it as its key, too, or tell where it
        comes from. A carrier gets back what it would have held."""
        secret = self.secret.encode()
        if secret not in b"\n".join([value for _, value in headers]):
            return headers
        held = {key.lower() for key, value in headers if secret in value}
        kept = [(key, value) for key, value in headers if secret not in value]
        return kept + [
            (carrier.header.encode(), carrier.original.encode())
            for carrier in self.carriers
            if carrier.original is not None and carrier.header.lower().encode() in held
        ]

    def _is_home(self, headers: Headers) -> bool:
        hosts = [value for key, value in headers if key.lower() == b"host"]
        if len(hosts) != 1:
            return False
        host = hosts[0].decode("latin-1").lower()
        at_home = host in (f"127.0.0.1:{self.port}", f"localhost:{self.port}")
        return at_home or re.sub(r":\d+$", "", host) in self.names


def _bare(value: bytes) -> str:
    """A header's value without the word that says how it is meant."""
    text = value.decode("latin-1")
    return text[7:] if text[:7].lower() == "bearer " else text
