"""The errors that providers document or their users report: told so that each client knows what to do.

A client of the lane's own format gets the error as it is, byte for byte, since tools go by the wording; others get it in
their own shape. What concerns the lane's credential is told as the lane's, never as the client's login.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from providers import PROVIDERS
from proxied import Answer
from saying import CLIENTS, cases, first, send, serving
from strict import KEY, Described, Refusing, fail

# `wrong-key`: a provider says it with another status than 401 and 403.
CREDENTIAL = ("credential", "wrong-key")
TOO_LONG = {
    "anthropic": "invalid_request_error",
    "openai-chat": "context_length_exceeded",
    "openai-responses": "context_length_exceeded",
    "gemini": "INVALID_ARGUMENT",
}


def kinds(described: Described) -> list[str]:
    return [kind for kind in described.refuses if kind != "route"]


def relayed(described: Described) -> list[str]:
    """What is not about the lane's credential, of providers that speak as a client does."""
    own = set(described.formats) & set(CLIENTS)
    return [
        kind for kind in kinds(described) if own and described.refuses[kind].means not in ("credential", "wrong-key")
    ]


def told(client: str, answer: Answer) -> tuple[str, Any]:
    """The message of an error in a client's own shape, and what the client goes by."""
    value = json.loads(answer.body)
    error = value["error"]
    if client == "anthropic":
        assert (value["type"], type(error["message"])) == ("error", str)
        return error["message"], error["type"]
    if client == "gemini":
        assert error["code"] == answer.status
        return error["message"], error["status"]
    assert {"message", "type", "param", "code"} <= set(error)
    return error["message"], error["code"]


def check_told(client: str, answer: Answer, refusing: Refusing) -> None:
    """That a client is told what its lane refused, and whether asking again is of use."""
    message, name = told(client, answer)
    final = answer.header("x-should-retry") == "false"
    match refusing.means:
        case "credential" | "wrong-key":
            # Its own login has nothing to do with it: a 401 would make Claude Code ask for one.
            assert (answer.status, final) == (403, True)
            assert "lane 'main'" in message
        case "missing":
            assert (answer.status, final) == (404, True)
        case "invalid":
            assert (answer.status, final) == (400, True)
        case "context":
            assert (answer.status, name, final) == (400, TOO_LONG[client], True)
            assert client != "anthropic" or "prompt is too long" in message.lower()
        case "rate":
            assert (answer.status, final) == (429, False)
            assert answer.header("retry-after") == refusing.wait
        case "later":
            assert answer.status >= 500
            assert not final
        case _:
            assert (refusing.means, final) == ("final", True)
    assert KEY not in str(answer)


@pytest.mark.parametrize(("described", "kind"), cases(PROVIDERS, kinds))
def test_an_error_is_told_so_that_the_client_knows_what_to_do(described: Described, kind: str, tmp_path: Path) -> None:
    refusing = described.refuses[kind]
    own = () if refusing.means == "credential" else described.formats
    with serving(described, tmp_path) as (strict, _, lynkr):
        for number, client in enumerate(client for client in CLIENTS if client not in own):
            answer = send(lynkr, client, first(client, fail(kind)), streamed=number % 2 == 0)
            assert (client, strict.wrong) == (client, [])
            check_told(client, answer, refusing)
            assert lynkr.row(number).outcome == "refused"


def test_a_wrong_key_is_the_lanes_also_where_the_provider_says_400(tmp_path: Path) -> None:
    described = next(one for one in PROVIDERS if one.name == "xai")
    with serving(described, tmp_path) as (strict, _, lynkr):
        answer = send(lynkr, "openai-chat", first("openai-chat", fail("key")), streamed=True)
        assert strict.wrong == []
        check_told("openai-chat", answer, described.refuses["key"])


@pytest.mark.parametrize(("described", "kind"), cases(PROVIDERS, relayed))
def test_an_error_passes_as_it_is_where_the_client_speaks_as_the_provider_does(
    described: Described, kind: str, tmp_path: Path
) -> None:
    refusing = described.refuses[kind]
    with serving(described, tmp_path) as (strict, _, lynkr):
        for number, client in enumerate(client for client in CLIENTS if client in described.formats):
            answer = send(lynkr, client, first(client, fail(kind)), streamed=True)
            assert (client, strict.wrong) == (client, [])
            assert (answer.status, answer.body) == (refusing.status, refusing.data)
            for name, _, value in (line.partition(": ") for line in refusing.headers):
                assert answer.header(name) == value
            assert (answer.header("x-should-retry") == "false") is (
                refusing.status in (402, 404) or refusing.means == "final"
            )
            assert lynkr.row(number).outcome == "refused" or refusing.status == 200
