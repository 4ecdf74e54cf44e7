"""Whoever has the secret and names this machine comes in, without the secret going any further; nobody else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.proxy.gate import Carrier, Gate

few = settings(max_examples=100, deadline=None)

SECRET = "s3cr3t-of-the-session"
HOST = (b"Host", b"127.0.0.1:4321")
GATE = Gate(SECRET, 4321)
CARRIED = Gate(SECRET, 4321, (Carrier("OpenAI-Organization", "org-mine"),))
BARE = Gate(SECRET, 4321, (Carrier("OpenAI-Organization", None),))


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        (f"/{SECRET}/v1/messages", "/v1/messages"),
        (f"/{SECRET}/v1/messages?beta=true", "/v1/messages?beta=true"),
        (f"/{SECRET}/v1/messages?a=%20&b=/x?y", "/v1/messages?a=%20&b=/x?y"),
        (f"/{SECRET}//v1/messages", "/v1/messages"),
        (f"//{SECRET}/v1/messages", "/v1/messages"),
        (f"/{SECRET}/", "/"),
        (f"/{SECRET}", "/"),
        (f"/{SECRET}?x=1", "/?x=1"),
        (f"/{SECRET}/v1/models/a%2Fb", "/v1/models/a%2Fb"),
        (f"/{SECRET}/v1/messages/", "/v1/messages/"),
    ],
)
def test_the_secret_in_the_path_opens_and_is_taken_off(target: str, inside: str) -> None:
    assert GATE.admit(target, [HOST]) == (200, inside, [HOST])


@pytest.mark.parametrize(
    "target",
    [
        "/v1/messages",
        "/",
        "",
        "*",
        "/wrong/v1/messages",
        f"/{SECRET}x/v1/messages",
        f"/{SECRET[:-1]}/v1/messages",
        f"/{SECRET.upper()}/v1/messages",
        f"/v1/{SECRET}/messages",
        f"/v1/messages?secret={SECRET}",
        f"?{SECRET}",
        f"http://127.0.0.1:4321/{SECRET}/v1/messages",
        "/\udcff/v1",
    ],
)
def test_without_the_secret_nobody_comes_in(target: str) -> None:
    for gate in (GATE, CARRIED):
        assert gate.admit(target, [HOST]) == (401, "", [])


@pytest.mark.parametrize("host", [b"127.0.0.1:4321", b"localhost:4321", b"LocalHost:4321"])
def test_this_machine_has_two_names(host: bytes) -> None:
    assert GATE.admit(f"/{SECRET}/v1", [(b"host", host)])[0] == 200


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"evil.example:4321", b"127.0.0.1", b"127.0.0.1:4322", b"localhost", b"", b"localhost.evil.example:4321",
     b"127.0.0.1:4321.evil.example", b"[::1]:4321", b"0.0.0.0:4321", b" 127.0.0.1:4321"],
)  # fmt: skip
def test_a_foreign_host_is_forbidden_even_with_the_secret(host: bytes) -> None:
    assert GATE.admit(f"/{SECRET}/v1", [(b"Host", host)]) == (403, "", [])


def test_no_host_or_two_are_forbidden() -> None:
    assert GATE.admit(f"/{SECRET}/v1", []) == (403, "", [])
    assert GATE.admit(f"/{SECRET}/v1", [HOST, HOST]) == (403, "", [])
    assert GATE.admit(f"/{SECRET}/v1", [HOST, (b"host", b"evil.example")]) == (403, "", [])


def test_a_stranger_with_a_foreign_host_learns_only_that_there_is_no_way_in() -> None:
    assert GATE.admit("/v1", [(b"Host", b"evil.example")]) == (401, "", [])


def test_the_secret_in_a_header_opens_and_the_users_own_value_is_put_back() -> None:
    headers = [HOST, (b"openai-organization", SECRET.encode()), (b"X-Other", b"kept")]
    status, target, inside = CARRIED.admit("/v1/responses?x=1", headers)
    assert (status, target) == (200, "/v1/responses?x=1")
    assert inside == [HOST, (b"X-Other", b"kept"), (b"OpenAI-Organization", b"org-mine")]


def test_where_the_user_had_no_such_header_none_is_left() -> None:
    headers = [HOST, (b"OpenAI-Organization", SECRET.encode())]
    assert BARE.admit("/v1/responses", headers) == (200, "/v1/responses", [HOST])


@pytest.mark.parametrize("value", [b"", b"wrong", SECRET.encode() + b" ", b"org-mine", b"\xff"])
def test_another_value_in_the_header_does_not_open(value: bytes) -> None:
    assert CARRIED.admit("/v1/responses", [HOST, (b"OpenAI-Organization", value)]) == (401, "", [])


def test_the_secret_in_any_other_header_does_not_open() -> None:
    assert CARRIED.admit("/v1", [HOST, (b"Authorization", SECRET.encode())])[0] == 401
    assert GATE.admit("/v1", [HOST, (b"OpenAI-Organization", SECRET.encode())])[0] == 401


def test_a_foreign_host_is_forbidden_with_the_secret_in_a_header_too() -> None:
    headers = [(b"Host", b"evil.example"), (b"OpenAI-Organization", SECRET.encode())]
    assert CARRIED.admit("/v1", headers) == (403, "", [])


def test_the_secret_in_the_path_opens_where_a_header_could_carry_it_too() -> None:
    assert CARRIED.admit(f"/{SECRET}/v1", [HOST]) == (200, "/v1", [HOST])


HEADERS = st.lists(st.tuples(st.sampled_from([b"X-A", b"x-a", b"Authorization"]), st.binary(max_size=5)), max_size=5)


@few
@given(HEADERS, st.text("abc/%?=&", max_size=10))
def test_who_comes_in_keeps_every_header_in_its_order_and_loses_the_secret(
    headers: list[tuple[bytes, bytes]], rest: str
) -> None:
    status, target, inside = GATE.admit(f"/{SECRET}/{rest}", [HOST, *headers])
    assert status == 200
    assert inside == [HOST, *headers]
    assert SECRET not in target
    assert target.startswith("/")


@few
@given(st.text(st.characters(max_codepoint=255), max_size=20))
def test_no_guess_comes_in(guess: str) -> None:
    assert GATE.admit(guess, [HOST])[0] == 401
