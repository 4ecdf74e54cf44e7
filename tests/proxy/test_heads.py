"""A head that is like one that came before is read as if it were the first."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.framing.http1 import MalformedHTTP
from lynkr.proxy.gate import Carrier, Gate
from lynkr.proxy.heads import Entry, Heads

many = settings(max_examples=500, deadline=None)

SECRET = "s3cr3t-of-the-session"
GATE = Gate(SECRET, 4321, (Carrier("OpenAI-Organization", "org-mine"),))


@dataclass
class Counting:
    """A gate that counts how often it is asked."""

    gate: Gate = GATE
    asked: int = 0

    def admit(self, target: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        self.asked += 1
        return self.gate.admit(target, headers)


def head(*lines: bytes, target: bytes = b"/%b/v1/messages" % SECRET.encode(), end: bytes = b"\r\n") -> bytes:
    return end.join([b"POST %b HTTP/1.1" % target, b"Host: 127.0.0.1:4321", *lines, b"", b""])


def outcome(heads: Heads, data: bytes) -> Entry | tuple[str, int]:
    """What is read, without what says whether another was like it; or why nothing is."""
    try:
        return heads.read(data)._replace(like=None)
    except MalformedHTTP as error:
        return str(error), error.status


DIGITS = st.from_regex(rb"[0-9]{1,16}", fullmatch=True)
LENGTHS = st.builds(
    lambda name, space, digits, after: name + b":" + space + digits + after,
    st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Content-length", b"X-Content-Length"]),
    st.sampled_from([b"", b" ", b"  ", b"\t"]),
    DIGITS | st.sampled_from([b"", b"+5", b"5, 5", b"0x5", b"5 6", b"five"]),
    st.sampled_from([b"", b"", b" ", b"\r\n 7", b"\n X: 5"]),
)
OTHERS = st.sampled_from(
    [b"X-A: 1", b"X-A: 2", b"x-a:1", b"Accept-Encoding: gzip", b"Transfer-Encoding: chunked", b"Host: elsewhere",
     b"Connection: close", b"OpenAI-Organization: " + SECRET.encode(), b"X-Where: /" + SECRET.encode(), b"Empty:",
     b"X: Content-Length: 5", b"folded: a\r\n b", b"bare: a\nb: c", b"no colon", b": 5", b"X\0: 5", b"X: \xff", b"Content-Length :5"]
)  # fmt: skip
TARGETS = st.sampled_from([f"/{SECRET}/v1/messages", f"/{SECRET}/v1/messages?a=1", "/v1/messages", "/wrong/v1", "*"])
LINES = LENGTHS | OTHERS


@st.composite
def said(draw: st.DrawFn) -> list[bytes]:
    """Heads that have much in common: each is an earlier one with another line, or another number in one."""
    found = [(draw(st.lists(LINES, min_size=1, max_size=4)), draw(TARGETS))]
    for _ in range(draw(st.integers(1, 5))):
        lines, target = draw(st.sampled_from(found))
        at = draw(st.integers(0, len(lines) - 1))
        number = re.compile(rb"[0-9]+")
        line = draw(LINES) if draw(st.booleans()) else number.sub(draw(DIGITS), lines[at], count=1)
        found.append(([*lines[:at], line, *lines[at + 1 :]], draw(TARGETS) if draw(st.integers(0, 9)) == 9 else target))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    return [head(*lines, target=target.encode(), end=end) for lines, target in found]


@many
@given(said())
def test_it_is_read_as_if_it_were_the_first(came: list[bytes]) -> None:
    heads = Heads(GATE)
    for data in came:
        assert outcome(heads, data) == outcome(Heads(GATE), data)


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length"])
def test_of_heads_that_differ_in_the_length_alone_one_is_looked_at(name: bytes) -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    read = [heads.read(head(b"X-A: 1", name + b": %d" % length, b"x-b: 2")) for length in (5, 60_000, 5, 7)]
    assert gate.asked == 1
    assert {id(entry.like) for entry in read} == {id(read[0].like)} != {id(None)}
    assert [entry.named[b"content-length"] for entry in read] == [b"5", b"60000", b"5", b"7"]
    assert [entry.headers[2] for entry in read] == [(name, b"5"), (name, b"60000"), (name, b"5"), (name, b"7")]
    assert [entry.head.headers for entry in read] == [entry.headers for entry in read]


def test_the_secret_in_a_header_is_taken_out_of_each() -> None:
    heads = Heads(GATE)
    lines = b"openai-organization: " + SECRET.encode(), b"Content-Length: 5"
    for length in (b"5", b"66"):
        entry = heads.read(head(*lines, target=b"/v1/responses").replace(b": 5", b": " + length))
        assert (entry.status, entry.target) == (200, "/v1/responses")
        assert entry.named[b"openai-organization"] == b"org-mine"
        assert entry.named[b"content-length"] == length == dict(entry.headers)[b"Content-Length"]
        assert SECRET.encode() not in b"".join(value for _, value in entry.headers)


def test_what_differs_in_more_is_not_alike() -> None:
    heads, one, two, length = Heads(GATE), b"X-A: 1", b"X-A: 2", b"Content-Length: 5"
    lines = [(one, length), (two, length), (length, one), (length, two), (one, length, one), (one, length, two),
             (two, length, one), (one, length.lower()), (one, b"Content-Length:5")]  # fmt: skip
    came = [head(*each) for each in lines] + [head(one, length, target=b"/%b/v1/messages?a" % SECRET.encode())]
    for _ in range(2):
        likes = [heads.read(data).like for data in came]
        assert None not in likes and len(set(likes)) == len(came)


@pytest.mark.parametrize(
    "unlike",
    [
        head(),
        head(b"Transfer-Encoding: chunked"),
        head(b"Content-Length: 5", b"Content-Length: 5"),
        head(b"Content-Length: 5", b"content-length: 5"),
        head(b"Content-Length: 5\r\n 6"),
        head(b"Content-Length: 5", b"X: " + b"x" * 9000),
        head(b"Content-Length: 5", target=b"/wrong/v1/messages"),
        head(b"Content-Length: 5", b"Host: elsewhere"),
    ],
)
def test_where_it_cannot_be_told_each_is_looked_at(unlike: bytes) -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    assert [heads.read(unlike).like for _ in range(3)] == [None] * 3
    assert gate.asked == 3


def test_whoever_has_not_been_let_in_is_asked_for_the_secret_each_time() -> None:
    heads = Heads(GATE)
    assert heads.read(head(b"Content-Length: 5")).status == 200
    for target in (b"/wrong/v1/messages", b"/v1/messages", b"/%b/v1/messages" % SECRET[:-1].encode()):
        assert heads.read(head(b"Content-Length: 6", target=target)).status == 401


def test_few_are_kept() -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    for number in range(1000):
        heads.read(head(b"X-Request-Id: %d" % number, b"Content-Length: 5"))
    latest = head(b"X-Request-Id: 999", b"Content-Length: 6")
    heads.read(latest)
    assert gate.asked == 1000, "the latest is there"
    for number in range(900):
        heads.read(head(b"X-Request-Id: %d" % number, b"Content-Length: 5"))
    assert gate.asked == 1900
