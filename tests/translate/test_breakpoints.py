"""Cache breakpoints that lynkr sets, against an exact copy of Anthropic's rules for its cache.

An entry is written only at a breakpoint, under a hash of everything up to it (tools, system, messages, in this order; the
marks themselves do not count); a read walks back from each breakpoint at most 20 blocks, the breakpoint's own being the
first, and takes the longest entry that it meets. So breakpoints are worth something only where each request's stand near
the last one's, and only where a request, minus its marks, extends the last.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from answering import MODEL, answering, said_by, send
from answering import body as question

from lynkr.answers.settings import Caching
from lynkr.lane import Auth
from lynkr.proxy.outbound import _WORTH_CACHING

LOOKBACK, MOST = 20, 4
TURNS = 30
MARKED = {"type": "ephemeral"}
CLIENTS = ("anthropic", "openai-chat", "openai-responses")
NAMES = [f"tool_{n}" for n in range(8)]
SYSTEM = "You work on the code in this folder. " * 400
SCHEMA = {"type": "object", "properties": {"path": {"type": "string", "description": "Where it is. " * 20}}}
Body = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """What one request adds: calls and their results, or an answer in words; and what the user says behind."""

    calls: int
    says: str = ""


def steps(calls: int, says_every: int) -> list[Step]:
    return [Step(0 if n % 7 == 6 else calls, f"Go on, {n}." if n % 7 == 6 or n % says_every == 0 else "")
            for n in range(1, TURNS)]  # fmt: skip


KINDS = {
    "a call at a time": steps(1, 100),
    "three calls at once": steps(3, 100),
    "fifteen calls at once": steps(15, 100),
    "a user who talks between": steps(2, 3),
}


def result(n: int, call: int) -> str:
    return f"line {n} of {call}\n" * (10 + (7 * n + call) % 20)


def bodies(client: str, kind: str, first: str = "Fix it.") -> Iterator[Body]:
    """The requests of a conversation, as a client sends them one after the other, without breakpoints."""
    talk: list[Any] = []
    head = {
        "anthropic": {"model": MODEL, "max_tokens": 1000, "system": SYSTEM,
                      "tools": [{"name": n, "description": "Does it.", "input_schema": SCHEMA} for n in NAMES]},
        "openai-chat": {"model": "gpt-5.5", "tools": [
            {"type": "function", "function": {"name": n, "description": "Does it.", "parameters": SCHEMA}} for n in NAMES]},
        "openai-responses": {"model": "gpt-5.5", "instructions": SYSTEM, "tools": [
            {"type": "function", "name": n, "description": "Does it.", "parameters": SCHEMA} for n in NAMES]},
    }[client]  # fmt: skip
    if client == "openai-chat":
        talk.append({"role": "system", "content": SYSTEM})
    talk.append(_says(client, first))
    where = "input" if client == "openai-responses" else "messages"
    yield copy.deepcopy(head | {where: talk})
    for n, step in enumerate(KINDS[kind]):
        _adds(client, talk, n, step)
        yield copy.deepcopy(head | {where: talk})


def _says(client: str, words: str) -> Body:
    said = {"role": "user", "content": words}
    return {"type": "message", **said} if client == "openai-responses" else said


def _adds(client: str, talk: list[Any], n: int, step: Step) -> None:
    ids = [(f"call_{n}_{call}", NAMES[call % 8], {"path": f"src/{n}/{call}.py"}) for call in range(step.calls)]
    match client:
        case "anthropic":
            calls = [{"type": "tool_use", "id": id_, "name": name, "input": said} for id_, name, said in ids]
            talk.append({"role": "assistant", "content": calls or [{"type": "text", "text": f"Done {n}."}]})
            gave = [
                {"type": "tool_result", "tool_use_id": id_, "content": result(n, at)}
                for at, (id_, _, _) in enumerate(ids)
            ]
            said = [{"type": "text", "text": step.says}] if step.says else []
            talk.append({"role": "user", "content": [*gave, *said]} if gave else _says(client, step.says))
        case "openai-chat":
            calls = [{"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(said)}}
                     for id_, name, said in ids]  # fmt: skip
            talk.append(
                {
                    "role": "assistant",
                    "content": None if calls else f"Done {n}.",
                    **({"tool_calls": calls} if calls else {}),
                }
            )
            talk.extend(
                {"role": "tool", "tool_call_id": id_, "content": result(n, at)} for at, (id_, _, _) in enumerate(ids)
            )
            talk.extend([_says(client, step.says)] if step.says else [])
        case _:
            if not ids:
                content = [{"type": "output_text", "text": f"Done {n}."}]
                talk.append({"type": "message", "role": "assistant", "content": content})
            talk.extend(
                {"type": "function_call", "call_id": id_, "name": name, "arguments": json.dumps(said)}
                for id_, name, said in ids
            )
            talk.extend(
                {"type": "function_call_output", "call_id": id_, "output": result(n, at)}
                for at, (id_, _, _) in enumerate(ids)
            )
            talk.extend([_says(client, step.says)] if step.says else [])


# --- Anthropic's side --------------------------------------------------------------------------------------------------


def blocks(sent: Body) -> list[tuple[str, bool]]:
    """A request's blocks in the order of the cache, without their marks, and whether each was marked."""
    found = [("tool", tool) for tool in sent.get("tools", [])]
    system = sent.get("system", [])
    found += [
        ("system", block) for block in ([{"type": "text", "text": system}] if isinstance(system, str) else system)
    ]
    for message in sent["messages"]:
        content = message["content"]
        content = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [(message["role"], block) for block in content]
    bare = [(where, {k: v for k, v in block.items() if k != "cache_control"}) for where, block in found]
    return [
        (json.dumps(one, sort_keys=True), "cache_control" in block) for one, (_, block) in zip(bare, found, strict=True)
    ]


@dataclass
class Cache:
    """What a provider has written, by the text up to it; counts what it read and what it was sent."""

    written: set[int] = field(default_factory=set)
    read: int = 0
    sent: int = 0

    def takes(self, request: Body) -> int:
        """The characters of a request that are read from the cache."""
        known = blocks(request)
        hashes, sizes = list[int](), [0]
        for text, _ in known:
            hashes.append(hash((hashes[-1] if hashes else 0, text)))
            sizes.append(sizes[-1] + len(text))
        marks = [at for at, (_, marked) in enumerate(known) if marked]
        assert len(marks) <= MOST
        near = (at - back for at in marks for back in range(LOOKBACK) if at - back >= 0)
        hit = max((at + 1 for at in near if hashes[at] in self.written), default=0)
        self.written.update(hashes[at] for at in marks)
        self.read, self.sent = self.read + sizes[hit], self.sent + sizes[-1]
        return sizes[hit]


def marks_of(sent: Body) -> int:
    return json.dumps(sent).count('"cache_control"')


def test_the_copy_of_the_rules_is_exact_about_its_borders() -> None:
    def request(n: int, *marks: int) -> Body:
        content = [
            {"type": "text", "text": str(at)} | ({"cache_control": MARKED} if at in marks else {}) for at in range(n)
        ]
        return {"messages": [{"role": "user", "content": content}]}

    for far, found in ((19, True), (20, False)):
        cache = Cache()
        assert cache.takes(request(10, 9)) == 0
        assert (cache.takes(request(10 + far, 9 + far)) > 0) is found
    cache = Cache()
    cache.takes(request(10, 9))
    assert cache.takes(request(9, 8)) == 0, "nothing is written but at a breakpoint"


# --- what lynkr makes of it --------------------------------------------------------------------------------------------


def left(folder: Path, client: str, talk: list[Body], spoken: str = "anthropic", **more: Any) -> list[Body]:
    """What leaves for a lane with a key of its own."""
    with answering(folder, caching=Caching(), script=said_by(spoken), spoken=spoken, **more) as (up, lynkr):
        for value in talk:
            assert send(lynkr, value, client).status == 200
        return [asked.json for asked in up.posts()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_nine_tenths_of_a_conversation_are_read_from_the_cache(client: str, kind: str, tmp_path: Path) -> None:
    cache = Cache()
    sent = left(tmp_path, client, list(bodies(client, kind)))
    assert len(sent) == TURNS
    before: list[str] = []
    for n, request in enumerate(sent):
        assert 1 <= marks_of(request) <= MOST, n
        said = [text for text, _ in blocks(request)]
        assert said[: len(before)] == before, f"request {n} does not extend the last"
        hit = cache.takes(request)
        assert hit == sum(map(len, before)), f"request {n} does not read all that the last one wrote"
        before = said
    assert cache.read / cache.sent >= 0.9 or kind == "fifteen calls at once", cache.read / cache.sent
    if kind == "fifteen calls at once":
        # Here even what is best is less: every request is a good part longer than the last.
        whole = [sum(len(text) for text, _ in blocks(request)) for request in sent]
        assert cache.read == sum(whole[:-1])


@pytest.mark.parametrize("client", CLIENTS)
def test_they_stand_behind_tools_system_last_message_and_the_users_before(client: str, tmp_path: Path) -> None:
    for sent in left(tmp_path, client, list(bodies(client, "a call at a time"))[3:6]):
        assert [("cache_control" in tool) for tool in sent["tools"]] == [False] * 7 + [True]
        assert [("cache_control" in block) for block in sent["system"]] == [False] * (len(sent["system"]) - 1) + [True]
        ends = [("cache_control" in message["content"][-1]) for message in sent["messages"] if message["role"] == "user"
                and isinstance(message["content"], list)]  # fmt: skip
        assert ends[-2:] == [True, True]
        assert (marks_of(sent), any(ends[:-2])) == (4, False)
        answers = [message for message in sent["messages"] if message["role"] == "assistant"]
        assert '"cache_control"' not in json.dumps(answers)


def test_the_row_says_that_they_were_set(tmp_path: Path) -> None:
    with answering(tmp_path, caching=Caching()) as (_, lynkr):
        send(lynkr, next(bodies("anthropic", "a call at a time")))
        assert [change.what for change in lynkr.row().changes] == ["cache breakpoints"]


# --- where none are set ------------------------------------------------------------------------------------------------

MINE: dict[str, Any] = {
    "a tool's": lambda b: b["tools"][0].update(cache_control=MARKED),
    "the system prompt's": lambda b: b.update(system=[{"type": "text", "text": SYSTEM, "cache_control": MARKED}]),
    "a message's": lambda b: b["messages"][2]["content"][0].update(cache_control=MARKED),
    "the whole request's": lambda b: b.update(cache_control=MARKED),
}


@pytest.mark.parametrize("which", MINE)
def test_where_the_client_has_some_the_body_stays_as_it_came(which: str, tmp_path: Path) -> None:
    value = list(bodies("anthropic", "a call at a time"))[5]
    MINE[which](value)
    assert left(tmp_path, "anthropic", [value], model=None) == [value]


def test_on_the_tools_own_login_the_body_stays_as_it_came(tmp_path: Path) -> None:
    value = list(bodies("anthropic", "a call at a time"))[5]
    assert left(tmp_path, "anthropic", [value], auth=Auth.CLIENT, model=None) == [value]


def test_a_small_request_stays_as_it_came(tmp_path: Path) -> None:
    value = list(bodies("anthropic", "a call at a time"))[1] | {"system": "Help.", "tools": []}
    assert len(json.dumps(value)) < _WORTH_CACHING
    assert left(tmp_path, "anthropic", [value], model=None) == [value]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_single_question_gets_none(client: str, tmp_path: Path) -> None:
    long = question(client, "Why? " * 4000)
    assert [marks_of(sent) for sent in left(tmp_path, client, [long])] == [0]


def test_other_models_get_none(tmp_path: Path) -> None:
    value = list(bodies("openai-chat", "a call at a time"))[5]
    for spoken in ("openai-chat", "gemini", "openai-responses"):
        assert [marks_of(sent) for sent in left(tmp_path / spoken, "openai-chat", [value], spoken)] == [0]


# --- a conversation's key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoken", ["openai-chat", "openai-responses"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_conversation_has_one_key_and_another_one_another(client: str, spoken: str, tmp_path: Path) -> None:
    kind = "three calls at once"
    one, other = (list(bodies(client, kind, first))[:6] for first in ("Fix it.", "Fix it now."))
    keys = [sent["prompt_cache_key"] for sent in left(tmp_path, client, [*one, *other], spoken)]
    assert (len(set(keys[:6])), len(set(keys[6:])), len(set(keys))) == (1, 1, 2)
    assert all(0 < len(key) <= 64 for key in keys)


@pytest.mark.parametrize("client", ["openai-chat", "openai-responses"])
def test_a_clients_own_key_is_left_alone(client: str, tmp_path: Path) -> None:
    for spoken in ("openai-chat", "openai-responses"):
        value = next(bodies(client, "three calls at once")) | {"prompt_cache_key": "mine"}
        assert [sent["prompt_cache_key"] for sent in left(tmp_path / spoken, client, [value], spoken)] == ["mine"]


def test_on_the_tools_own_login_there_is_no_key_of_ours(tmp_path: Path) -> None:
    value = next(bodies("openai-chat", "three calls at once"))
    assert left(tmp_path, "openai-chat", [value], "openai-chat", auth=Auth.CLIENT, model=None) == [value]
