"""A head that is like one that came before is read as if it were the first."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.framing.http1 import MalformedHTTP
from lynkr.proxy.gate import Carrier, Gate
from lynkr.proxy.heads import Entry, Heads

many = settings(max_examples=500, deadline=None)

SECRET = "s3cr3t-of-the-session"
GATE = Gate(SECRET, 4321, (Carrier("OpenAI-Organization", "org-mine"),))


class Counting:
    """A gate that counts how often it is asked."""

    secret, carriers = GATE.secret, GATE.carriers

    def __init__(self) -> None:
        self.asked = 0

    def admit(self, target: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        self.asked += 1
        return GATE.admit(target, headers)


def head(*lines: bytes, target: bytes = b"/%b/v1/messages" % SECRET.encode(), end: bytes = b"\r\n") -> bytes:
    return end.join([b"POST %b HTTP/1.1" % target, b"Host: 127.0.0.1:4321", *lines, b"", b""])


def read(heads: Heads, data: bytes) -> Entry:
    """What is read, and kept for those that come later."""
    entry = heads.read(data)
    heads.learn(data, entry)
    return entry


def outcome(heads: Heads, data: bytes) -> Entry | tuple[str, int]:
    """What is read, without what says whether another was like it; or why nothing is."""
    try:
        return read(heads, data)._replace(like=None)
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
     b"Connection: close", b"X-A: ", b"X-B: 1", b"traceparent: 1", b"X-A: %b" % SECRET.encode(), b"OpenAI-Organization: " + SECRET.encode(), b"X-Where: /" + SECRET.encode(), b"Empty:",
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
def test_of_heads_that_differ_in_ids_and_lengths_one_is_looked_at(name: bytes) -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    said = [(b"5", b"a"), (b"60000", b"b"), (b"5", b"a"), (b"7", b'{"a": ": b,c"}'), (b"7", b"")]
    first, *came = [
        read(heads, head(b"a: 1", name + b": " + length, b"X-Turn-Id: " + turn, b"b: 2")) for length, turn in said
    ]
    assert gate.asked == 1
    assert first.like is None
    assert len({entry.like for entry in came}) == 1
    assert came[0].like is not None
    assert came[0].like.free == {b"content-length", b"x-turn-id"}
    for entry, (length, turn) in zip([first, *came], said, strict=True):
        assert (entry.named[b"content-length"], entry.named[b"x-turn-id"]) == (length, turn)
        assert entry.headers[1:] == [(b"a", b"1"), (name, length), (b"X-Turn-Id", turn), (b"b", b"2")]
        assert (entry.head.headers, entry.head.named) == (entry.headers, entry.named)


def test_the_secret_in_a_header_is_taken_out_of_each() -> None:
    heads, gate = Heads(GATE), Gate(SECRET, 4321, (Carrier("X-Mine", None),))
    lines = b"openai-organization: " + SECRET.encode(), b"X-A: 1", b"Content-Length: 5"
    for length in (b"5", b"66"):
        entry = read(heads, head(*lines, target=b"/v1/responses").replace(b": 5", b": " + length))
        assert (entry.status, entry.target) == (200, "/v1/responses")
        assert entry.named[b"openai-organization"] == b"org-mine"
        assert entry.named[b"content-length"] == length == dict(entry.headers)[b"Content-Length"]
        assert SECRET.encode() not in b"".join(value for _, value in entry.headers)
    # Where it was not before, and in one that may differ.
    assert b"x-a" not in read(heads, head(lines[0], b"X-A: it is " + SECRET.encode(), lines[2])).named
    heads = Heads(gate)
    assert read(heads, head(b"x-mine: " + SECRET.encode(), target=b"/v1/responses")).status == 200
    assert read(heads, head(b"x-mine: " + SECRET[:-1].encode(), target=b"/v1/responses")).status == 401


def test_what_differs_in_more_is_not_alike() -> None:
    one, two, length = b"a: 1", b"a: 2", b"Content-Length: 5"
    lines = [(one, length), (two, length), (length, one), (length, two), (one, length.lower()),
             (b"X-A: 1", length), (b"x-a: 1", length), (b"X-B: 1", length), (one, b"X-A: 1", length)]  # fmt: skip
    came = [head(*each) for each in lines] + [head(one, length, target=b"/%b/v1/messages?a" % SECRET.encode())]
    came.append(came[0].replace(b"POST", b"PUT"))
    for this, that in itertools.permutations(came, 2):
        heads = Heads(GATE)
        likes = [read(heads, data).like for data in (this, this, that, that)]
        assert [like is None for like in likes] == [True, False, True, False]
        assert likes[1] is not likes[3]


@pytest.mark.parametrize(
    "other",
    [
        b"X-A:1\nX-B: 2",
        b"X-A: \r2",
        b"X-A: 2\0",
        b"X-A 2",
        b"X-A : 2",
        b" X-A: 2",
        b"X-AB: 2",
        b"",
        b"X-B: 2",
        b"X-A: 2\n b",
    ],
)
def test_what_is_more_than_another_value_is_read_anew(other: bytes) -> None:
    heads = Heads(GATE)
    assert [read(heads, head(b"X-A: 1", b"Content-Length: 5")).like is None for _ in range(2)] == [True, False]
    data = head(other, b"Content-Length: 6")
    assert outcome(heads, data) == outcome(Heads(GATE), data)


@pytest.mark.parametrize(
    "unlike",
    [
        head(b"Content-Length: 5", b"Content-Length: 5"),
        head(b"Content-Length: 5", b"content-length: 5"),
        head(b"X-A: 5", b"X-A: 5"),
        head(b"Content-Length: 5\r\n 6"),
        head(b"X: 5\nX-A: 6", b"X-B: 7\r\n 8"),
        head(b"Content-Length: 5", end=b"\n"),
        head(b"Content-Length: 5", b"X: " + b"x" * 17_000),
        head(*[b"a%d: 5" % n for n in range(80)]),
        head(b"Content-Length: 5", target=b"/wrong/v1/messages"),
        head(b"Content-Length: 5", b"Host: elsewhere"),
    ],
    ids=["two lengths", "spelled in two ways", "one twice", "folded", "one in two lines and two in one", "LF alone", "long", "many lines",
         "a wrong secret", "two hosts"],
)  # fmt: skip
def test_where_it_cannot_be_told_each_is_looked_at(unlike: bytes) -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    assert [read(heads, unlike).like for _ in range(3)] == [None] * 3
    assert gate.asked == 3


def test_kinds_with_as_many_lines_are_kept_beside_each_other() -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    kinds = [(b"a: 1", b"X-A: 1", b"b: 1"), (b"X-A: 1", b"a: 1", b"b: 1"), (b"a: 1", b"b: 1", b"X-A: 1")]
    for _ in range(5):
        for lines in kinds:
            read(heads, head(*lines))
    assert gate.asked == 3


def test_what_somebody_does_to_a_head_changes_no_other() -> None:
    heads = Heads(GATE)
    for _ in range(3):
        entry = read(heads, head(b"X-A: 1", b"Content-Length: 5"))
        assert len(entry.headers) == 3
        entry.headers.append((b"X-B", b"2"))
        entry.headers[0] = (b"Host", b"elsewhere")


def test_whoever_has_not_been_let_in_is_asked_for_the_secret_each_time() -> None:
    heads = Heads(GATE)
    assert read(heads, head(b"Content-Length: 5")).status == 200
    for target in (b"/wrong/v1/messages", b"/v1/messages", b"/%b/v1/messages" % SECRET[:-1].encode()):
        assert read(heads, head(b"Content-Length: 6", target=target)).status == 401


@pytest.mark.parametrize("lines", [1, 30], ids=["as many lines", "more and more lines"])
def test_few_are_kept(lines: int) -> None:
    gate = Counting()
    heads = Heads(gate)  # type: ignore[arg-type]
    for number in range(300):
        read(heads, head(*[b"a%d: %d" % (n, number) for n in range(1 + number % lines)], b"Content-Length: 5"))
    asked = gate.asked
    assert asked == 300
    read(heads, head(*[b"a%d: 299" % n for n in range(1 + 299 % lines)], b"Content-Length: 6"))
    assert gate.asked == asked, "the latest is there"
    read(heads, head(*[b"a%d: 0" % n for n in range(1)], b"Content-Length: 6"))
    assert gate.asked == asked + 1
