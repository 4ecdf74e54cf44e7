"""Members of a document are set and taken out one by one, and every byte that belongs to another stays.

Whatever the object, setting and removing through edits is setting and removing in the dict; a member that is taken out
is gone wherever its key stood, and what is left is text that stood there before, in the same order.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.document import Document

few = settings(max_examples=250, deadline=None)

NAMES = ["a", "b", "c", "model", "", 'q"\\', "é", "\ud800"]
KEYS = st.sampled_from(NAMES)
SPACES = st.sampled_from(["", "", " ", "\n\t", "\r\n  "])
# Text that no serialiser of ours would write, each a value that can be told from the others.
ODD = st.sampled_from(
    ["1e0", "-0", "1E+2", "0.1000", "123456789012345678901234567890", "null", "true", r'"\ud800"', r'"\u0041\/"',
     '"\u2028"', '"{,}: \\" ]"', "[ ]", "{ }", '[1 , {"a":2,"a" : 3}]', '{"model": "inner", "x":[{}]}', "NaN"]
)  # fmt: skip
VALUES = st.one_of(
    st.integers(), st.text(max_size=4), st.booleans(), st.lists(st.integers(), max_size=2),
    st.dictionaries(KEYS, st.integers(), max_size=2),
)  # fmt: skip
# What becomes of members: a value sets one, None takes it out.
CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), VALUES), max_size=5)

Member = tuple[str, str, str]


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    """(key, the key's text, the text from there to the end of the value) of some members, keys more than once."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        key = draw(KEYS)
        said = json.dumps(key, ensure_ascii=draw(st.booleans()) or key == "\ud800")
        found.append((key, said, said + draw(SPACES) + ":" + draw(SPACES) + draw(ODD)))
    return found


@st.composite
def objects(draw: st.DrawFn) -> tuple[str, list[Member]]:
    """An object's text in any spacing, and its members."""
    held = draw(members())
    inner = ",".join(draw(SPACES) + text + draw(SPACES) for _, _, text in held) if held else draw(SPACES)
    return draw(SPACES) + "{" + inner + "}" + draw(SPACES), held


def loads(text: bytes | str) -> Any:
    # Constants by their names, so that NaN is itself.
    return json.loads(text, parse_constant=str)


def changed(text: str, changes: dict[str, Any]) -> bytes:
    document = Document.read(text.encode())
    return document.splice(document.edits_of(changes))


@few
@given(objects(), CHANGES)
def test_setting_and_removing_is_what_it_is_in_a_dict(
    written: tuple[str, list[Member]], changes: dict[str, Any]
) -> None:
    expected = loads(written[0])
    for key, value in changes.items():
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
    after = loads(changed(written[0], changes))
    assert after == expected
    assert list(after) == list(expected)


@few
@given(objects(), CHANGES)
def test_the_text_of_untouched_members_stays_byte_for_byte(
    written: tuple[str, list[Member]], changes: dict[str, Any]
) -> None:
    after, at = changed(written[0], changes).decode(), 0
    for key, _, text in written[1]:
        if key not in changes:
            found = after.find(text, at)
            assert found >= 0, f"the text of {key!r} is gone, or out of its order"
            at = found + len(text)


@few
@given(objects(), st.sets(KEYS, min_size=1, max_size=4))
def test_of_what_is_taken_out_no_duplicate_is_left_and_nothing_is_added(
    written: tuple[str, list[Member]], gone: set[str]
) -> None:
    after = changed(written[0], dict.fromkeys(gone))
    kept = json.loads(after, object_pairs_hook=list)
    assert [key for key, _ in kept] == [key for key, _, _ in written[1] if key not in gone]
    left = iter(written[0])
    assert all(character in left for character in after.decode())


@few
@given(objects(), KEYS, VALUES)
def test_setting_a_member_that_is_there_changes_its_text_and_no_other(
    written: tuple[str, list[Member]], key: str, value: Any
) -> None:
    document = Document.read(written[0].encode())
    node = document.find(key)
    after = document.splice(document.edits_of({key: value})).decode()
    if node is not None:
        assert after == written[0][: node.start] + json.dumps(value) + written[0][node.end :]
    else:
        tail = written[0].rstrip()[:-1].rstrip()
        assert after.startswith(tail)
        assert after.endswith(written[0][len(tail) :])


@few
@given(objects())
def test_no_change_is_no_edit(written: tuple[str, list[Member]]) -> None:
    body = written[0].encode()
    document = Document.read(body)
    absent = "not a member"
    assert document.edits_of({}) == []
    assert document.splice(document.edits_of({absent: None})) is body


@few
@given(objects(), CHANGES)
def test_a_change_that_was_made_is_made_again_without_a_difference(
    written: tuple[str, list[Member]], changes: dict[str, Any]
) -> None:
    once = changed(written[0], changes)
    assert changed(once.decode(), changes) == once


@pytest.mark.parametrize(
    ("text", "changes", "after"),
    [
        ("{}", {"a": 1}, '{"a": 1}'),
        ("{ }", {"a": 1}, '{"a": 1 }'),
        ('{"a":1}', {"a": None}, "{}"),
        ('{ "a" : 1 }', {"a": None}, "{  }"),
        ('{"a":1, "b" : 2}', {"a": None}, '{"b" : 2}'),
        ('{"a":1, "b" : 2}', {"b": None}, '{"a":1}'),
        ('{"a":1,"b":2,"a":3}', {"a": None}, '{"b":2}'),
        ('{"a":1,"b":2,"a":3}', {"a": 4}, '{"a":1,"b":2,"a":4}'),
        ('{"a":1,"b":2,"c":3}', {"a": None, "b": None, "c": None}, "{}"),
        ('{"a":1,"b":2,"c":3}', {"a": None, "c": None, "d": 4}, '{"b":2, "d": 4}'),
        ('{"a":1}', {"a": None, "d": 4}, '{"d": 4}'),
        ('{"a":1,\n "b":[1,2]\n}\n', {"b": "x"}, '{"a":1,\n "b":"x"\n}\n'),
        (r'{"\u0061":1,"b":1e0}', {"a": None}, '{"b":1e0}'),
    ],
)
def test_what_it_looks_like(text: str, changes: dict[str, Any], after: str) -> None:
    assert changed(text, changes).decode() == after


def test_bytes_that_are_not_utf8_survive_beside_a_change() -> None:
    document = Document.read(b'{"x": "\xff", "y": 1, "z": "\xfe"}')
    assert document.splice(document.edits_of({"y": None, "n": 2})) == b'{"x": "\xff", "z": "\xfe", "n": 2}'
