"""Claude on Bedrock's InvokeModel, asked by a client of Anthropic's: the client's own bytes in AWS's envelope, both ways.

And at the end, for every lane: whatever stands in a request, it is taken or refused, never a fault of ours.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loops import AWS_HEAD, aws, aws_event, loop
from proxied import Answer, Proxy, ask
from proxy.test_translating import PROVIDERS, USERS, body, others, serving, target
from scripts import END, Asked, Cut, Pause, Script, Step, chunk, whole

from lynkr.conversation import Home, Seal, wrap

SPOKEN = "bedrock-invoke"
VERSION = b'"anthropic_version": "bedrock-2023-05-31"'
# Events as Bedrock sends them: JSON in its own spacing, with members that nobody here knows.
EVENTS = [
    b'{"type":"message_start","message":{"model":"claude-opus-4-8","id":"msg_bdrk_01","type":"message","role":"assistant",'
    b'"content":[],"stop_reason":null,"usage":{"input_tokens":12,"cache_read_input_tokens":4000,"output_tokens":1}}}',
    b'{"type" : "content_block_start","index":0,"content_block":{"type":"text","text":""} }',
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Gr\\u00fc\xc3\x9fe \\ud83d"},"x":1e0}',
    b'{"type":"an_event_of_next_year","index":0}',
    b'{"type":"content_block_stop","index":0}',
    b'{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":42}}',
    b'{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":12,"outputTokenCount":42}}',
]


def packed(*said: bytes) -> list[bytes]:
    return [aws_event("chunk", {"bytes": base64.b64encode(one).decode(), "p": "abcdefghij"}) for one in said]


def written(*said: bytes) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (json.loads(one)["type"].encode(), one) for one in said)


def answering(*frames: bytes, then: Step = END) -> Script:
    return lambda _: [AWS_HEAD, *map(chunk, frames), then]


def send(lynkr: Proxy, sent: bytes | dict[str, Any] | None = None, *headers: str) -> Answer:
    sent = body("anthropic") if sent is None else sent
    return ask(
        lynkr.port, "/v1/messages?beta=true", sent if isinstance(sent, bytes) else json.dumps(sent).encode(), headers
    )


def arrived(sent: bytes | dict[str, Any], *headers: str, model: str = "us.anthropic.claude-opus-4-8") -> Asked:
    """What arrives at the lane."""
    with serving(SPOKEN, answering(*packed(*EVENTS)), "anthropic", model=model) as (up, lynkr):
        answer = send(lynkr, sent, *headers)
        assert answer.status == 200, answer.body
    return up.asked[0]


def test_the_body_is_the_clients_own_but_for_what_the_envelope_changes() -> None:
    sent = (b'{ "max_tokens":  10,"model" : "claude-opus-5-5", "messages":[{"role":"user","content":"\xe2\x80\xa8 \\ud83d hi",'
            b'"x":1e0}],\n\t"stream":true,"system" : "x \\/ \\u00e9","tools":[]}')  # fmt: skip
    asked = arrived(sent, *USERS)
    assert asked.target == "/model/us.anthropic.claude-opus-4-8/invoke-with-response-stream"
    assert asked.body == (
        b'{ "max_tokens":  10, "messages":[{"role":"user","content":"\xe2\x80\xa8 \\ud83d hi",'
        b'"x":1e0}],"system" : "x \\/ \\u00e9","tools":[], ' + VERSION + b"}"
    )
    assert "users" not in str(asked).lower()


def test_a_request_that_is_not_streamed_and_its_answer_keep_their_bytes() -> None:
    said = b'{"id": "msg_bdrk_01","type":"message","role":"assistant", "content":[{"type":"text","text":"\\u00fc"}],' \
           b'"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":7},"new":1e0}'  # fmt: skip
    with serving(SPOKEN, lambda _: whole(said), "anthropic") as (up, lynkr):
        answer = send(lynkr, b'{"messages":[ ],"model":"m","max_tokens":1}')
        row = lynkr.row()
    assert up.asked[0].target == "/model/us.anthropic.claude-opus-4-8/invoke"
    assert up.asked[0].body == b'{"messages":[ ],"max_tokens":1, ' + VERSION + b"}"
    assert (answer.status, answer.header("content-type"), answer.body) == (200, "application/json", said)
    assert (row.usage.input, row.usage.output, row.estimated) == (5, 7, False)


def test_betas_stand_in_the_body_and_only_those_that_the_lane_takes() -> None:
    betas = "claude-code-20250219, oauth-2025-04-20,interleaved-thinking-2025-05-14,prompt-caching-scope-2026-01-05"
    with serving(SPOKEN, answering(*packed(*EVENTS)), "anthropic") as (up, lynkr):
        send(lynkr, None, f"anthropic-beta: {betas}")
        send(lynkr, None, "anthropic-beta: oauth-2025-04-20")
        changes = [change.what for change in lynkr.row(0).changes]
    assert up.asked[0].json["anthropic_beta"] == ["claude-code-20250219", "interleaved-thinking-2025-05-14"]
    assert "anthropic_beta" not in up.asked[1].json
    assert up.asked[0].header("anthropic-beta") is None
    assert changes == ["betas"]


def test_betas_may_come_in_two_headers() -> None:
    headers = ["anthropic-beta: claude-code-20250219", "anthropic-beta: interleaved-thinking-2025-05-14"]
    asked = arrived(body("anthropic"), *headers)
    assert asked.json["anthropic_beta"] == ["claude-code-20250219", "interleaved-thinking-2025-05-14"]


def test_what_the_model_cannot_take_goes_and_the_rest_keeps_its_bytes() -> None:
    system = b'"system":[ {"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}} ]'
    tools = b'"tools":[{"name":"Bash", "input_schema":{"type":"object"}}]'
    messages = b'"messages": [{"role":"user", "content":[{"type":"text","text":"\\u0041"}]}]'
    thinking = b'"thinking":{"type":"adaptive", "display":"omitted"},"output_config":{"effort":"high"}'
    sent = b'{"model":"claude-opus-5-5","max_tokens":200000,"context_management":{"edits":[]},"temperature":0.2,%b}' % (
        b",".join((system, tools, messages, thinking))
    )
    with serving(SPOKEN, answering(*packed(*EVENTS)), "anthropic") as (up, lynkr):
        send(lynkr, sent)
        changes = {change.what: change.did for change in lynkr.row().changes}
    assert up.asked[0].body == b'{"max_tokens":128000,%b, %b}' % (
        b",".join((system, tools, messages, thinking)), VERSION)  # fmt: skip
    assert changes == {"context_management": "dropped", "temperature": "dropped", "output limit": "changed"}


def test_only_the_message_that_has_to_change_is_written_anew() -> None:
    first = b'{"role":"user", "content":[{"type":"text","text":"\\u0041"}]}'
    last = b'{"content" : "y\\/", "role":"user"}'
    sent = b'{"model":"m","max_tokens":9,"stream":true,"messages":[%b , {"role":"system","content":"env"},%b]}' % (
        first,
        last,
    )
    asked = arrived(sent, model="anthropic.claude-opus-4-7")
    assert first in asked.body
    assert json.loads(asked.body)["messages"][1]["role"] == "user"
    assert "<system-reminder>" in str(json.loads(asked.body)["messages"][1])


def test_lynkrs_own_seals_do_not_reach_anybody_else() -> None:
    sealed = wrap(Seal("gemini.signature", "x"), Home("other", "m"))
    own = {"type": "thinking", "thinking": "t", "signature": "EqQB"}
    blocks = [own, {"type": "thinking", "thinking": "u", "signature": sealed}, {"type": "text", "text": "v"}]
    asked = arrived(body("anthropic") | {"messages": [{"role": "assistant", "content": blocks}, {"role": "user", "content": "w"}]})  # fmt: skip
    assert b"lynkr:v1:" not in asked.body
    assert asked.json["messages"][0]["content"] == [own, blocks[2]]


# --- what InvokeModel refuses (wire: "Extra inputs are not permitted") -------------------------------------------------------

ALLOWED = {"anthropic_version", "max_tokens", "messages", "anthropic_beta", "system", "stop_sequences", "temperature",
           "top_p", "top_k", "tools", "tool_choice", "thinking", "metadata", "output_config", "safeguards",
           "context_management"}  # fmt: skip
SCHEMA = {"type": "object"}
CLAUDE_CODES = "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,per-turn-control-2026-07-01,advanced-tool-use-2025-11-20"


def test_deferred_tools_keep_the_beta_that_allows_them() -> None:
    """Claude Code defers tools in every request; the field without its beta is refused."""
    tools = [{"name": "Bash", "input_schema": SCHEMA}, {"name": "Later", "input_schema": SCHEMA, "defer_loading": True}]
    asked = arrived(body("anthropic") | {"tools": tools}, CLAUDE_CODES)
    deferred = any("defer_loading" in tool for tool in asked.json["tools"])
    assert deferred is ("tool-search-tool-2025-10-19" in asked.json["anthropic_beta"])


@pytest.mark.parametrize("name", ["service_tier", "cache_control", "output_format"])
def test_no_field_stays_that_bedrock_does_not_know(name: str) -> None:
    values = {"service_tier": "auto", "cache_control": {"type": "ephemeral"},
              "output_format": {"type": "json_schema", "schema": SCHEMA}}  # fmt: skip
    assert set(arrived(body("anthropic") | {name: values[name]}).json) <= ALLOWED


@pytest.mark.parametrize("name", ["service_tier", "cache_control", "output_format"])
def test_what_goes_without_a_place_in_the_envelope_is_noted(name: str) -> None:
    values = {"service_tier": "priority", "cache_control": {"type": "ephemeral"},
              "output_format": {"type": "json_schema", "schema": SCHEMA}}  # fmt: skip
    with serving(SPOKEN, answering(*packed(*EVENTS)), "anthropic") as (up, lynkr):
        send(lynkr, body("anthropic") | {name: values[name]})
        elsewhere = "schema" in up.asked[0].body.decode() or "cache_control" in up.asked[0].body.decode()
        assert elsewhere or lynkr.row().changes


def test_a_turns_own_effort_goes_with_its_beta() -> None:
    """Claude Code says so for Opus 5.5 in every request."""
    environment = {"role": "system", "content": [{"type": "text", "text": "env"}], "output_config": {"effort": "low"}}
    asked = arrived(body("anthropic") | {"messages": [{"role": "user", "content": "x"}, environment]}, CLAUDE_CODES)
    assert "output_config" not in asked.json["messages"][1]


def test_a_cache_breakpoint_has_no_scope_there() -> None:
    mark = {"type": "ephemeral", "scope": "global"}
    asked = arrived(body("anthropic") | {"system": [{"type": "text", "text": "s", "cache_control": mark}]})
    assert asked.json["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_a_tool_that_anthropics_servers_run_is_dropped() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    asked = arrived(body("anthropic", tool="Bash") | {"tools": [{"name": "Bash", "input_schema": SCHEMA}, search]})
    assert [tool["name"] for tool in asked.json["tools"]] == ["Bash"]


def test_what_the_row_calls_dropped_has_not_been_sent() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329;"}
    with serving(SPOKEN, answering(*packed(*EVENTS)), "anthropic") as (up, lynkr):
        send(lynkr, body("anthropic") | {"system": [billing, {"type": "text", "text": "You are Claude Code"}]})
        dropped = [change.what for change in lynkr.row().changes if change.did == "dropped"]
    assert ("billing header" in dropped) is (b"billing-header" not in up.asked[0].body)


@pytest.mark.parametrize("half", ["\ud83d", "\udc80"])
def test_half_a_character_in_a_message_that_has_to_change_arrives(half: str) -> None:
    """JavaScript cuts texts in the middle of a pair; Claude Code sends such halves."""
    messages = [{"role": "user", "content": "x"}, {"role": "system", "content": f"cut {half}"}]
    asked = arrived(body("anthropic") | {"messages": messages}, model="anthropic.claude-opus-4-7")
    assert f"cut {half}" in asked.json["messages"][1]["content"][0]["text"]


# --- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_events_come_out_of_the_envelope_with_their_bytes_however_they_are_cut(size: int) -> None:
    data = b"".join(packed(*EVENTS))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    with serving(SPOKEN, answering(*pieces), "anthropic") as (_, lynkr):
        answer = send(lynkr)
        row = lynkr.row()
    assert (answer.status, answer.header("content-type")) == (200, "text/event-stream; charset=utf-8")
    assert (answer.header("x-lynkr-lane"), answer.header("request-id")) == ("main", "r-1")
    assert (answer.body, answer.ended) == (written(*EVENTS), True)
    usage = row.usage
    assert (usage.input, usage.cache_read, usage.output, row.estimated) == (12, 4000, 42, False)
    assert (row.outcome, row.model, row.asked_model) == ("ok", "us.anthropic.claude-opus-4-8", "claude-opus-5-5")


def exception(name: str, words: str = "Oh no") -> bytes:
    return aws({":message-type": "exception", ":exception-type": name}, json.dumps({"message": words}).encode())


EXCEPTIONS = [
    (exception("throttlingException"), 429, "rate_limit_error", None),
    (exception("validationException"), 400, "invalid_request_error", "false"),
    (exception("validationException", "Oh no: Input is too long"), 400, "invalid_request_error", "false"),
    (exception("modelStreamErrorException"), 500, "api_error", None),
    (exception("modelTimeoutException"), 504, "timeout_error", None),
    (exception("serviceUnavailableException"), 529, "overloaded_error", None),
    (exception("internalServerException"), 500, "api_error", None),
    (aws({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "Oh no"}, b""), 500, "api_error", None),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "status", "name", "final"), EXCEPTIONS)
@pytest.mark.parametrize("begun", [0, 1, 3])
def test_an_exception_is_a_status_before_the_first_word_and_an_event_after_it(
    frame: bytes, status: int, name: str, final: str | None, begun: int
) -> None:
    # What comes at once is heard at once, and then an error can still be a status.
    script = [AWS_HEAD, *map(chunk, packed(*EVENTS[:begun])), Pause(0.1), chunk(frame), END]
    with serving(SPOKEN, lambda _: script, "anthropic") as (_, lynkr):
        answer = send(lynkr)
        row = lynkr.row()
    said = answer.body.removeprefix(written(*EVENTS[:begun]) if begun == 3 else b"")
    if begun == 3:
        assert (answer.status, answer.ended) == (200, True)
        assert said.startswith(b"event: error\ndata: ") and said.endswith(b"}\n\n")
        said = said.removeprefix(b"event: error\ndata: ")
    else:
        assert (answer.status, answer.header("x-should-retry")) == (status, final)
    error = json.loads(said)
    assert (error["type"], error["error"]["type"]) == ("error", name)
    assert "Oh no" in error["error"]["message"]
    assert ("prompt is too long" in error["error"]["message"]) is (b"too long" in frame)
    assert (row.outcome, row.status) == (("ok", 200) if begun == 3 else ("refused", status))
    assert row.error and (row.error.endswith("Exception") or row.error == "InternalFailure")


def test_an_error_of_anthropics_own_within_the_envelope_passes_as_it_is() -> None:
    error = b'{"type":"error", "error":{"type":"overloaded_error","message":"Overloaded"}}'
    with serving(SPOKEN, answering(*packed(*EVENTS[:3], error)), "anthropic") as (_, lynkr):
        answer = send(lynkr)
        row = lynkr.row()
    assert (answer.status, answer.body, answer.ended) == (200, written(*EVENTS[:3], error), True)
    assert (row.outcome, row.error) == ("ok", "overloaded")


WRONG = {"prelude": (9, 1), "headers": (20, 1), "payload": (90, 1), "checksum": (-1, 1)}


@pytest.mark.parametrize("where", WRONG)
def test_a_wrong_checksum_ends_the_stream_with_an_error(where: str) -> None:
    frames = packed(*EVENTS)
    at, flip = WRONG[where]
    bad = bytearray(frames[4])
    bad[at] ^= flip
    for good in (3, 0):
        script = answering(*frames[:good], bytes(bad), *frames[5:])
        with serving(SPOKEN, script, "anthropic") as (_, lynkr):
            answer = send(lynkr)
            row = lynkr.row()
        if good:
            assert answer.body.startswith(written(*EVENTS[:3]) + b"event: error\ndata: ")
            assert b"message_stop" not in answer.body
        assert (answer.status, answer.ended) == (200 if good else 502, True)
        assert b"checksum" in answer.body and b"lane 'main'" in answer.body
        assert (row.outcome, row.error) == ("cut" if good else "refused", "upstream_malformed")


def test_what_came_before_a_wrong_checksum_is_told() -> None:
    frames = packed(*EVENTS)
    with serving(SPOKEN, answering(b"".join(frames[:3]) + frames[3][:-1] + b"x"), "anthropic") as (_, lynkr):
        assert send(lynkr).body.startswith(written(*EVENTS[:3]) + b"event: error\n")


@pytest.mark.parametrize("then", [END, Cut()])
def test_a_stream_that_stops_in_the_middle_ends_in_an_error_event(then: Step) -> None:
    frames = packed(*EVENTS)
    with serving(SPOKEN, answering(*frames[:3], frames[3][:50], then=then), "anthropic") as (_, lynkr):
        answer = send(lynkr)
        row = lynkr.row()
    before, error = answer.body[: len(written(*EVENTS[:3]))], answer.body[len(written(*EVENTS[:3])) :]
    assert before == written(*EVENTS[:3])
    assert error.startswith(b'event: error\ndata: {"type":"error","error":{"type":"api_error"')
    assert (answer.ended, row.outcome, row.estimated, row.usage.cache_read) == (True, "cut", True, 4000)


# --- whatever a client sends -----------------------------------------------------------------------------------------

PNG = "iVBORw0KGgo="
FULL: dict[str, dict[str, Any]] = {
    "anthropic": body("anthropic", tool="Bash") | {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], "stop_sequences": ["x"],
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"format": {
            "type": "json_schema", "schema": {"type": "object"}}}, "tool_choice": {"type": "tool", "name": "Bash"},
        "messages": [{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "redacted_thinking", "data": "x"},
            {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                {"type": "tool_reference", "tool_name": "Bash"}]}]},
            {"role": "system", "content": [{"type": "text", "text": "x"}], "output_config": {"effort": "low"}}]},
    "openai-chat": body("openai-chat", tool="bash") | {
        "reasoning": {"effort": "high", "max_tokens": 100}, "stop": ["x"], "tool_choice": {
            "type": "allowed_tools", "allowed_tools": {"tools": [{"type": "function", "function": {"name": "bash"}}]}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG, "detail": "low"}}]},
            {"role": "assistant", "content": None, "reasoning_details": [{"type": "x"}], "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "c", "input": "x"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "r"}]}]},
    "openai-responses": body("openai-responses", tool="shell") | {
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "tools": [{"type": "custom", "name": "p", "format": {"type": "grammar", "definition": "x"}},
                  {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "x", "parameters": {}}]}],
        "input": [{"role": "developer", "content": [{"type": "input_text", "text": "d"}]},
                  {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "x"},
                  {"type": "function_call", "call_id": "c1", "name": "x", "arguments": "{}", "namespace": "ns"},
                  {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
                  {"type": "tool_search_output", "call_id": "c4", "tools": [{"type": "function", "name": "late"}]}]},
    "gemini": body("gemini", tool="sh") | {
        "systemInstruction": {"parts": [{"text": "s"}]}, "generationConfig": {
            "thinkingConfig": {"thinkingBudget": -1}, "responseSchema": {"type": "OBJECT", "properties": {"a": {}}}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["sh"]}},
        "contents": [{"role": "model", "parts": [{"executableCode": {"code": "x"}}, {
            "functionCall": {"name": "sh", "args": {"a": 1}, "id": "i"}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "sh", "id": "i", "response": {"output": "x"}}},
                                       {"inlineData": {"mimeType": "image/png", "data": PNG}}]}]},
}  # fmt: skip
OTHERS = st.sampled_from(
    [None, True, 0, -1, 1.5, 2**70, "", "x", "\ud83d", "auto", [], {}, [None], [[]], [{}], ["x"], {"type": "x"},
     {"type": []}, {"type": None}, "lynkr:v1:", "lynkr:v1:W10="]
)  # fmt: skip


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, held in inner:
        yield (*here, step)
        yield from places(held, (*here, step))


@st.composite
def broken(draw: st.DrawFn, whole_one: dict[str, Any]) -> dict[str, Any]:
    """`whole_one` with other JSON in one to three places."""
    made = copy.deepcopy(whole_one)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(made)) or [("x",)]))
        inner: Any = made
        for step in way:
            inner = inner[step]
        inner[last] = copy.deepcopy(draw(OTHERS))
    return made


@pytest.mark.parametrize("spoken", PROVIDERS)
def test_whatever_stands_in_a_request_is_taken_or_refused_and_never_a_fault_of_ours(spoken: str) -> None:
    clients = [client for client in others(spoken) if (client, spoken) != ("anthropic", SPOKEN)]
    with serving(spoken, loop("-", {})[spoken]) as (up, lynkr):

        @settings(max_examples=100, deadline=None)
        @example((clients[-1], {"tools": [{"functionDeclarations": [{"name": "x", "parametersJsonSchema": True}]}]}))
        @given(st.sampled_from(clients).flatmap(lambda client: st.tuples(st.just(client), broken(FULL[client]))))
        def taken_or_refused(given: tuple[str, dict[str, Any]]) -> None:
            client, sent = given
            before = len(up.asked)
            answer = ask(lynkr.port, target(client), json.dumps(sent).encode())
            assert answer.status in (200, 400), answer.body
            assert len(up.asked) - before == (answer.status == 200)
            assert answer.status == 200 or "lynkr: " in json.loads(answer.body)["error"]["message"]

        taken_or_refused()
    assert {row.error for row in lynkr.rows} <= {None, "invalid_request", "unreadable"}


def untyped() -> dict[str, Any]:
    """A block without a type in a message that has to change: the model finds no tools."""
    found = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "L"}]}
    return {"tools": [{"name": "L", "defer_loading": True}], "messages": [{"role": "user", "content": [found, {}]}]}


@pytest.mark.parametrize("known", [untyped(), {"messages": [
    {"role": "user", "content": "x"}, {"role": "system", "content": []}]}])  # fmt: skip
def test_the_same_of_a_request_that_goes_in_an_envelope(known: dict[str, Any]) -> None:
    old = "anthropic.claude-3-5-haiku-20241022-v1:0"
    with serving(SPOKEN, loop("-", {})[SPOKEN], "anthropic", model=old) as (_, lynkr):

        @settings(max_examples=100, deadline=None)
        @given(broken(FULL["anthropic"]))
        @example(known)
        @example({"messages": None, "cache_control": {}, "top_k": 1})
        def taken_or_refused(sent: dict[str, Any]) -> None:
            assert send(lynkr, sent).status in (200, 400)

        taken_or_refused()


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
def test_what_leaves_is_json_whatever_numbers_came(number: str) -> None:
    sent = json.dumps(body("openai-chat") | {"temperature": "?"}).replace('"?"', number)
    with serving("ollama", loop("-", {})["ollama"]) as (up, lynkr):
        answer = ask(lynkr.port, "/v1/chat/completions", sent.encode())
    assert answer.status == 400 or (b"Infinity" not in up.asked[0].body and b"NaN" not in up.asked[0].body)


@pytest.mark.parametrize(("spoken", "said"), [
    ("anthropic", {"id": "m", "content": [None]}), ("openai-chat", {"id": "c", "choices": [None]}),
    ("openai-responses", {"id": "r", "output": {}}), ("gemini", {"candidates": [True]}),
    ("ollama", {"message": {"content": "x"}}), ("bedrock-converse", {"output": []})])  # fmt: skip
def test_an_answer_of_an_odd_shape_is_the_lanes_fault_and_not_ours(spoken: str, said: dict[str, Any]) -> None:
    with serving(spoken, lambda _: whole(said)) as (_, lynkr):
        for client in others(spoken):
            answer = ask(lynkr.port, target(client, False), json.dumps(body(client, False)).encode())
            assert answer.status == 502
            assert b"lane 'main'" in answer.body
