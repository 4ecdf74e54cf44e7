"""Codings are undone for reading, exactly or not at all, and what unpacks to too much is refused."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.errors import ClientError
from lynkr.proxy.coding import Unreadable, decoder, plain

few = settings(max_examples=40, deadline=None)

MIB = 1 << 20
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
CODINGS = pytest.mark.parametrize("coding", PACK)


@few
@given(st.binary(max_size=2000), st.sampled_from(sorted(PACK)))
def test_what_was_packed_is_unpacked(body: bytes, coding: str) -> None:
    assert plain(PACK[coding](body), coding, MIB) == body


@few
@given(st.binary(max_size=2000), st.sampled_from(sorted(PACK)), st.integers(1, 100))
def test_an_answer_is_unpacked_as_it_comes(body: bytes, coding: str, step: int) -> None:
    packed, reader = PACK[coding](body), decoder(coding)
    assert b"".join(reader.decompress(packed[at : at + step]) for at in range(0, len(packed), step)) == body


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_what_has_no_coding_stays_the_very_same(coding: str) -> None:
    body = b"x" * 10
    assert plain(body, coding, 1) is body
    assert decoder(coding).decompress(body) is body


@pytest.mark.parametrize("coding", ["GZip", " gzip ", "ZSTD"])
def test_a_codings_name_has_no_case(coding: str) -> None:
    assert plain(PACK[coding.strip().lower()](b"abc"), coding, MIB) == b"abc"


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, zstd", "nonsense"])
def test_a_coding_that_is_not_read_here_is_unreadable(coding: str) -> None:
    with pytest.raises(Unreadable):
        decoder(coding)
    with pytest.raises(Unreadable):
        plain(b"x", coding, MIB)


@CODINGS
def test_what_is_not_in_the_coding_that_it_claims_is_unreadable(coding: str) -> None:
    with pytest.raises(Unreadable):
        plain(b"this is plain text, as long as a header", coding, MIB)


@CODINGS
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(coding: str) -> None:
    packed = PACK[coding](b"x" * MIB)
    assert len(plain(packed, coding, MIB)) == MIB
    with pytest.raises(ClientError):
        plain(packed, coding, MIB - 1)


@CODINGS
def test_a_bomb_is_refused_with_the_status_for_it(coding: str) -> None:
    bomb = PACK[coding](bytes(8 * MIB))
    assert len(bomb) < 16 * 1024
    with pytest.raises(ClientError) as caught:
        plain(bomb, coding, 2 * MIB)
    assert (caught.value.status, caught.value.kind) == (413, "too_large")
    assert "2 MiB" in caught.value.sentence


def test_a_gzip_bomb_is_given_up_after_a_slice_and_not_unpacked_whole() -> None:
    bomb = gzip.compress(bytes(64 * MIB))
    damaged = bomb[: len(bomb) // 2] + b"never read" * 10
    with pytest.raises(ClientError):
        plain(damaged, "gzip", MIB)


@few
@given(st.binary(max_size=200), st.sampled_from([*sorted(PACK), "br", "", "identity"]))
def test_garbage_is_unreadable_and_nothing_worse(body: bytes, coding: str) -> None:
    try:
        found = plain(body, coding, MIB)
    except Unreadable:
        found = b""
    assert len(found) <= MIB
