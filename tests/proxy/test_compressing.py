"""Requests whose tool results are compressed on their way: what arrives at the lane, and what the ledger says of it.

The same conversation goes through every client format, to a lane of that format and to one of another.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from conversations import FORMATS, Act, Request, Style, Turn, bash, numbered, request
from loops import loop
from proxied import Proxy, ask, proxy
from scripts import Upstream, upstream

from lynkr.changes import Change as Noted
from lynkr.lane import Auth, Format, Lane
from lynkr.secrets import Key
from lynkr.transforms import shaper
from lynkr.transforms.settings import Settings
from lynkr.transforms.shaper import Change, alone

each_format = pytest.mark.parametrize("format", FORMATS)
TARGETS = {
    Format.ANTHROPIC: "/v1/messages",
    Format.OPENAI_CHAT: "/v1/chat/completions",
    Format.OPENAI_RESPONSES: "/v1/responses",
    Format.GEMINI: "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
}
PROVIDERS = {Format.ANTHROPIC: "anthropic", Format.OPENAI_CHAT: "openai", Format.OPENAI_RESPONSES: "openai",
             Format.GEMINI: "gemini"}  # fmt: skip
ON = Settings(tool_results=True)
TESTS = "\n".join(
    ["=" * 30 + " test session starts " + "=" * 30, *(f"tests/test_a.py::test_{n} PASSED  [{n}%]" for n in range(60)),
     "tests/test_a.py::test_last FAILED", "E       assert 1 == 2", "tests/test_a.py:7: AssertionError",
     "=" * 20 + " 1 failed, 60 passed in 0.12s " + "=" * 20]
)  # fmt: skip
FILE = [f"    value_{n} = compute({n}, 'größer')" for n in range(40)]
CHANGED = [*FILE[:20], "    value_20 = 0", *FILE[21:]]


def acts(*told: tuple[tuple[str, dict[str, Any]], str]) -> tuple[Act, ...]:
    return tuple(Act(f"call_{len(text)}_{n}", *call, text, "") for n, (call, text) in enumerate(told))


def turns() -> list[Turn]:
    read = ("Read", {"file_path": "/repo/src/a.py"})
    return [
        Turn("mend it", "hm", "I will look.", acts((bash("pytest -v"), TESTS), (read, numbered(FILE, 1, "\t")))),
        Turn("", "", "", acts((bash("git status"), "On branch main\nnothing to commit, working tree clean"))),
        Turn("and now?", "", "", acts((read, numbered(CHANGED, 1, "\t")))),
    ]


def lane(format: Format, url: str, auth: Auth = Auth.KEY) -> Lane:  # noqa: A002
    at = url + ("/v1" if PROVIDERS[format] == "openai" else "")
    return Lane("main", PROVIDERS[format], (format,), auth, at, model=None if auth is Auth.CLIENT else "m")


class Sent:
    """A session with one lane: what was sent to it, and what was kept."""

    def __init__(self, spoken: Format, settings: Settings, *clients: Request, auth: Auth = Auth.KEY) -> None:
        self.kept = list[Change]()
        with upstream(loop("-", {})[spoken]) as up:
            keys = {"main": Key("sk-lanes-own")} if auth is Auth.KEY else {}
            origins = {PROVIDERS[spoken]: up.url}
            with proxy(
                lane(spoken, up.url, auth), keys=keys, origins=origins, compress=settings,
                keep=lambda change, _: self.kept.append(change),
            ) as lynkr:  # fmt: skip
                for n, client in enumerate(clients):
                    answer = ask(lynkr.port, TARGETS[client.format], client.body)
                    assert answer.status == 200, answer.body
                    lynkr.row(n)
        self.up: Upstream = up
        self.lynkr: Proxy = lynkr

    @property
    def body(self) -> bytes:
        return self.up.asked[-1].body


def instead(call: tuple[str, dict[str, Any]], text: str) -> str:
    change = alone(text, call[1].get("command", ""), call[0])
    return change.after if change else text


@each_format
@pytest.mark.parametrize("style", [Style(True, True), Style(False, False)])
def test_results_arrive_compressed_and_every_other_byte_as_it_was(format: Format, style: Style) -> None:  # noqa: A002
    asked = request(turns(), format, style)
    sent = Sent(format, ON, asked, auth=Auth.CLIENT)
    before = asked.results
    after = asked.sent(sent.body)
    assert after[0] == instead(bash("pytest -v"), TESTS)
    assert "60 passed tests" in after[0]
    assert "1 failed, 60 passed" in after[0]
    assert after[1:3] == list(before[1:3])
    assert len(after[3]) < 0.4 * len(before[3])
    assert "value_20 = 0" in after[3]
    assert {change.before for change in sent.kept} == {before[0], before[3]}
    row = sent.lynkr.row()
    assert {saving.kind for saving in row.savings} == {"chatter", "rulers", "seen before"}
    assert row.removed_tokens == sum(saving.tokens for saving in row.savings) > 0


@each_format
@pytest.mark.parametrize("spoken", FORMATS)
def test_a_lane_of_another_format_gets_the_compressed_results_too(format: Format, spoken: Format) -> None:  # noqa: A002
    if format is spoken:
        return
    sent = Sent(spoken, Settings(), request(turns(), format))
    texts = list(_texts(json.loads(sent.body)))
    assert sum(instead(bash("pytest -v"), TESTS) in text for text in texts) == 1
    assert not any("test_59 PASSED" in text for text in texts)
    assert sum("value_20 = 0" in text for text in texts) == 1
    assert sum("value_30 = compute" in text for text in texts) == 1


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list) else []


@each_format
def test_the_tools_own_credential_sends_what_the_tool_wrote(format: Format) -> None:  # noqa: A002
    asked = request(turns(), format)
    sent = Sent(format, Settings(), asked, auth=Auth.CLIENT)
    assert sent.body == asked.body
    assert (sent.kept, sent.lynkr.row().removed_tokens) == ([], 0)


@each_format
def test_a_lane_with_a_key_of_its_own_is_compressed_unasked(format: Format) -> None:  # noqa: A002
    sent = Sent(format, Settings(), request(turns(), format))
    assert "60 passed tests" in sent.body.decode()
    assert "test_59 PASSED" not in sent.body.decode()


@each_format
def test_a_profile_that_says_no_compresses_nowhere(format: Format) -> None:  # noqa: A002
    asked = request(turns(), format)
    sent = Sent(format, Settings(tool_results=False), asked)
    assert "test_59 PASSED" in sent.body.decode()
    assert (sent.kept, sent.lynkr.row().removed_tokens) == ([], 0)


@each_format
def test_the_next_turn_repeats_the_last_ones_bytes_also_in_another_session(format: Format) -> None:  # noqa: A002
    whole = turns()
    asked = [request(whole[:n], format) for n in (1, 2, 3)]
    sent = Sent(format, ON, *asked, auth=Auth.CLIENT)
    for n in (0, 1):
        before = asked[n].said(sent.up.asked[n].body)
        assert sent.up.asked[n + 1].body.decode().startswith(before)
    assert Sent(format, ON, asked[2], auth=Auth.CLIENT).body == sent.body
    kept = [change.before for change in sent.kept]
    assert len(kept) == len(set(kept)) == 2, "a change is kept when it is new, not with every turn"


@each_format
def test_a_compressor_that_fails_leaves_the_result_alone_and_is_counted(
    format: Format,  # noqa: A002
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works: Callable[..., Any] = shaper.squeeze

    def fails(text: str, what: Any, **more: Any) -> Any:
        if "test session starts" in text:
            raise ZeroDivisionError
        return works(text, what, **more)

    monkeypatch.setattr(shaper, "squeeze", fails)
    asked = [request(turns()[:n], format) for n in (1, 3)]
    sent = Sent(format, ON, *asked, auth=Auth.CLIENT)
    after = asked[1].sent(sent.body)
    assert after[0] == TESTS
    assert "value_30" not in after[3]
    assert [sent.lynkr.row(n).faults for n in (0, 1)] == [1, 1]


def test_a_body_that_nobody_understands_goes_on_as_it_came() -> None:
    odd = b'{"messages": [{"role": "user", "content": [{"type": "tool_result", "content": 7}]}, 5, null], "x": 1e999}'
    with upstream(loop("-", {})[Format.ANTHROPIC]) as up:
        with proxy(lane(Format.ANTHROPIC, up.url, Auth.CLIENT), compress=ON) as lynkr:
            ask(lynkr.port, "/v1/messages", odd)
            ask(lynkr.port, "/v1/messages", odd[:-20])
    assert [asked.body for asked in up.asked] == [odd, odd[:-20]]


OFFERS: dict[Format, list[dict[str, Any]]] = {
    Format.ANTHROPIC: [
        {"name": name, "description": f"Does  it.\n\n\n{name}", "input_schema": {"type": "object"}}
        for name in ("Read", "mcp__files__read_file", "mcp__shop__buy", "mcp__shop__sell")
    ]
}


def test_tools_are_left_out_by_the_profiles_list_and_terse_words_are_added() -> None:
    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "system": "Be good.", "tools": OFFERS[Format.ANTHROPIC],
                             "messages": [{"role": "user", "content": "hi"}]}  # fmt: skip
    settings = Settings(tool_results=False, without_tools=("mcp__shop__*",), drop_duplicate_tools=True, terse="full")
    bodies = list[bytes]()
    for _ in range(2):
        with upstream(loop("-", {})[Format.ANTHROPIC]) as up:
            with proxy(lane(Format.ANTHROPIC, up.url), keys={"main": Key("k")}, compress=settings) as lynkr:
                for n in range(2):
                    ask(lynkr.port, "/v1/messages", json.dumps(asked).encode())
                    row = lynkr.row(n)
        bodies += [seen.body for seen in up.asked]
    assert len(set(bodies)) == 1
    sent = json.loads(bodies[0])
    assert [tool["name"] for tool in sent["tools"]] == ["Read"]
    assert json.dumps(sent["system"]).count("Be good.") == 1
    assert len(json.dumps(sent["system"])) > len('"Be good."') + 40
    assert sent["messages"] == asked["messages"]
    assert Noted("tool mcp__shop__buy", "dropped", "the profile leaves it out") in row.changes
    assert Noted("tool mcp__files__read_file", "dropped", "a built-in tool does the same") in row.changes
