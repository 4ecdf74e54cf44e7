"""The name of a question: the same for the same question, another for anything else that counts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkr.answers.question import exact_key
from lynkr.lane import Format

WHOSE = ("work", "main", "anthropic", "http://x", "m", "", "hash")
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=00000;"}
MARK = {"type": "ephemeral"}
Body = dict[str, Any]


def conversation() -> Body:
    """A request of Claude Code's in small."""
    return {
        "model": "claude-opus-5-5",
        "max_tokens": 1000,
        "temperature": 0.5,
        "system": [{"type": "text", "text": "You help."}],
        "tools": [{"name": "Bash", "description": "Runs.", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "List it."}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"cmd": "ls"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a.txt"}]},
        ],
    }


def key(body: Body, spoken: Format = Format.ANTHROPIC, whose: tuple[str, ...] = WHOSE, **named: str) -> str:
    return exact_key(body, spoken, whose, {name.replace("_", "-"): value for name, value in named.items()})


def changed(change: Callable[[Body], Any]) -> Body:
    body = conversation()
    change(body)
    return body


COUNTS: dict[str, Callable[[Body], Any]] = {
    "model": lambda b: b.update(model="claude-opus-5"),
    "limit": lambda b: b.update(max_tokens=1001),
    "temperature": lambda b: b.update(temperature=0.6),
    "no temperature": lambda b: b.pop("temperature"),
    "system prompt": lambda b: b["system"][0].update(text="You help. "),
    "one more system prompt": lambda b: b["system"].append({"type": "text", "text": ""}),
    "tool": lambda b: b["tools"][0].update(name="Shell"),
    "tool's description": lambda b: b["tools"][0].update(description="Runs it."),
    "tool's schema": lambda b: b["tools"][0].update(input_schema={"type": "object", "properties": {}}),
    "no tools": lambda b: b.pop("tools"),
    "first message": lambda b: b["messages"][0]["content"][0].update(text="List it!"),
    "case of a message": lambda b: b["messages"][0]["content"][0].update(text="list it."),
    "call": lambda b: b["messages"][1]["content"][0]["input"].update(cmd="ls -a"),
    "result": lambda b: b["messages"][2]["content"][0].update(content="a.txt\n"),
    "role": lambda b: b["messages"][0].update(role="assistant"),
    "order of messages": lambda b: b["messages"].reverse(),
    "one message less": lambda b: b["messages"].pop(),
    "format": lambda b: b.update(output_config={"format": {"type": "json_schema", "schema": {}}}),
    "thinking": lambda b: b.update(thinking={"type": "adaptive"}),
    "stop sequence": lambda b: b.update(stop_sequences=["x"]),
    "member that nobody knows": lambda b: b.update(unheard_of=1),
    "null": lambda b: b.update(unheard_of=None),
}
NOT: dict[str, Callable[[Body], Any]] = {
    "user's and session's id": lambda b: b.update(metadata={"user_id": "u_session_2"}),
    "streaming": lambda b: b.update(stream=True),
    "breakpoint of the system prompt": lambda b: b["system"][0].update(cache_control=MARK),
    "breakpoint of a tool": lambda b: b["tools"][0].update(cache_control=MARK),
    "breakpoint of a message": lambda b: b["messages"][2]["content"][0].update(cache_control=MARK),
    "billing line": lambda b: b["system"].insert(0, BILLING),
}


@pytest.mark.parametrize("what", COUNTS)
def test_it_counts(what: str) -> None:
    assert key(changed(COUNTS[what])) != key(conversation())


@pytest.mark.parametrize("what", NOT)
def test_it_only_names_the_occasion(what: str) -> None:
    assert key(changed(NOT[what])) == key(conversation())


@pytest.mark.parametrize("place", range(len(WHOSE)))
def test_whose_it_is_counts(place: int) -> None:
    other = tuple("other" if n == place else value for n, value in enumerate(WHOSE))
    assert key(conversation(), whose=other) != key(conversation())


def test_a_border_between_two_names_counts() -> None:
    assert key({}, whose=("ab", "c")) != key({}, whose=("a", "bc")) != key({}, whose=("abc",))


@pytest.mark.parametrize("header", ["anthropic_beta", "anthropic_version", "openai_beta"])
def test_what_headers_ask_for_counts(header: str) -> None:
    names = {key(conversation(), **said) for said in ({}, {header: "a"}, {header: "a,b"})}
    assert len(names) == 3


def test_the_format_counts() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    assert len({key(body, spoken) for spoken in (Format.ANTHROPIC, Format.OPENAI_CHAT, Format.GEMINI)}) == 3


@pytest.mark.parametrize(("spoken", "volatile"), [
    (Format.OPENAI_CHAT, {"user": "u", "metadata": {"turn": "1"}, "prompt_cache_key": "k", "stream": True}),
    (Format.OPENAI_RESPONSES, {"client_metadata": {"x": "y"}, "prompt_cache_key": "k", "stream": True}),
])  # fmt: skip
def test_ids_of_openais_clients_name_the_occasion(spoken: Format, volatile: Body) -> None:
    body = {"model": "m", "messages": [], "input": []}
    assert key({**body, **volatile}, spoken) == key(body, spoken)


def test_a_messages_own_id_names_the_occasion_but_a_calls_does_not() -> None:
    said = {"type": "message", "role": "user", "content": "x"}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    one, other = ({"model": "m", "input": [{**said, "id": name}]} for name in ("msg_1", "msg_2"))
    assert key(one, Format.OPENAI_RESPONSES) == key(other, Format.OPENAI_RESPONSES)
    one, other = ({"model": "m", "input": [said, {**call, "call_id": name}]} for name in ("c1", "c2"))
    assert key(one, Format.OPENAI_RESPONSES) != key(other, Format.OPENAI_RESPONSES)


def test_a_calls_argument_counts_whatever_its_name() -> None:
    one, other = ({"cache_control": value} for value in ("no-store", "max-age=60"))
    assert key(changed(lambda b: b["messages"][1]["content"][0].update(input=one))) != key(
        changed(lambda b: b["messages"][1]["content"][0].update(input=other))
    )


def test_what_a_user_says_counts_however_it_begins() -> None:
    said = "x-anthropic-billing-header: what does "
    one, other = ({"type": "text", "text": f"{said}{what} mean?"} for what in ("cc_version", "cch"))
    assert key(changed(lambda b: b["messages"][0].update(content=[one]))) != key(
        changed(lambda b: b["messages"][0].update(content=[other]))
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_two_bodies_have_one_name_only_where_they_are_the_same(one: Body, other: Body) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key({"x": one}) == key({"x": other})) == same
    assert key({"x": one}) == key({"x": copy.deepcopy(one)})
