"""Every provider, from a profile as a user would write it: what reaches it is what it takes, and its answer arrives.

The upstreams are strict (tests/strict.py): a request that the real provider would refuse is refused in its own words.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from providers import ELSEWHERE, PROVIDERS
from proxied import SECRET, Answer
from proxy.test_translating import Said, heard
from saying import CLIENTS, cases, first, second, send, serving
from strict import CALL, TEXT, Described

EITHER = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


def understood(client: str, answer: Answer, streamed: bool) -> Said:
    """What the client's SDK makes of it; Google ends lines as HTTP does."""
    return heard(client, dataclasses.replace(answer, body=answer.body.replace(b"\r\n", b"\n")), streamed)


@pytest.mark.parametrize(("described", "client"), cases(PROVIDERS, lambda _: CLIENTS))
def test_a_provider_takes_a_clients_whole_loop(described: Described, client: str, tmp_path: Path) -> None:
    with serving(described, tmp_path) as (strict, up, lynkr):
        for streamed in (True, False):
            calls = send(lynkr, client, first(client), streamed)
            assert (strict.wrong, calls.status) == ([], 200), calls.body
            ends = send(lynkr, client, second(client), streamed)
            assert (strict.wrong, ends.status) == ([], 200), ends.body
            assert understood(client, calls, streamed).calls == [CALL]
            assert understood(client, ends, streamed).text == TEXT
        assert all(lynkr.row(n).usage.output > 0 for n in range(4))
    for asked in up.asked:
        assert asked.header("host") == f"127.0.0.1:{up.port}"
        assert SECRET not in str(asked)


OWN = [one for one in PROVIDERS if "anthropic" in one.formats]


@pytest.mark.parametrize(("described", "client"), cases(OWN, lambda _: ["anthropic"]))
@EITHER
def test_a_provider_gets_what_it_takes_also_where_the_tool_asks_for_its_model(
    described: Described, client: str, streamed: bool, tmp_path: Path
) -> None:
    with serving(described, tmp_path) as (strict, _, lynkr):
        answer = send(lynkr, client, first(client) | {"model": described.model}, streamed)
        assert (strict.wrong, answer.status) == ([], 200), answer.body


SETTINGS: dict[str, dict[str, Any]] = {
    # Claude Code's judge of commands ends at a stop sequence; a title is asked for at temperature 0.
    "anthropic": {"stop_sequences": ["</block>"], "temperature": 0, "tool_choice": {"type": "any"}},
    "openai-chat": {"stop": ["</block>"], "temperature": 0, "tool_choice": "required"},
    "openai-responses": {"temperature": 0, "tool_choice": "required"},
    "gemini": {
        "generationConfig": {"stopSequences": ["</block>"], "temperature": 0},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    },
}
PICKY = [one for one in PROVIDERS if one.name in ("bedrock-invoke", "bedrock-converse", "moonshot", "xai", "mistral")]


@pytest.mark.parametrize(("described", "client"), cases(PICKY, lambda _: CLIENTS))
def test_settings_that_a_provider_refuses_do_not_reach_it(described: Described, client: str, tmp_path: Path) -> None:
    body = first(client) | SETTINGS[client]
    for shaped_for_another in ("thinking", "output_config", "reasoning"):
        body.pop(shaped_for_another, None)
    with serving(described, tmp_path) as (strict, _, lynkr):
        answer = send(lynkr, client, body, streamed=False)
        assert (strict.wrong, answer.status) == ([], 200), answer.body


MOVED = [one for one in PROVIDERS if one.name in ELSEWHERE]


@pytest.mark.parametrize(("described", "client"), cases(MOVED, lambda _: CLIENTS))
def test_a_conversation_that_began_elsewhere_goes_on(described: Described, client: str, tmp_path: Path) -> None:
    """Its calls have another maker's ids, its thoughts are not this model's, and its user may speak beside a result."""
    endpoints = tuple(
        dataclasses.replace(endpoint, looks=(*endpoint.looks, *ELSEWHERE[described.name]))
        if endpoint.speaks == "openai-chat"
        else endpoint
        for endpoint in described.endpoints
    )
    with serving(dataclasses.replace(described, endpoints=endpoints), tmp_path) as (strict, _, lynkr):
        for words in ("", "Only the text files."):
            answer = send(lynkr, client, second(client, words), streamed=False)
            assert (strict.wrong, answer.status) == ([], 200), answer.body
