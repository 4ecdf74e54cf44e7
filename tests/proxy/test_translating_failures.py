"""When a lane of another format fails: the client reads it in its own format, at once, and knows whether to try again.

What lanes say stands here as vendors and servers say it; what clients must read, as their own vendors document it.
"""

from __future__ import annotations

import base64
import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from loops import AWS_HEAD, aws, aws_event, loop
from proxied import Answer, ask, connect, read, request
from proxy.test_translating import CLIENTS, PROVIDERS, WORDS, body, each_lane, each_way, others, send, serving, target
from scripts import (
    ANTHROPIC_USAGE,
    END,
    STREAM_HEAD,
    Asked,
    Cut,
    Hang,
    Pause,
    Step,
    Upstream,
    anthropic_events,
    chunk,
    event,
    whole,
)

from lynkr.proxy.exchange import Exchange

# --- before the first word ---------------------------------------------------------------------------------------------

# What each client calls a kind of failure: the status, and the name within the error.
NAMES: dict[str, dict[str, tuple[int, str | None]]] = {
    "anthropic": {
        "invalid": (400, "invalid_request_error"), "context": (400, "invalid_request_error"),
        "authentication": (401, "authentication_error"), "billing": (402, "billing_error"),
        "permission": (403, "permission_error"), "not_found": (404, "not_found_error"),
        "too_large": (413, "request_too_large"), "rate_limit": (429, "rate_limit_error"),
        "quota": (429, "rate_limit_error"), "server": (500, "api_error"), "timeout": (504, "timeout_error"),
        "overloaded": (529, "overloaded_error")},
    "openai-chat": {
        "invalid": (400, None), "context": (400, "context_length_exceeded"), "authentication": (401, "invalid_api_key"),
        "billing": (429, "insufficient_quota"), "permission": (403, None), "not_found": (404, None),
        "too_large": (413, None), "rate_limit": (429, "rate_limit_exceeded"), "quota": (429, "insufficient_quota"),
        "server": (500, "server_error"), "timeout": (504, None), "overloaded": (503, None)},
    "gemini": {
        "invalid": (400, "INVALID_ARGUMENT"), "context": (400, "INVALID_ARGUMENT"),
        "authentication": (401, "UNAUTHENTICATED"), "billing": (403, "PERMISSION_DENIED"),
        "permission": (403, "PERMISSION_DENIED"), "not_found": (404, "NOT_FOUND"),
        "too_large": (413, "INVALID_ARGUMENT"), "rate_limit": (429, "RESOURCE_EXHAUSTED"),
        "quota": (429, "RESOURCE_EXHAUSTED"), "server": (500, "INTERNAL"), "timeout": (504, "DEADLINE_EXCEEDED"),
        "overloaded": (503, "UNAVAILABLE")},
}  # fmt: skip
NAMES["openai-responses"] = NAMES["openai-chat"]
# Trying again may help.
PASSING = ("rate_limit", "server", "timeout", "overloaded")


@dataclass(frozen=True)
class Refusing:
    """An error as a lane says it, and what it means."""

    spoken: str
    kind: str
    status: int
    body: Any
    headers: tuple[str, ...] = field(default=())
    retry_after: str | None = None

    def steps(self) -> list[Step]:
        html = isinstance(self.body, str)
        data = self.body.encode() if html else json.dumps(self.body).encode()
        return whole(data, self.status, *self.headers, kind="text/html" if html else "application/json")


def _anthropic(kind: str, status: int, name: str, words: str, *headers: str, after: str | None = None) -> Refusing:
    body = {"type": "error", "error": {"type": name, "message": words}, "request_id": "req_1"}
    return Refusing("anthropic", kind, status, body, headers, after)


def _openai(kind: str, status: int, name: str, code: Any, words: str, *headers: str, after: str = "") -> list[Refusing]:
    body = {"error": {"message": words, "type": name, "param": None, "code": code}}
    return [Refusing(f, kind, status, body, headers, after or None) for f in ("openai-chat", "openai-responses")]


def _google(kind: str, status: int, name: str, words: str, *details: dict[str, Any], after: str = "") -> Refusing:
    body = {"error": {"code": status, "message": words, "status": name, "details": list(details)}}
    return Refusing("gemini", kind, status, body, (), after or None)


def _aws(kind: str, status: int, name: str, words: str, key: str = "message") -> list[Refusing]:
    headers = (f"x-amzn-errortype: {name}:http://internal.amazon.com/coral/", "x-amzn-RequestId: r")
    return [Refusing(f, kind, status, {key: words}, headers) for f in ("bedrock-converse", "bedrock-invoke")]


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
LONG = "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens."
REFUSING = [
    _anthropic("context", 400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    _anthropic("invalid", 400, "invalid_request_error", "messages.1: all blank"),
    _anthropic("authentication", 401, "authentication_error", "invalid x-api-key"),
    _anthropic("billing", 402, "billing_error", "no credit"),
    _anthropic("permission", 403, "permission_error", "not yours"),
    _anthropic("not_found", 404, "not_found_error", "model: x"),
    _anthropic("too_large", 413, "request_too_large", "32 MB"),
    _anthropic("rate_limit", 429, "rate_limit_error", "slow down", "retry-after: 7", after="7"),
    _anthropic("server", 500, "api_error", "boom"),
    _anthropic("timeout", 504, "timeout_error", "slow"),
    _anthropic("overloaded", 529, "overloaded_error", "Overloaded"),
    *_openai("context", 400, "invalid_request_error", "context_length_exceeded", LONG),
    *_openai("invalid", 400, "invalid_request_error", None, "Unsupported parameter: 'x'"),
    *_openai("authentication", 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
    *_openai("not_found", 404, "invalid_request_error", "model_not_found", "The model `x` does not exist"),
    *_openai("rate_limit", 429, "requests", "rate_limit_exceeded", "Rate limit reached", "Retry-After: 20", after="20"),
    *_openai("quota", 429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"),
    *_openai("server", 500, "server_error", None, "The server had an error"),
    *_openai("overloaded", 503, "server_error", None, "The engine is overloaded"),
    Refusing("openai-chat", "billing", 402, {"error": {"message": "Insufficient credits", "code": 402}}),  # OpenRouter
    Refusing("openai-chat", "context", 400, {"object": "error", "message": LONG, "type": "BadRequestError",
                                             "param": None, "code": 400}),  # vLLM
    Refusing("openai-chat", "context", 400, {"error": {"code": 400, "type": "exceed_context_size_error",
             "message": "request (9000 tokens) exceeds the available context size (4096 tokens)"}}),  # llama.cpp
    Refusing("openai-chat", "rate_limit", 429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "m"}),  # Databricks
    Refusing("openai-chat", "permission", 403, {"error_code": "PERMISSION_DENIED", "message": "CAN QUERY"}),
    Refusing("openai-chat", "rate_limit", 429, [{"error": {"code": 429, "message": "m", "status": "X"}}]),  # Google's
    Refusing("openai-chat", "server", 502, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
    Refusing("openai-chat", "permission", 403, "<html>blocked by the company's proxy</html>"),
    Refusing("openai-chat", "overloaded", 503, ""),
    Refusing("openai-chat", "overloaded", 529, ""),
    Refusing("openai-chat", "not_found", 404, '{"detail":"Not Found"}'),
    _google("context", 400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens "
            "allowed (1048576)."),
    _google("invalid", 400, "INVALID_ARGUMENT", "Unknown name \"x\""),
    _google("authentication", 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    _google("permission", 403, "PERMISSION_DENIED", "no"),
    _google("not_found", 404, "NOT_FOUND", "models/x is not found"),
    _google("rate_limit", 429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", RETRY_INFO, after="34.07"),
    _google("server", 500, "INTERNAL", "An internal error has occurred"),
    _google("overloaded", 503, "UNAVAILABLE", "The model is overloaded"),
    _google("timeout", 504, "DEADLINE_EXCEEDED", "too slow"),
    Refusing("ollama", "not_found", 404, {"error": "model 'x' not found"}),
    Refusing("ollama", "invalid", 400, {"error": "\"x\" does not support tools"}),
    Refusing("ollama", "context", 400, {"error": "the input length exceeds the context length"}),
    Refusing("ollama", "server", 500, {"error": "llama runner process has terminated: exit status 2"}),
    Refusing("ollama", "overloaded", 503, {"error": "server busy, please try again.  maximum pending requests exceeded"}),
    *_aws("context", 400, "ValidationException", "Input is too long for requested model."),
    *_aws("invalid", 400, "ValidationException", "Malformed input request"),
    *_aws("permission", 403, "AccessDeniedException", "You don't have access to the model", "Message"),
    *_aws("not_found", 404, "ResourceNotFoundException", "This model version has reached the end of its life"),
    *_aws("timeout", 408, "ModelTimeoutException", "slow"),
    *_aws("server", 424, "ModelErrorException", "The model failed"),
    *_aws("rate_limit", 429, "ThrottlingException", "Too many tokens, please wait before trying again."),
    *_aws("server", 500, "InternalServerException", "boom"),
    *_aws("overloaded", 503, "ServiceUnavailableException", "Too many connections"),
]  # fmt: skip


def named(client: str, error: dict[str, Any]) -> tuple[str | None, str]:
    """(the error's name in the client's format, its words), from the object under `error`."""
    name = {"anthropic": error.get("type"), "gemini": error.get("status")}.get(client, error.get("code"))
    return name, str(error["message"])


@pytest.mark.parametrize("refusing", REFUSING, ids=lambda r: f"{r.spoken}-{r.status}-{r.kind}")
def test_an_error_of_the_lanes_is_said_in_the_clients_words(refusing: Refusing) -> None:
    asked = [(client, streamed) for client in others(refusing.spoken) for streamed in (True, False)]
    with serving(refusing.spoken, lambda _: refusing.steps()) as (_, lynkr):
        for n, (client, streamed) in enumerate(asked):
            answer = send(lynkr, client, streamed)
            row = lynkr.row(n)
            # Whose key it is makes no difference to the tool: it is not its own, and asking for a login would not help.
            kind = "permission" if refusing.kind == "authentication" else refusing.kind
            status, name = NAMES[client][kind]
            value = json.loads(answer.body)
            found, words = named(client, value["error"])
            assert (answer.status, answer.header("content-type")) == (status, "application/json"), answer.body
            assert found == name or name is None
            assert value.get("type") == ("error" if client == "anthropic" else None)
            assert client != "gemini" or value["error"]["code"] == status
            assert words.strip()
            if kind == "permission":
                assert words.startswith("lynkr: lane 'main': ")
            assert (client, refusing.kind) != ("anthropic", "context") or "prompt is too long" in words
            assert answer.header("x-should-retry") == (None if refusing.kind in PASSING else "false")
            assert answer.header("retry-after") == refusing.retry_after
            assert answer.header("x-lynkr-lane") == "main"
            assert (row.outcome, row.status, row.cost_usd, row.usage.output) == ("refused", status, 0.0, 0)
            assert [(tried.lane, tried.status) for tried in row.tried] == [("main", refusing.status)]
            assert row.error


def test_a_gemini_client_reads_how_long_to_wait_where_it_looks_for_it() -> None:
    """gemini-cli 0.61.0 knows RetryInfo and no Retry-After."""
    steps = whole({"error": {"type": "rate_limit_error", "message": "m"}}, 429, "retry-after: 7")
    with serving("anthropic", lambda _: steps) as (_, lynkr):
        details = json.loads(send(lynkr, "gemini").body)["error"].get("details", [])
    assert [detail["retryDelay"] for detail in details if detail["@type"].endswith("RetryInfo")] == ["7s"]


def test_a_prompt_that_is_longer_than_the_lane_takes_is_refused_here_in_words_that_clients_know() -> None:
    long = json.dumps("word " * 9000).encode()
    with serving("ollama", loop("-", {})["ollama"], context=2048) as (up, lynkr):
        for n, client in enumerate(CLIENTS):
            sent = json.dumps(body(client)).encode().replace(json.dumps(WORDS).encode(), long)
            answer = ask(lynkr.port, target(client), sent)
            status, name = NAMES[client]["context"]
            found, words = named(client, json.loads(answer.body)["error"])
            assert (answer.status, found, answer.header("x-should-retry")) == (status, name, "false")
            assert "prompt is too long" in words and "lane 'main'" in words
            row = lynkr.row(n)
            assert (row.outcome, row.error, row.tried) == ("refused", "context", ())
        assert not up.asked


# --- a stream's own errors -----------------------------------------------------------------------------------------------

_SAYS_HELLO = anthropic_events([{"type": "text", "text": "Hello"}], "end_turn", ANTHROPIC_USAGE, "m")[:4]


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _invoke(said: bytes) -> bytes:
    return aws_event("chunk", {"bytes": base64.b64encode(said.partition(b"data: ")[2].strip()).decode()})


def _item(kind: str, **members: Any) -> bytes:
    return event(f"response.{kind}", {"type": f"response.{kind}", "output_index": 0, **members})


HEADS = {"ollama": STREAM_HEAD.replace(b"text/event-stream; charset=utf-8", b"application/x-ndjson"),
         "bedrock-converse": AWS_HEAD, "bedrock-invoke": AWS_HEAD}  # fmt: skip
# The first event of an answer, and the one that says "Hello".
BEGUN: dict[str, tuple[list[bytes], list[bytes]]] = {
    "anthropic": ([_SAYS_HELLO[0]], _SAYS_HELLO[1:]),
    "openai-chat": ([_data({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]})],
                    [_data({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hello"}}]})]),
    "openai-responses": ([_item("created", response={"id": "r", "model": "m"})],
                         [_item("output_item.added", item={"type": "message", "id": "m", "content": []}),
                          _item("output_text.delta", item_id="m", content_index=0, delta="Hello")]),
    "gemini": ([_data({"candidates": [], "modelVersion": "m", "responseId": "r"})],
               [_data({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}]})]),
    "ollama": ([b'{"model":"m","message":{"role":"assistant","content":""},"done":false}\n'],
               [b'{"model":"m","message":{"role":"assistant","content":"Hello"},"done":false}\n']),
    "bedrock-converse": ([aws_event("messageStart", {"role": "assistant"})],
                         [aws_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}})]),
    "bedrock-invoke": ([_invoke(_SAYS_HELLO[0])], [_invoke(_SAYS_HELLO[1]), _invoke(_SAYS_HELLO[3])]),
}  # fmt: skip
# An error inside of a stream, and its kind.
BREAKS: dict[str, tuple[bytes, str]] = {
    "anthropic": (event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Oh no"}}),
                  "overloaded"),
    "openai-chat": (_data({"error": {"code": 429, "message": "Oh no"}, "choices": [
        {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}), "rate_limit"),
    "openai-responses": (_item("failed", response={"id": "r", "status": "failed", "error": {
        "code": "rate_limit_exceeded", "message": "Oh no, try again in 1.2s"}}), "rate_limit"),
    "gemini": (_data({"error": {"code": 503, "message": "Oh no", "status": "UNAVAILABLE"}}), "overloaded"),
    "ollama": (b'{"error":"Oh no"}\n', "server"),
    "bedrock-converse": (aws({":message-type": "exception", ":exception-type": "throttlingException"},
                             b'{"message":"Oh no"}'), "rate_limit"),
    "bedrock-invoke": (aws({":message-type": "exception", ":exception-type": "modelStreamErrorException"},
                           b'{"message":"Oh no"}'), "server"),
}  # fmt: skip


def stream(spoken: str, *events: bytes, then: Step = END) -> list[Step]:
    return [HEADS.get(spoken, STREAM_HEAD), *(step for said in events for step in (chunk(said), Pause(0.003))), then]


@dataclass
class Hearing:
    """An answer whose end is not sent before its client has heard its beginning, so that the two never come as one."""

    begun: list[Step]
    then: list[Step]
    heard: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _: Asked) -> Iterator[Step]:
        self.heard.clear()
        yield from self.begun
        assert self.heard.wait(20)
        yield from self.then

    def read(self, connection: socket.socket) -> Answer:
        connection.recv(1, socket.MSG_PEEK)
        self.heard.set()
        return read(connection)


def broke_off(client: str, body: bytes) -> tuple[str | None, str]:
    """(name, words) of the error that a client finds at the end of a stream."""
    before, _, last = body.removesuffix(b"\n\n").rpartition(b"\n\n")
    if client == "gemini":
        # Google's clients look for it in what is no event.
        assert body.endswith(b"}") and b"data: " not in last
        return named(client, json.loads(last)["error"])
    names, _, data = last.decode().rpartition("data: ")
    value = json.loads(data)
    if client == "openai-responses":
        assert names == "event: response.failed\n" and value["type"] == "response.failed"
        return value["response"]["error"]["code"], value["response"]["error"]["message"]
    assert names == ("event: error\n" if client == "anthropic" else "")
    assert b"[DONE]" not in body and b"message_stop" not in before
    return named(client, value["error"])


@each_lane
def test_an_answer_that_begins_with_an_error_has_a_status(spoken: str) -> None:
    error, kind = BREAKS[spoken]
    for begun in ([], BEGUN[spoken][0]):
        with serving(spoken, lambda _, begun=begun: stream(spoken, *begun, error)) as (_, lynkr):
            for n, client in enumerate(others(spoken)):
                answer = send(lynkr, client)
                status, name = NAMES[client][kind]
                assert (answer.status, answer.header("content-type")) == (status, "application/json")
                found, words = named(client, json.loads(answer.body)["error"])
                assert (found == name or name is None) and "Oh no" in words
                row = lynkr.row(n)
                assert (row.outcome, row.status, row.cost_usd) == ("refused", status, 0.0)
                assert [tried.lane for tried in row.tried] == ["main"]


@each_lane
def test_an_error_within_a_stream_ends_it_in_the_clients_own_and_the_connection_serves_on(spoken: str) -> None:
    error, kind = BREAKS[spoken]
    hearing = Hearing(stream(spoken, *BEGUN[spoken][0], *BEGUN[spoken][1])[:-1], [chunk(error), Hang()])
    with serving(spoken, hearing) as (up, lynkr), connect(lynkr.port) as connection:
        for n, client in enumerate(others(spoken) * 2):
            connection.sendall(request(lynkr.port, target(client), json.dumps(body(client)).encode()))
            answer = hearing.read(connection)
            assert (answer.status, answer.ended) == (200, True)
            assert b"Hello" in answer.body
            found, words = broke_off(client, answer.body)
            assert found == NAMES[client][kind][1] or NAMES[client][kind][1] is None
            assert "Oh no" in words
            row = lynkr.row(n)
            assert (row.status, row.estimated, row.usage.output) == (200, True, 1)
            assert row.error
            assert closed(up, n + 1)


GARBAGE = {"ollama": b"\x00\xff not a line of JSON\n", "bedrock-converse": b"\x00" * 40, "bedrock-invoke": b"x" * 40}


@each_lane
@pytest.mark.parametrize("how", ["cut", "cut inside", "garbage", "ended", "silent"])
def test_a_stream_that_breaks_ends_in_the_clients_own_error(spoken: str, how: str) -> None:
    last: Step = {"cut": Cut(), "cut inside": Cut(), "silent": Hang()}.get(how, END)
    more = {"cut inside": [BREAKS[spoken][0][:12]],
            "garbage": [GARBAGE.get(spoken, b"\xff\x00garbage\n\ndata: {broken\n\n")]}.get(how, [])  # fmt: skip
    hearing = Hearing(stream(spoken, *BEGUN[spoken][0], *BEGUN[spoken][1])[:-1], [*map(chunk, more), Pause(0.05), last])
    with serving(spoken, hearing, timeout_s=0.3 if how == "silent" else None) as (_, lynkr):
        for n, client in enumerate(others(spoken)):
            with connect(lynkr.port) as connection:
                connection.sendall(request(lynkr.port, target(client), json.dumps(body(client)).encode()))
                answer = hearing.read(connection)
            assert (answer.status, answer.ended) == (200, True)
            assert b"Hello" in answer.body
            found, words = broke_off(client, answer.body)
            row = lynkr.row(n)
            codes = {"anthropic": "api_error", "openai-responses": "server_error", "gemini": "UNAVAILABLE"}
            assert found == codes.get(client, f"lynkr_{row.error}")
            assert "lane 'main'" in words
            assert (row.status, row.outcome, row.usage.output, row.estimated) == (200, "cut", 1, True)
            assert row.error == ("upstream_malformed" if how == "garbage" else "upstream_cut") or (
                how == "cut inside" and row.error == "upstream_malformed" and spoken.startswith("bedrock")
            )


@each_lane
@pytest.mark.parametrize("then", [Cut(), END])
def test_a_stream_that_stops_before_it_said_anything_may_be_asked_again(spoken: str, then: Step) -> None:
    with serving(spoken, lambda _: stream(spoken, *BEGUN[spoken][0], then=then)) as (_, lynkr):
        for client in others(spoken):
            answer = send(lynkr, client)
            assert (answer.status, answer.header("x-should-retry")) == (502, None)


@each_lane
@each_way
def test_a_page_where_an_answer_should_be_is_named(spoken: str, streamed: bool) -> None:
    page = whole(b"<html>Sign in to the hotel's network</html>", kind="text/html")
    with serving(spoken, lambda _: page) as (_, lynkr):
        for n, client in enumerate(others(spoken)):
            answer = send(lynkr, client, streamed)
            assert (answer.status, answer.header("x-should-retry")) == (502, "false")
            words = named(client, json.loads(answer.body)["error"])[1]
            assert f"lane 'main' sent what is not {spoken}" in words
            row = lynkr.row(n)
            assert (row.outcome, row.error, row.cost_usd) == ("refused", "upstream_malformed", 0.0)
            assert [tried.lane for tried in row.tried] == ["main"]


def whole_stream(spoken: str) -> list[Step]:
    """A complete answer, without the end of the HTTP message."""
    steps = list(loop("-", {})[spoken](Asked("POST", "/x:streamGenerateContent-response-stream", [],
                                             b'{"model": "m", "stream": true, "stream_options": {"include_usage": true}}')))  # fmt: skip
    if spoken == "ollama":
        said = b"".join(step for step in steps if isinstance(step, bytes)).partition(b"\r\n\r\n")[2]
        return stream(spoken, *(line + b"\n" for line in said.split(b"\n") if line))[:-1]
    return steps[:-1]


# Gemini's and Converse's last events do not say that they are the last.
@pytest.mark.parametrize(("spoken", "then"), [
    *((spoken, Cut()) for spoken in PROVIDERS),
    *((spoken, Hang()) for spoken in PROVIDERS if spoken not in ("gemini", "bedrock-converse"))])  # fmt: skip
def test_an_answer_that_was_whole_is_whole_whatever_the_connection_does_then(spoken: str, then: Step) -> None:
    with serving(spoken, lambda _: [*whole_stream(spoken), Pause(0.1), then]) as (_, lynkr):
        for n, client in enumerate(others(spoken)):
            with connect(lynkr.port, 1.0) as connection:
                connection.sendall(request(lynkr.port, target(client), json.dumps(body(client)).encode()))
                answer = read(connection)
            assert answer.ended
            assert b"stopped in the middle" not in answer.body
            row = lynkr.row(n)
            assert (row.outcome, row.error, row.estimated) == ("ok", None, False)


# --- a lane that says nothing, and a client that goes ---------------------------------------------------------------------

PINGS = {"anthropic": b'event: ping\ndata: {"type":"ping"}\n\n', "openai-chat": b": ping\n\n",
         "openai-responses": b": ping\n\n", "gemini": b"\r\n1\r\n\n\r\n"}  # fmt: skip


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty pings a second."""
    monkeypatch.setattr("lynkr.proxy.house.Exchange", functools.partial(Exchange, ping_s=0.05))


def closed(up: Upstream, times: int) -> bool:
    deadline = time.monotonic() + 5
    while up.closed_early < times and time.monotonic() < deadline:
        time.sleep(0.01)
    return up.closed_early == times


@each_lane
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.usefixtures("often")
def test_words_come_at_once_then_pings_until_the_client_hangs_up_and_that_ends_the_lanes_work(
    spoken: str, begun: bool
) -> None:
    said = [*BEGUN[spoken][0], *BEGUN[spoken][1]] if begun else []
    with serving(spoken, lambda _: stream(spoken, *said, then=Hang())) as (up, lynkr):
        for n, client in enumerate(others(spoken), 1):
            with connect(lynkr.port, 3.0) as connection:
                connection.sendall(request(lynkr.port, target(client), json.dumps(body(client)).encode()))
                got = b""
                while (got.partition(b"Hello")[2] if begun else got).count(PINGS[client]) < 3:
                    got += connection.recv(65536)
                assert got.startswith(b"HTTP/1.1 200 ") and b"text/event-stream" in got
            row = lynkr.row(n - 1)
            assert closed(up, n)
            assert (row.outcome, row.status, row.estimated, row.usage.output) == ("gone", 200, True, int(begun))
        assert len(lynkr.rows) == len(others(spoken))


@pytest.mark.usefixtures("often")
def test_pings_come_while_a_lane_has_not_even_answered() -> None:
    """A local model reads a long prompt for minutes before its server sends a head."""
    with serving("openai-chat", lambda _: [Hang()]) as (_, lynkr), connect(lynkr.port, 1.0) as connection:
        connection.sendall(request(lynkr.port, "/v1/messages", json.dumps(body("anthropic")).encode()))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@each_lane
@pytest.mark.usefixtures("often")
def test_an_error_after_pings_is_an_event(spoken: str) -> None:
    error, kind = BREAKS[spoken]
    head, *tail = stream(spoken, error)
    with serving(spoken, lambda _: [head, Pause(0.2), *tail]) as (_, lynkr):
        for client in others(spoken):
            answer = send(lynkr, client)
            assert (answer.status, answer.ended) == (200, True)
            found, words = broke_off(client, answer.body)
            assert (found == NAMES[client][kind][1] or NAMES[client][kind][1] is None) and "Oh no" in words


@pytest.mark.usefixtures("often")
def test_what_is_refused_after_pings_costs_nothing() -> None:
    refused = whole({"error": {"type": "rate_limit_error", "message": "Oh no"}}, 429)
    with serving("anthropic", lambda _: [Pause(0.2), *refused]) as (_, lynkr):
        for n, client in enumerate(others("anthropic")):
            answer = send(lynkr, client)
            assert (answer.status, broke_off(client, answer.body)[0]) == (200, NAMES[client]["rate_limit"][1])
            row = lynkr.row(n)
            assert (row.status, row.cost_usd, row.usage.input) == (200, 0.0, 0)
            assert [(tried.lane, tried.status) for tried in row.tried] == [("main", 429)]


@each_way
@pytest.mark.parametrize("steps", [[Hang()], [STREAM_HEAD, Hang()]])
def test_a_client_that_hangs_up_before_the_answer_ends_the_lanes_work(steps: list[Step], streamed: bool) -> None:
    with serving("openai-chat", lambda _: steps) as (up, lynkr):
        with connect(lynkr.port) as connection:
            sent = json.dumps(body("anthropic", streamed)).encode()
            connection.sendall(request(lynkr.port, "/v1/messages", sent))
            while not up.asked:
                time.sleep(0.01)
            time.sleep(0.05)
        row = lynkr.row()
        assert closed(up, 1)
    assert (row.outcome, len(lynkr.rows)) == ("gone", 1)


def test_the_end_of_a_session_ends_a_translated_answer_and_writes_its_row() -> None:
    said = stream("gemini", *BEGUN["gemini"][0], *BEGUN["gemini"][1], then=Hang())
    with serving("gemini", lambda _: said) as (_, lynkr), connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/v1/messages", json.dumps(body("anthropic")).encode()))
        while b"Hello" not in connection.recv(65536):
            pass
    assert lynkr.row().outcome == "gone"
