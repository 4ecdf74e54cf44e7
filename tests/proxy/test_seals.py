"""Whether there is a seal in a body is found as if all of it had been searched, whatever was searched before."""

from __future__ import annotations

import base64
import random

import pytest

from lynkr.conversation import ENVELOPE
from lynkr.proxy import seals
from lynkr.proxy.seals import Seals
from lynkr.translate.unseal import marked

LONG = b"The quick brown fox jumps over the lazy dog. lynkr:v bHlua3I6djE " * 1000
SEALS = [ENVELOPE.encode(), base64.b64encode(ENVELOPE.encode())[:12]]


@pytest.mark.parametrize("seal", SEALS)
def test_a_seal_is_found_wherever_it_stands(seal: bytes) -> None:
    """Also where its first letters were in an earlier body and its last ones were not."""
    assert len(LONG) > seals._LEAST and not marked(LONG)
    for at in (0, 1, 20_000, 40_000, len(LONG) - 20, len(LONG)):
        for part in range(len(seal) + 1):
            found = Seals()
            assert not found(LONG[:at] + seal[:part][:-1] + b"." + LONG[at:])
            assert found(LONG[:at] + seal + LONG[at:])
            assert found(LONG[:at] + seal), "a body with a seal is not taken for one without"
            assert not found(LONG)


@pytest.mark.parametrize("seal", SEALS)
def test_whatever_was_searched_before(seal: bytes) -> None:
    chance = random.Random(7)
    found, bodies = Seals(), [LONG]
    for _ in range(400):
        body = chance.choice(bodies)
        at, cut = sorted(chance.randrange(len(body)) for _ in range(2))
        new = chance.choice([b"", b"new ", seal[: chance.randrange(len(seal))], seal])
        body = chance.choice([body + new, body[:at] + new + body[cut:], body[:at] + new + LONG, new + body])[:200_000]
        assert found(body) == marked(body)
        if not marked(body):
            bodies = [*bodies[-5:], body]


def test_only_a_few_bodies_are_kept() -> None:
    found = Seals()
    for n in range(20):
        found(b"%06d" % n + LONG)
        found(b"%06d" % n + LONG + b"more")
    assert len(found._latest) == seals._REMEMBERED


def test_nor_are_large_ones() -> None:
    found = Seals()
    large = LONG * (seals._LARGEST // len(LONG) + 1)
    assert not found(large) and found._latest == []
    assert not found(LONG) and found._latest == [LONG]
