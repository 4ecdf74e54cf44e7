"""A document is what `json.loads` says it is, and leaves byte for byte as it came but for the edits.

No edit: the same bytes object. One edit: exactly that span differs. What `json.loads` rejects is rejected.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.document import Document, Edit, MalformedDocument, Node

few = settings(max_examples=120, deadline=None)

SPACES = st.text(" \t\r\n", max_size=2)
KEYS = st.one_of(st.sampled_from(["model", "a", "b", ""]), st.text(max_size=4))
# Text that stands in JSON as it is, in ways that no serialiser of ours would write.
LITERALS = st.sampled_from(
    [
        "1e0",
        "-0",
        "-0.0",
        "1E+2",
        "123456789012345678901234567890",
        "0.1000",
        "NaN",
        "-Infinity",
        "1e999",
        "true",
        "null",
    ]
)
STRINGS = st.one_of(
    st.builds(json.dumps, st.text(max_size=6), ensure_ascii=st.booleans()),
    st.sampled_from(
        [r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"', r'"\u0041\/"', '"\u2028\u0085\u00a0"', '"\ufeff"']
    ),
)


def containers(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(written_array(children), written_object(children))


@st.composite
def written_array(draw: st.DrawFn, children: st.SearchStrategy[str]) -> str:
    return "[" + ",".join(draw(SPACES) + draw(children) + draw(SPACES) for _ in range(draw(st.integers(0, 3)))) + "]"


@st.composite
def written_object(draw: st.DrawFn, children: st.SearchStrategy[str]) -> str:
    """Members in any spacing, the same key more than once."""
    members = []
    for _ in range(draw(st.integers(0, 4))):
        key = json.dumps(draw(KEYS), ensure_ascii=draw(st.booleans()))
        members.append(draw(SPACES) + key + draw(SPACES) + ":" + draw(SPACES) + draw(children) + draw(SPACES))
    return "{" + ",".join(members) + "}"


VALUES = st.recursive(st.one_of(LITERALS, STRINGS), containers, max_leaves=10)
TEXTS = st.builds(lambda before, value, after: before + value + after, SPACES, VALUES, SPACES)
OBJECTS = st.builds(lambda before, value, after: before + value + after, SPACES, written_object(VALUES), SPACES)


def same(one: Any, other: Any) -> bool:
    """Equality that tells -0 from 0, 1 from 1.0 and True, and holds NaN equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def spans(document: Document) -> list[tuple[tuple[str | int, ...], Node]]:
    """Every node that `find` gives below the top, with its path."""
    found: list[tuple[tuple[str | int, ...], Node]] = []

    def look(path: tuple[str | int, ...], value: Any) -> None:
        node = document.find(*path)
        assert node is not None
        found.append((path, node))
        steps = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for step in steps:
            look((*path, step), value[step])

    for key, value in document.value.items():
        look((key,), value)
    return found


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def accepted(text: str) -> bool:
    """What `json.loads` makes of it."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def reads(body: bytes) -> bool:
    try:
        Document.read(body)
    except MalformedDocument:
        return False
    return True


@few
@given(TEXTS)
def test_the_value_is_what_json_loads_gives(text: str) -> None:
    document = Document.read(text.encode())
    assert document.text == text
    assert same(document.value, json.loads(text))


@few
@given(TEXTS)
def test_without_edits_the_very_same_bytes_object_leaves(text: str) -> None:
    body = text.encode()
    assert Document.read(body).splice([]) is body


@few
@given(OBJECTS)
def test_every_node_that_is_found_has_the_value_and_the_span_of_its_text(text: str) -> None:
    document = Document.read(text.encode())
    for path, node in spans(document):
        assert same(node.value, at(document.value, path))
        assert same(json.loads(text[node.start : node.end]), node.value)
        assert text[node.start : node.end].strip(" \t\r\n") == text[node.start : node.end]


@few
@given(OBJECTS.filter(lambda text: json.loads(text)), st.text(max_size=5), st.data())
def test_one_edit_changes_one_span_and_one_value(text: str, new: str, data: st.DataObject) -> None:
    document = Document.read(text.encode())
    path, node = data.draw(st.sampled_from(spans(document)))
    after = document.splice([Edit(node.start, node.end, json.dumps(new))]).decode()
    assert after == text[: node.start] + json.dumps(new) + text[node.end :]
    changed = json.loads(after)
    assert at(changed, path) == new
    at(changed, path[:-1])[path[-1]] = node.value
    assert same(changed, json.loads(text))


@few
@given(OBJECTS, st.data())
def test_edits_may_be_named_in_any_order(text: str, data: st.DataObject) -> None:
    document = Document.read(text.encode())
    edits = [Edit(node.start, node.end, f'"{number}"') for number, node in enumerate(document.members.values())]
    shuffled = data.draw(st.permutations(edits))
    after = document.splice(shuffled)
    assert after == document.splice(edits)
    assert list(json.loads(after).values()) == [str(number) for number in range(len(edits))]


def test_edits_that_overlap_are_an_error() -> None:
    document = Document.read(b'{"a": [1, 2]}')
    whole, inner = document.find("a"), document.find("a", 1)
    assert whole is not None
    assert inner is not None
    edits = [Edit(whole.start, whole.end, "3"), Edit(inner.start, inner.end, "4")]
    for order in (edits, edits[::-1], [edits[0], edits[0]]):
        with pytest.raises(ValueError, match="overlap"):
            document.splice(order)


def test_edits_that_touch_are_not_an_error() -> None:
    document = Document.read(b"[12]")
    assert document.splice([Edit(2, 3, "5"), Edit(1, 2, "4")]) == b"[45]"


def test_insertions_at_one_place_come_out_in_the_order_in_which_they_are_listed() -> None:
    document = Document.read(b"[1,2]")
    first, second, third = (Edit(2, 2, text) for text in (",9", ",3", ",5"))
    elsewhere, whole = Edit(4, 4, "0"), Edit(2, 4, ",7")
    assert document.spliced([first, second, third, elsewhere]) == (b"[1,9,3,5,20]", "[1,9,3,5,20]")
    assert document.splice([elsewhere, third, first, second]) == b"[1,5,9,3,20]"
    assert document.splice([whole, second, first]) == b"[1,3,9,7]", "before what is replaced there"


@few
@given(TEXTS, st.data())
def test_a_damaged_document_is_rejected_exactly_when_json_loads_rejects_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    put = data.draw(st.text(' \t\n\r\x00\x0b\u00a0\u2028\ufeff{}[],:"\\/0123456789.eE+-truefalsnN', max_size=2))
    damaged = text[:start] + put + text[end:]
    assert reads(damaged.encode()) == accepted(damaged)


@few
@given(st.text('{}[],:" \n\t0-1.eEtrufalsn\\u\u00a0\x00', max_size=12))
def test_any_text_is_rejected_exactly_when_json_loads_rejects_it(text: str) -> None:
    assert reads(text.encode()) == accepted(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "{]", '{"a"}', '{"a":}', '{"a":1,}', '{"a" 1}', "{a:1}", '{"a":1}}', '{"a":1} x', "[1,]", "01", "+1",
     ".5", "'a'", '"\n"', r'"\x"', '{"a\n":1}', "nul", "\u00a0{}", "{\u00a0}", "\ufeff{}", "\x0b1", "{}\x00", "9" * 5000],
)  # fmt: skip
def test_what_is_not_json_is_malformed(text: str) -> None:
    assert not accepted(text)
    with pytest.raises(MalformedDocument):
        Document.read(text.encode())


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":[', '[{"a":'])
def test_what_is_nested_too_deeply_is_malformed_and_nothing_worse(opening: str) -> None:
    with pytest.raises(MalformedDocument):
        Document.read(opening.encode() * 100_000)


def test_where_a_key_occurs_twice_the_last_one_counts() -> None:
    document = Document.read(b'{"model": "one", "a": {"b": 1, "b": 2}, "model": "two"}')
    model, inner = document.find("model"), document.find("a", "b")
    assert model is not None
    assert inner is not None
    assert (model.value, inner.value) == ("two", 2)
    assert document.text[model.start : model.end] == '"two"'
    assert (
        document.splice([Edit(*model[1:], '"three"')]) == b'{"model": "one", "a": {"b": 1, "b": 2}, "model": "three"}'
    )


def test_an_escaped_key_is_found_by_what_it_means() -> None:
    document = Document.read(rb'{"mod\u0065l": "x"}')
    assert document.find("model") == Node("x", 15, 18)


@few
@given(st.binary(max_size=8), st.binary(max_size=8))
def test_bytes_that_are_not_utf8_survive_outside_of_the_edit(before: bytes, after: bytes) -> None:
    def string(raw: bytes) -> bytes:
        return b'"' + bytes(byte for byte in raw if byte >= 0x20 and byte not in b'"\\') + b'"'

    body = b'{"x": %b, "model": "old", "y": %b}' % (string(before), string(after))
    document = Document.read(body)
    node = document.find("model")
    assert node is not None
    assert document.splice([]) is body
    assert document.splice([Edit(node.start, node.end, '"new"')]) == body.replace(b'l": "old"', b'l": "new"', 1)


def test_lone_surrogates_are_read_and_leave_as_they_came() -> None:
    body = rb'{"s": "\ud800 \udc00", "model": "old"}'
    document = Document.read(body)
    node = document.find("model")
    assert node is not None
    assert document.value["s"] == "\ud800 \udc00"
    assert document.splice([Edit(node.start, node.end, '"new"')]) == body.replace(b"old", b"new")


@pytest.mark.parametrize(
    "path",
    [(), ("nowhere",), ("list", 3), ("list", -1), ("list", "a"), ("object", 0), ("object", "nowhere"), ("text", 0),
     ("text", "a"), ("nowhere", "a", 0), (0,), ("list", 0, 0)],
)  # fmt: skip
def test_where_there_is_nothing_nothing_is_found(path: tuple[str | int, ...]) -> None:
    assert Document.read(b'{"list": [1, 2, 3], "object": {"a": 1}, "text": "abc"}').find(*path) is None


@pytest.mark.parametrize("body", [b"[1, 2]", b'"text"', b" 1 ", b"null"])
def test_a_document_that_is_no_object_has_a_value_and_no_members(body: bytes) -> None:
    document = Document.read(body)
    assert document.members == {}
    assert document.find("a") is None
    assert document.value == json.loads(body)


def test_a_nested_find_goes_through_objects_and_arrays() -> None:
    document = Document.read(b'{"messages" : [ {"content":[{"text":"a"},\n {"text" : "b" }]} ]}')
    node = document.find("messages", 0, "content", 1, "text")
    assert node is not None
    assert node.value == "b"
    assert document.text[node.start : node.end] == '"b"'


@few
@given(OBJECTS, OBJECTS, st.integers(0, 200))
def test_what_is_known_of_a_former_document_changes_nothing_of_a_reading(one: str, other: str, cut: int) -> None:
    # Texts that share a beginning, as a conversation and its next turn do.
    both = [one, one[:cut] + other[cut:]]
    for former, latter in (both, reversed(both)):
        try:
            known, fresh = Document.read(former.encode()), Document.read(latter.encode())
        except MalformedDocument:
            continue
        again = Document.read(latter.encode(), known)
        assert same(again.value, fresh.value)
        assert places(again) == places(fresh)
        assert {name: [(n.start, n.end) for n in again.elements(name)] for name in again.members} == {
            name: [(n.start, n.end) for n in fresh.elements(name)] for name in fresh.members
        }


@few
@given(OBJECTS, st.integers(0, 200), st.text('[]{},:"1 \\', min_size=1, max_size=3))
def test_what_is_malformed_is_so_on_the_heels_of_a_sound_document_too(sound: str, at: int, noise: str) -> None:
    known, spoilt = Document.read(sound.encode()), (sound[:at] + noise + sound[at:]).encode()
    try:
        fresh: Any = Document.read(spoilt).value
    except MalformedDocument:
        with pytest.raises(MalformedDocument):
            Document.read(spoilt, known)
    else:
        assert same(Document.read(spoilt, known).value, fresh)


def places(document: Document) -> dict[str, tuple[int, int]]:
    return {name: (node.start, node.end) for name, node in document.members.items()}
