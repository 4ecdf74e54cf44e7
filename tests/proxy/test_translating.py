"""A request to a lane of another format: what arrives there, what comes back, and what the ledger says of it.

Every client format meets every other format a lane can have. Nothing of the client's but its words may reach the lane,
and nothing of the lane's but its words, in the client's own format, may reach the client.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import zstandard
from loops import loop
from proxied import SECRET, Answer, Proxy, ask, connect, proxy, read, request
from scripts import CHAT_USAGE, END, STREAM_HEAD, Asked, Script, Step, Upstream, chunk, upstream, whole

from lynkr.lane import Auth, Format, Lane, Price
from lynkr.ledger.row import Session
from lynkr.report.values import report, unreport
from lynkr.secrets import Key

CLIENTS = ("anthropic", "openai-chat", "openai-responses", "gemini")
PROVIDERS = {
    "anthropic": ("anthropic", "claude-sonnet-5"),
    "openai-chat": ("openai", "gpt-5.5"),
    "openai-responses": ("openai", "gpt-5.5"),
    "gemini": ("gemini", "gemini-3-pro-preview"),
    "ollama": ("ollama", "qwen3:8b"),
    "bedrock-converse": ("bedrock", "amazon.nova-pro-v1:0"),
    "bedrock-invoke": ("bedrock", "us.anthropic.claude-opus-4-8"),
}
each_lane = pytest.mark.parametrize("spoken", PROVIDERS)
each_way = pytest.mark.parametrize("streamed", [True, False])
# Where a request arrives, streamed and not, and the header that the lane's key stands in.
ARRIVES = {
    "anthropic": ("/v1/messages", "/v1/messages", "x-api-key"),
    "openai-chat": ("/v1/chat/completions", "/v1/chat/completions", "authorization"),
    "openai-responses": ("/v1/responses", "/v1/responses", "authorization"),
    "gemini": ("/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse",
               "/v1beta/models/gemini-3-pro-preview:generateContent", "x-goog-api-key"),
    "ollama": ("/api/chat", "/api/chat", None),
    "bedrock-converse": ("/model/amazon.nova-pro-v1:0/converse-stream", "/model/amazon.nova-pro-v1:0/converse",
                         "authorization"),
    "bedrock-invoke": ("/model/us.anthropic.claude-opus-4-8/invoke-with-response-stream",
                       "/model/us.anthropic.claude-opus-4-8/invoke", "authorization"),
}  # fmt: skip
USERS = ["X-Api-Key: sk-users", "Authorization: Bearer sk-users", "X-Goog-Api-Key: sk-users", "Cookie: id=sk-users",
         "ChatGPT-Account-Id: sk-users", "OpenAI-Organization: sk-users", "anthropic-version: 2026-10-21",
         "anthropic-beta: oauth-2025-04-20", "User-Agent: users-cli/1", "X-Users-Own: 1", "originator: users",
         "X-Stainless-Lang: js", "Accept: */*", "Accept-Encoding: br"]  # fmt: skip
WORDS = "grüß dich"
# How an answer ends that is over, and one that calls.
ENDS = {"anthropic": ("end_turn", "tool_use"), "openai-chat": ("stop", "tool_calls"),
        "openai-responses": ("completed", "completed"), "gemini": ("STOP", "STOP")}  # fmt: skip


def others(spoken: str) -> list[str]:
    """The clients of other formats than `spoken`."""
    return [client for client in CLIENTS if client != spoken]


def lane(spoken: str, url: str, **more: Any) -> Lane:
    provider, model = PROVIDERS[spoken]
    more = {"model": model, "auth": Auth.NONE if provider == "ollama" else Auth.KEY, **more}
    if provider == "ollama":
        more.setdefault("context", 32_768)
    return Lane("main", provider, (Format(spoken),), base_url=url + ("/v1" if provider == "openai" else ""), **more)


@contextlib.contextmanager
def serving(spoken: str, script: Script, *speaks: str, **more: Any) -> Iterator[tuple[Upstream, Proxy]]:
    """A session whose one lane speaks `spoken` and follows `script`."""
    formats = tuple(Format(name) for name in speaks or CLIENTS)
    with upstream(script) as up:
        keys = {} if spoken == "ollama" else {"main": Key("sk-lanes-own")}
        with proxy(lane(spoken, up.url, **more), keys=keys, speaks=formats) as lynkr:
            yield up, lynkr


def target(client: str, streamed: bool = True) -> str:
    model = "/v1beta/models/gemini-2.5-pro:"
    return {
        "anthropic": "/v1/messages?beta=true",
        "openai-chat": "/v1/chat/completions",
        "openai-responses": "/v1/responses",
        "gemini": model + ("streamGenerateContent?alt=sse&key=sk-users" if streamed else "generateContent"),
    }[client]


def body(client: str, streamed: bool = True, tool: str = "") -> dict[str, Any]:
    """A small request, with the tool `tool` if there is one."""
    flag: dict[str, Any] = {"stream": True} if streamed else {}
    schema = {"type": "object", "properties": {"command": {"type": "string"}}}
    said = {"name": tool, "description": "Runs it"}
    message = {"role": "user", "content": WORDS}
    match client:
        case "anthropic":
            tools: list[Any] = [{**said, "input_schema": schema}]
            made = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [message], **flag}
        case "openai-chat":
            tools = [{"type": "function", "function": {**said, "parameters": schema}}]
            made = {"model": "gpt-4.1", "messages": [message], **flag}
            made |= {"stream_options": {"include_usage": True}} if streamed else {}
        case "openai-responses":
            tools = [{"type": "function", **said, "parameters": schema, "strict": False}]
            made = {"model": "gpt-4.1", "input": [{"type": "message", **message}], **flag}
        case _:
            tools = [{"functionDeclarations": [{**said, "parametersJsonSchema": schema}]}]
            made = {"contents": [{"role": "user", "parts": [{"text": WORDS}]}]}
    return made | ({"tools": tools} if tool else {})


def send(lynkr: Proxy, client: str, streamed: bool = True, tool: str = "") -> Answer:
    return ask(lynkr.port, target(client, streamed), json.dumps(body(client, streamed, tool)).encode(), USERS)


def events(answer: bytes) -> list[Any]:
    """The data of a stream's events, read strictly: each one event, with its name where it has one."""
    found = []
    for block in answer.decode().split("\n\n"):
        lines = block.split("\n")
        data = [line[6:] for line in lines if line.startswith("data: ")]
        if data and data != ["[DONE]"]:
            found.append(json.loads("\n".join(data)))
            names = [line[7:] for line in lines if line.startswith("event: ")]
            assert not names or names == [found[-1]["type"]]
    return found


@dataclass
class Said:
    """What an answer said: its text, its calls, how it ended, and how many tokens it had."""

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    end: Any = None
    tokens: int = 0


def heard(client: str, answer: Answer, streamed: bool = True) -> Said:
    """Reads an answer as that format's SDK does."""
    values = events(answer.body) if streamed else [json.loads(answer.body)]
    said = Said()
    {"anthropic": _anthropic, "openai-chat": _chat, "openai-responses": _responses, "gemini": _gemini}[client](
        values, said
    )
    return said


def _anthropic(values: list[Any], said: Said) -> None:
    message = dict(values[0].get("message", values[0]))
    blocks: list[Any] = []
    pieces = ""
    for value in values if "message" in values[0] else []:
        match value["type"]:
            case "content_block_start":
                assert value["index"] == len(blocks)
                blocks.append(dict(value["content_block"]))
                pieces = ""
            case "content_block_delta":
                pieces += value["delta"].get("partial_json", "")
                blocks[-1]["text"] = blocks[-1].get("text", "") + value["delta"].get("text", "")
            case "content_block_stop" if pieces:
                blocks[-1]["input"] = json.loads(pieces)
            case "message_delta":
                message |= value["delta"] | {"usage": value["usage"]}
    blocks = blocks or message["content"]
    said.text = "".join(block.get("text", "") for block in blocks if block["type"] == "text")
    said.calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    said.end, said.tokens = message["stop_reason"], message["usage"]["output_tokens"]
    assert "message" not in values[0] or values[-1] == {"type": "message_stop"}


def _chat(values: list[Any], said: Said) -> None:
    calls: dict[int, list[str]] = {}
    for value in values:
        said.tokens = (value.get("usage") or {}).get("completion_tokens", said.tokens)
        for choice in value["choices"]:
            delta = choice["delta"] if "delta" in choice else choice["message"]
            said.text += delta.get("content") or ""
            said.end = choice["finish_reason"] or said.end
            for call in delta.get("tool_calls") or []:
                known = calls.setdefault(call.get("index", 0), ["", ""])
                known[0] += call["function"].get("name", "")
                known[1] += call["function"].get("arguments", "")
    said.calls = [(name, json.loads(arguments)) for name, arguments in calls.values()]


def _responses(values: list[Any], said: Said) -> None:
    response = values[-1].get("response", values[-1])
    if "response" in values[-1]:
        assert [value["sequence_number"] for value in values] == list(range(len(values)))
        assert [v["item"] for v in values if v["type"] == "response.output_item.done"] == response["output"]
    for item in response["output"]:
        if item["type"] == "message":
            said.text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "function_call":
            said.calls.append((item["name"], json.loads(item["arguments"])))
    said.end, said.tokens = response["status"], response["usage"]["output_tokens"]


def _gemini(values: list[Any], said: Said) -> None:
    for value in values:
        figures = value.get("usageMetadata", {})
        said.tokens = figures.get("candidatesTokenCount", 0) + figures.get("thoughtsTokenCount", 0)
        said.end = value["candidates"][0].get("finishReason")
        for part in value["candidates"][0]["content"]["parts"]:
            said.text += part.get("text", "") if not part.get("thought") else ""
            if "functionCall" in part:
                said.calls.append((part["functionCall"]["name"], part["functionCall"]["args"]))


@each_lane
@each_way
def test_the_lane_gets_a_request_of_its_own_format_and_nothing_of_the_clients(spoken: str, streamed: bool) -> None:
    with serving(spoken, loop("-", {})[spoken], headers={"X-Team": "compilers", "X-Vendor": "a b"}) as (up, lynkr):
        for client in others(spoken):
            assert send(lynkr, client, streamed).status == 200
    at, key = ARRIVES[spoken][not streamed], ARRIVES[spoken][2]
    assert len(up.asked) == len(others(spoken))
    for asked in up.asked:
        assert (asked.method, asked.target, asked.header("host")) == ("POST", at, f"127.0.0.1:{up.port}")
        assert (asked.header("x-team"), asked.header("x-vendor")) == ("compilers", "a b")
        assert asked.header("content-length") == str(len(asked.body))
        assert WORDS in asked.body.decode() or json.dumps(WORDS).encode() in asked.body
        assert "users" not in str(asked).lower()
        assert SECRET not in str(asked)
        names = [name.lower() for name, _ in asked.headers]
        credentials = [name for name in names if name in ("authorization", "x-api-key", "x-goog-api-key", "api-key")]
        assert credentials == ([key] if key else [])
        if key:
            assert asked.header(key) == ("Bearer " if key == "authorization" else "") + "sk-lanes-own"
        assert asked.header("anthropic-version") == ("2023-06-01" if spoken == "anthropic" else None)
        assert sorted(set(names)) == sorted(names)


@each_lane
@each_way
def test_the_client_gets_an_answer_of_its_own_format(spoken: str, streamed: bool) -> None:
    with serving(spoken, loop("-", {})[spoken]) as (_, lynkr):
        for n, client in enumerate(others(spoken)):
            answer = send(lynkr, client, streamed)
            row = lynkr.row(n)
            kind = "text/event-stream; charset=utf-8" if streamed else "application/json"
            assert (answer.status, answer.header("content-type"), answer.ended) == (200, kind, True)
            ours = {name: answer.header(f"x-lynkr-{name}") for name in ("lane", "tier", "request")}
            assert ours == {"lane": "main", "tier": "complex", "request": row.id}
            said = heard(client, answer, streamed)
            assert (said.text, said.calls, said.end) == ('{"title": "A listing"}', [], ENDS[client][0])
            assert said.tokens == row.usage.output > 0
            if client == "openai-chat" and streamed:
                assert answer.body.endswith(b"data: [DONE]\n\n")


@each_lane
@each_way
def test_a_call_comes_back_with_its_name_and_arguments(spoken: str, streamed: bool) -> None:
    arguments = {"command": 'ls "a b"', "lines": [1, {"deep": "\U0001f600"}]}
    with serving(spoken, loop("Bash", arguments)[spoken]) as (_, lynkr):
        for client in others(spoken):
            said = heard(client, send(lynkr, client, streamed, "Bash"), streamed)
            assert (said.calls, said.end) == ([("Bash", arguments)], ENDS[client][1])


@pytest.mark.parametrize("spoken", ["anthropic", "openai-chat", "ollama", "bedrock-converse"])
def test_a_gemini_stream_that_does_not_ask_for_events_is_one_list(spoken: str) -> None:
    at = "/v1beta/models/gemini-2.5-pro:streamGenerateContent"
    with serving(spoken, loop("-", {})[spoken]) as (up, lynkr):
        answer = ask(lynkr.port, at, json.dumps(body("gemini")).encode())
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    said = Said()
    _gemini(json.loads(answer.body), said)
    assert (said.text, said.end) == ('{"title": "A listing"}', "STOP")
    assert up.asked[0].path == ARRIVES[spoken][1]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_packed_request_is_unpacked_and_translated(coding: str) -> None:
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress}[coding](json.dumps(body("openai-responses")).encode())
    with serving("anthropic", loop("-", {})["anthropic"]) as (up, lynkr):
        answer = ask(lynkr.port, "/v1/responses", packed, [f"Content-Encoding: {coding}"])
    assert answer.status == 200
    assert up.asked[0].header("content-encoding") is None
    assert up.asked[0].json["messages"][0]["content"][0]["text"] == WORDS


def test_the_lane_is_asked_for_an_answer_that_is_not_packed() -> None:
    with serving("openai-chat", loop("-", {})["openai-chat"]) as (up, lynkr):
        send(lynkr, "anthropic")
    assert up.asked[0].header("accept-encoding") == "identity"


def test_a_lanes_own_header_replaces_one_of_ours() -> None:
    headers = {"anthropic-version": "2026-10-21", "user-agent": "mine"}
    with serving("anthropic", loop("-", {})["anthropic"], headers=headers) as (up, lynkr):
        send(lynkr, "openai-chat")
    said = [value for name, value in up.asked[0].headers if name.lower() in headers]
    assert said == ["2026-10-21", "mine"]


def test_a_base_url_with_a_path_keeps_it() -> None:
    with upstream(loop("-", {})["openai-chat"]) as up:
        gateway = lane("openai-chat", "")._replace(base_url=up.url + "/team/v1/")
        with proxy(gateway, keys={"main": Key("k")}) as lynkr:
            assert send(lynkr, "anthropic").status == 200
    assert up.asked[0].target == "/team/v1/chat/completions"


def test_requests_follow_each_other_on_one_connection_and_many_at_once_do_not_mix() -> None:
    def echo(asked: Asked) -> list[Step]:
        words = asked.json["messages"][-1]["content"]
        message = {"role": "assistant", "content": f"heard {words}"}
        return whole({"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                      "usage": CHAT_USAGE})  # fmt: skip

    def many(lynkr: Proxy, number: int) -> None:
        with connect(lynkr.port) as connection:
            for turn in range(3):
                asked = body("anthropic", turn == 1) | {"messages": [{"role": "user", "content": f"{number}-{turn}"}]}
                connection.sendall(request(lynkr.port, "/v1/messages", json.dumps(asked).encode()))
                answers.append((f"heard {number}-{turn}", heard("anthropic", read(connection), turn == 1).text))

    answers: list[tuple[str, str]] = []
    with serving("openai-chat", echo) as (_, lynkr):
        threads = [threading.Thread(target=many, args=(lynkr, number)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lynkr.row(59)
    assert len(answers) == len(lynkr.rows) == 60
    assert all(wanted == got for wanted, got in answers)


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_the_row_says_what_was_asked_what_it_cost_and_what_was_changed() -> None:
    asked = body("anthropic", tool="Bash") | {
        "top_k": 5,
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "device-and-account"},
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    }
    price = Price(input=1, output=2, cache_read=0.5)
    with serving("openai-chat", loop("-", {})["openai-chat"], price=price) as (up, lynkr):
        answer = ask(lynkr.port, "/v1/messages?beta=true", json.dumps(asked).encode())
        row = lynkr.row()
    assert b"device-and-account" not in up.asked[0].body
    assert (row.method, row.path, row.format, row.lane, row.provider) == (
        "POST", "/v1/messages", "anthropic", "main", "openai")  # fmt: skip
    assert (row.asked_model, row.model) == ("claude-opus-5-5", "gpt-5.5")
    assert (row.status, row.outcome, row.error, row.tried, row.estimated) == (200, "ok", None, (), False)
    usage = row.usage
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (388, 512, 30, 10)
    assert answer.body.count(b'"cache_read_input_tokens":512') == 1
    assert row.cost_usd == pytest.approx((388 + 512 / 2 + 30 * 2) / 1e6)
    assert row.baseline_usd not in (None, row.cost_usd)
    assert row.first_byte_ms is not None
    assert 0 < row.first_byte_ms <= row.ms
    changed = {change.what: change.did for change in row.changes}
    assert changed == {"context_management": "dropped", "top_k": "dropped", "cache breakpoint": "dropped",
                       "user id": "changed"}  # fmt: skip


def test_what_was_changed_stands_in_the_report_and_comes_out_of_it_again() -> None:
    asked = body("anthropic") | {"top_k": 5, "thinking": {"type": "adaptive"}, "stop_sequences": list("abcde")}
    with serving("openai-chat", loop("-", {})["openai-chat"], model="a-local-one") as (_, lynkr):
        ask(lynkr.port, "/v1/messages", json.dumps(asked).encode())
        send(lynkr, "anthropic", False)
        rows = [lynkr.row(0), lynkr.row(1)]
    session = Session("s", "claude", "p", "/x", "2026-11-21T00:00:00.000Z")
    shown = json.loads(json.dumps(report(session, rows)))
    assert [change["what"] for change in shown["requests"][0]["changes"]] == ["thinking", "stop sequences", "top_k"]
    assert all(change["did"] == "dropped" and change["why"] for change in shown["requests"][0]["changes"])
    assert unreport(shown) == (session, rows)


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_without_figures_is_estimated_in_the_row_and_says_something_to_the_client(streamed: bool) -> None:
    def silent(asked: Asked) -> list[Step]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        words = {"role": "assistant", "content": "x" * 400}
        if not streamed:
            return whole({"id": "c", "model": "m", "choices": [{**choice, "message": words}]})
        data = json.dumps({"id": "c", "model": "m", "choices": [{**choice, "delta": words}]})
        return [STREAM_HEAD, chunk(f"data: {data}\n\ndata: [DONE]\n\n".encode()), END]

    with serving("openai-chat", silent) as (_, lynkr):
        said = heard("anthropic", send(lynkr, "anthropic", streamed), streamed)
        row = lynkr.row()
    assert said.tokens == 100
    assert (row.usage.output, row.estimated) == (100, True)
    assert row.usage.input > 10


# --- what cannot be translated ---------------------------------------------------------------------------------------


def message_of(answer: bytes) -> str:
    return str(json.loads(answer)["error"]["message"])


@pytest.mark.parametrize(
    ("client", "method", "path"),
    [
        ("anthropic", "GET", "/v1/models?limit=1000"),
        ("anthropic", "POST", "/api/event_logging/batch"),
        ("openai-responses", "POST", "/v1/responses/compact"),
        ("openai-responses", "GET", "/v1/models?client_version=0.169.0"),
        ("openai-chat", "GET", "/v1/models"),
        ("openai-chat", "POST", "/v1/embeddings"),
        ("gemini", "POST", "/v1beta/models/gemini-2.5-pro:embedContent"),
        ("gemini", "GET", "/v1beta/models"),
    ],
)
@pytest.mark.parametrize("spoken", ["ollama", "bedrock-converse"])
def test_paths_that_cannot_be_translated_are_404_and_reach_nobody(
    client: str, method: str, path: str, spoken: str
) -> None:
    with serving(spoken, loop("-", {})[spoken], client) as (up, lynkr):
        answer = ask(lynkr.port, path, b"{}" if method == "POST" else b"", USERS, method=method)
        row = lynkr.row()
        assert not up.asked
    assert (answer.status, answer.header("x-should-retry")) == (404, "false")
    assert (row.outcome, row.status, row.error, row.cost_usd) == ("refused", 404, "not_translated", 0.0)
    error = json.loads(answer.body)["error"]
    assert f"no lane of this session speaks {client}" in error["message"]
    assert error.get("type") == {"anthropic": "not_found_error", "gemini": None}.get(client, "invalid_request_error")


def test_a_gemini_client_reads_not_found() -> None:
    with serving("ollama", loop("-", {})["ollama"], "gemini") as (_, lynkr):
        answer = ask(lynkr.port, "/v1beta/models/gemini-2.5-pro:embedContent", b"{}")
    assert json.loads(answer.body)["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("client", "path", "body", "figure"),
    [
        ("anthropic", "/v1/messages/count_tokens?beta=true", {"messages": [{"role": "user", "content": "hi " * 400}]},
         "input_tokens"),
        ("openai-responses", "/v1/responses/input_tokens", {"input": "hi " * 400}, "input_tokens"),
        ("gemini", "/v1beta/models/gemini-2.5-pro:countTokens", {"contents": [{"parts": [{"text": "hi " * 400}]}]},
         "totalTokens"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("spoken", ["ollama", "bedrock-converse"])
def test_tokens_are_counted_here_where_the_lane_counts_none(
    spoken: str, client: str, path: str, body: dict[str, Any], figure: str
) -> None:
    with serving(spoken, loop("-", {})[spoken], client) as (up, lynkr):
        answer = ask(lynkr.port, path, json.dumps(body).encode(), USERS)
        row = lynkr.row()
        assert not up.asked
    assert answer.status == 200
    assert 300 < json.loads(answer.body)[figure] < 700
    assert (row.status, row.cost_usd, row.answered) == (200, 0.0, "bypass:count")


def test_claude_codes_greeting_is_answered_here() -> None:
    with serving("ollama", loop("-", {})["ollama"], "anthropic") as (up, lynkr):
        assert ask(lynkr.port, "/api/hello", method="HEAD").status == 200
        assert not up.asked


def test_a_lane_without_a_model_says_what_is_missing() -> None:
    with serving("ollama", loop("-", {})["ollama"], model=None) as (up, lynkr):
        for n, client in enumerate(CLIENTS):
            answer = send(lynkr, client)
            assert (answer.status, answer.header("x-should-retry")) == (400, "false")
            assert "lane 'main' has no model" in message_of(answer.body)
            assert (lynkr.row(n).outcome, lynkr.row(n).error) == ("refused", "no_model")
        assert not up.asked


def test_the_clients_own_credential_is_never_translated() -> None:
    with serving("openai-chat", loop("-", {})["openai-chat"], auth=Auth.CLIENT) as (up, lynkr):
        answer = send(lynkr, "anthropic")
        assert not up.asked
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (400, "invalid_request_error")
    assert "lane 'main' speaks openai-chat" in message_of(answer.body)


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[1]", b"null", b'"x"', b"\xff\xfe", b"not json", b"[" * 200_000, b'{"a":' * 200_000]
)
def test_what_is_no_request_is_400_in_the_clients_format(sent: bytes) -> None:
    with serving("ollama", loop("-", {})["ollama"]) as (up, lynkr):
        for n, client in enumerate(CLIENTS):
            answer = ask(lynkr.port, target(client), sent)
            assert (answer.status, answer.header("x-should-retry")) == (400, "false")
            assert "JSON" in message_of(answer.body)
            error = json.loads(answer.body)["error"]
            assert error.get("status", error.get("type")) in ("invalid_request_error", "INVALID_ARGUMENT")
            assert (lynkr.row(n).outcome, lynkr.row(n).error) == ("refused", "unreadable")
        assert not up.asked
