"""Everything the client sent travels on in its order and spelling, but for what belongs to the connection and, on a lane
with a key of its own, the client's credentials.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.formats import CREDENTIAL_HEADERS
from lynkr.framing.http1 import Headers, indexed
from lynkr.lane import Auth, Format, Lane
from lynkr.secrets import Key
from lynkr.upstream.auth import connection_headers, key_headers, outgoing
from lynkr.upstream.catalog import Way

few = settings(max_examples=100, deadline=None)

CLIENT = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT)
OWN = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.KEY)
KEY = Key("sk-lane")
SENT: Headers = [
    (b"host", b"127.0.0.1:4321"),
    (b"User-Agent", b"claude-cli/2.1.329"),
    (b"X-Api-Key", b"sk-client"),
    (b"authorization", b"Bearer client"),
    (b"anthropic-VERSION", b"2023-06-01"),
    (b"X-Twice", b"1"),
    (b"Accept-Encoding", b"gzip, br"),
    (b"x-twice", b"2"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"999"),
]


def go(
    headers: Headers, lane: Lane = CLIENT, key: Key | None = None, *, length: int | None = 5, metered: bool = False
) -> Headers:
    own = key_headers(key, Way(lane.formats), lane.formats[0]) if key else []
    return outgoing(headers, indexed(headers), lane, own, host="api.anthropic.com", length=length, metered=metered)


def named(headers: Headers) -> set[bytes]:
    return {name.lower() for name, _ in headers}


def test_what_is_kept_keeps_its_order_and_spelling() -> None:
    assert go(SENT) == [
        (b"Host", b"api.anthropic.com"),
        (b"User-Agent", b"claude-cli/2.1.329"),
        (b"X-Api-Key", b"sk-client"),
        (b"authorization", b"Bearer client"),
        (b"anthropic-VERSION", b"2023-06-01"),
        (b"X-Twice", b"1"),
        (b"Accept-Encoding", b"gzip, br"),
        (b"x-twice", b"2"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"5"),
    ]


def test_a_request_without_a_body_has_no_length() -> None:
    assert b"content-length" not in named(go(SENT, length=None))
    assert go([], length=0)[-1] == (b"Content-Length", b"0")


def test_a_metered_answer_is_asked_for_uncoded_in_the_place_where_the_client_asked() -> None:
    at = next(at for at, (name, _) in enumerate(go(SENT)) if name == b"Accept-Encoding")
    assert go(SENT, metered=True)[at] == (b"Accept-Encoding", b"identity")
    assert len(go(SENT, metered=True)) == len(go(SENT))


@pytest.mark.parametrize(
    "name",
    ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
     "Transfer-Encoding", "Upgrade", "Expect", "HOST", "content-LENGTH"],
)  # fmt: skip
def test_what_belongs_to_the_connection_ends_here(name: str) -> None:
    found = go([(b"X-Kept", b"1"), (name.encode(), b"x")], length=None)
    assert found == [(b"Host", b"api.anthropic.com"), (b"X-Kept", b"1")]


def test_what_connection_names_ends_here_too() -> None:
    headers = [
        (b"connection", b"close, X-Private ,"),
        (b"Connection", b"x-other"),
        (b"X-PRIVATE", b"1"),
        (b"X-Other", b"2"),
    ]
    assert go([*headers, (b"X-Kept", b"3")], length=None) == [(b"Host", b"api.anthropic.com"), (b"X-Kept", b"3")]
    assert {b"x-private", b"x-other", b"transfer-encoding"} <= connection_headers(indexed(headers))


def test_with_the_clients_own_credential_every_credential_stays() -> None:
    headers = [(name.encode(), b"secret") for name in sorted(CREDENTIAL_HEADERS)]
    assert go(headers, length=None)[1:] == headers


def test_with_a_key_of_the_lane_every_credential_of_the_clients_is_dropped() -> None:
    headers = [(name.title().encode(), b"secret") for name in sorted(CREDENTIAL_HEADERS)]
    found = go([*headers, (b"X-Kept", b"1")], OWN, KEY, length=None)
    assert found == [(b"Host", b"api.anthropic.com"), (b"X-Kept", b"1"), (b"X-Api-Key", b"sk-lane")]


@pytest.mark.parametrize(
    ("spoken", "header"),
    [
        (Format.ANTHROPIC, (b"X-Api-Key", b"sk-lane")),
        (Format.OPENAI_CHAT, (b"Authorization", b"Bearer sk-lane")),
        (Format.OPENAI_RESPONSES, (b"Authorization", b"Bearer sk-lane")),
        (Format.GEMINI, (b"X-Goog-Api-Key", b"sk-lane")),
    ],
)
def test_a_key_travels_in_the_header_of_its_format(spoken: Format, header: tuple[bytes, bytes]) -> None:
    assert key_headers(KEY, Way((spoken,)), spoken) == [header]


def test_an_endpoint_may_want_it_in_others() -> None:
    foundry = Way((Format.ANTHROPIC,), carries=("x-api-key", "api-key"))
    assert key_headers(KEY, foundry, Format.ANTHROPIC) == [(b"X-Api-Key", b"sk-lane"), (b"Api-Key", b"sk-lane")]
    router = Way((Format.ANTHROPIC,), carries=("authorization",))
    assert key_headers(KEY, router, Format.ANTHROPIC) == [(b"Authorization", b"Bearer sk-lane")]


def test_headers_of_the_lane_take_the_place_of_the_clients() -> None:
    lane = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT, headers={"User-Agent": "mine", "X-New": "1"})
    found = go(SENT, lane, length=None)
    assert [value for name, value in found if name.lower() == b"user-agent"] == [b"mine"]
    assert found[-2:] == [(b"User-Agent", b"mine"), (b"X-New", b"1")]


def test_a_key_shows_itself_to_the_header_alone() -> None:
    assert "sk-lane" not in repr(KEY)
    assert "sk-lane" not in f"{KEY}"


TOKEN = st.text("abXY-", min_size=1, max_size=5).map(str.encode)


@few
@given(st.lists(st.tuples(TOKEN, st.binary(max_size=6)), max_size=8), st.booleans())
def test_any_other_header_travels_as_it_is(headers: Headers, metered: bool) -> None:
    assert go(headers, length=None, metered=metered) == [(b"Host", b"api.anthropic.com"), *headers]
    assert go(headers, OWN, KEY, length=None, metered=metered)[1:-1] == headers
