"""What goes in comes out: bodies, headers and answers, byte for byte, in every format, streamed and not."""

from __future__ import annotations

import gzip
import json
import threading
import zlib

import pytest
import zstandard
from proxied import SECRET, anthropic_lane, ask, connect, nobody, openai_lane, proxy, read, request
from scripts import (
    END,
    STREAM_HEAD,
    Asked,
    Pause,
    Step,
    anthropic,
    chat,
    chunk,
    codex_loop,
    head,
    stream,
    upstream,
    whole,
)

from lynkr.document import Document
from lynkr.lane import Auth, Format
from lynkr.proxy.documents import Documents
from lynkr.secrets import Key

# Everything that a re-serialiser would change: spacing, key order, duplicate keys, numbers, escapes, lone surrogates.
ODD = (
    b'{ "stream":true,"model" : "claude-opus-5-5","x":1e0, "x":1E+0,"max_tokens":  10,"s":"\\ud800 \\u00e9 \xc3\xa9 / \\/",'
    b'"messages":[{"role":"user","content":"\xe2\x80\xa8 hi"}],\n\t"safeguards":[{"type":"dangerous_tool_use"}],"n":-0.0 }'
)


def test_the_body_arrives_as_the_client_sent_it() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        ask(lynkr.port, "/v1/messages?beta=true", ODD)
        assert up.asked[0].body == ODD
        assert up.asked[0].target == "/v1/messages?beta=true"
        assert lynkr.row().asked_model == lynkr.row().model == "claude-opus-5-5"


def test_what_goes_as_it_came_is_read_when_it_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, read_after = threading.Event(), list[bool]()
    real = Documents.read

    def reading(documents: Documents, body: bytes, text: str | None = None) -> Document:
        read_after.append(asked.wait(5))
        return real(documents, body, text)

    monkeypatch.setattr(Documents, "read", reading)
    body = b'{"model": "claude-opus-5-5", "max_tokens": 5, "messages": []}'

    def script(_: Asked) -> list[Step]:
        asked.set()
        return whole({"type": "message", "usage": {"input_tokens": 3, "output_tokens": 4}})

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr:
        assert ask(lynkr.port, "/v1/messages", body).status == 200
        row = lynkr.row()
    assert read_after == [True]
    assert (row.asked_model, row.model, row.usage.output) == ("claude-opus-5-5", "claude-opus-5-5", 4)


def test_of_what_could_not_be_sent_the_row_says_the_model_all_the_same() -> None:
    with nobody() as url, proxy(anthropic_lane(url)) as lynkr:
        assert ask(lynkr.port, "/v1/messages", b'{"model": "claude-opus-5-5"}').status == 502
        assert lynkr.row().asked_model == "claude-opus-5-5"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"model": 3}', b"not json at all"])
def test_what_is_no_request_is_left_to_the_lane_to_refuse(body: bytes) -> None:
    refusal = b'{"type":"error","error":{"type":"invalid_request_error","message":"what is this"}}'
    with upstream(lambda _: whole(refusal, 400)) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", body)
        assert (answer.status, answer.body) == (400, refusal)
        assert up.asked[0].body == body


def test_headers_arrive_in_their_order_and_spelling_without_what_belongs_to_the_connection() -> None:
    sent = ["X-Api-Key: sk-fake", "anthropic-VERSION: 2023-06-01", "Anthropic-Beta: a,b", "Anthropic-Beta: c",
            "Connection: keep-alive, X-Only-Here", "X-Only-Here: 1", "Keep-Alive: 5", "x-app: cli", "Accept: */*"]  # fmt: skip
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        ask(lynkr.port, "/v1/messages", ODD, sent)
        got = [f"{name}: {value}" for name, value in up.asked[0].headers]
        assert got == [
            f"Host: 127.0.0.1:{up.port}",
            "X-Api-Key: sk-fake",
            "anthropic-VERSION: 2023-06-01",
            "Anthropic-Beta: a,b",
            "Anthropic-Beta: c",
            "x-app: cli",
            "Accept: */*",
            f"Content-Length: {len(ODD)}",
        ]
        assert SECRET not in str(up.asked)


def test_a_stream_comes_back_byte_for_byte_with_its_headers() -> None:
    with upstream(anthropic()) as up:
        with connect(up.port) as straight:
            straight.sendall(request(up.port, "/v1/messages", ODD, secret="x"))
            expected = read(straight)
        with proxy(anthropic_lane(up.url)) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", ODD)
    assert answer.body == expected.body
    assert answer.ended
    ours = [pair for pair in answer.headers if not pair[0].startswith("x-lynkr") and pair[0] != "Transfer-Encoding"]
    assert ours == [pair for pair in expected.headers if pair[0] != "Transfer-Encoding"]
    assert {answer.header("x-lynkr-lane"), answer.header("x-lynkr-tier")} == {"main", "complex"}
    assert answer.header("x-lynkr-request") == lynkr.row().id


def test_chunks_come_as_they_are_made() -> None:
    def slow(_: Asked) -> list[object]:
        return [STREAM_HEAD, chunk(b"event: ping\ndata: {}\n\n"), Pause(30.0), chunk(b"never"), END]

    with upstream(slow) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/v1/messages", ODD))
        got = b""
        while b"event: ping\ndata: {}\n\n" not in got:
            got += connection.recv(65536)
        assert b"never" not in got


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503, 529])
def test_errors_of_the_lane_come_back_unchanged(status: int) -> None:
    body = b'{"type": "error", "error": {"type": "overloaded_error", "message": "capability_rejected: x"},"request_id":"r"}'
    with (
        upstream(lambda _: whole(body, status, "Retry-After: 7", "request-id: r")) as up,
        proxy(anthropic_lane(up.url)) as lynkr,
    ):
        answer = ask(lynkr.port, "/v1/messages", ODD)
        row = lynkr.row()
    assert (answer.status, answer.body, answer.header("retry-after")) == (status, body, "7")
    assert answer.header("x-should-retry") is None
    assert (row.status, row.outcome, row.cost_usd, row.error) == (status, "refused", 0.0, "overloaded_error")
    assert [(attempt.lane, attempt.status) for attempt in row.tried] == [("main", status)]


def test_head_and_everything_unknown_is_tunnelled() -> None:
    def script(asked: Asked) -> list[object]:
        if asked.method == "HEAD":
            return [head(200, "X-Hello: there", "Content-Length: 5")]
        return whole(asked.body[::-1], 207, kind="application/x-odd")

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr:
        greeting = ask(lynkr.port, "/api/hello", method="HEAD")
        other = ask(lynkr.port, "/v1/files/x%2Fy?a=b%20c&d", b"\x00\x01bytes", ["accept-encoding: br"], method="PUT")
    assert (greeting.status, greeting.header("x-hello")) == (200, "there")
    assert (other.status, other.body) == (207, b"setyb\x01\x00")
    assert up.asked[1].target == "/v1/files/x%2Fy?a=b%20c&d"
    assert up.asked[1].header("accept-encoding") == "br"
    assert [row.format for row in lynkr.rows] == [None, None]


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_compressed_bodies_pass_as_they_came_and_are_understood(coding: str) -> None:
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress, "deflate": zlib.compress}[coding](ODD)
    with upstream(lambda _: whole({"ok": 1})) as up, proxy(anthropic_lane(up.url)) as lynkr:
        ask(lynkr.port, "/v1/messages", packed, [f"Content-Encoding: {coding}"])
        assert up.asked[0].body == packed
        assert up.asked[0].header("content-encoding") == coding
        assert lynkr.row().asked_model == "claude-opus-5-5"


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_a_compressed_answer_passes_as_it_came_and_is_metered(coding: str) -> None:
    plain = next(iter(anthropic()(Asked("POST", "/v1/messages", [], b'{"model":"claude-opus-5-5"}'))))
    body = plain.partition(b"\r\n\r\n")[2]
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress, "deflate": zlib.compress}[coding](body)
    with (
        upstream(lambda _: whole(packed, 200, f"Content-Encoding: {coding}")) as up,
        proxy(anthropic_lane(up.url)) as lynkr,
    ):
        answer = ask(lynkr.port, "/v1/messages", ODD)
        row = lynkr.row()
    assert (answer.body, answer.header("content-encoding")) == (packed, coding)
    assert (row.usage.cache_read, row.usage.output, row.estimated) == (4000, 42, False)


def test_a_lane_with_a_model_changes_that_word_and_nothing_else() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url, model="claude-haiku-5-5")) as lynkr:
        ask(lynkr.port, "/v1/messages", ODD)
        row = lynkr.row()
    assert up.asked[0].body == ODD.replace(b'"claude-opus-5-5"', b'"claude-haiku-5-5"')
    assert (row.asked_model, row.model) == ("claude-opus-5-5", "claude-haiku-5-5")
    assert row.cost_usd is not None and row.baseline_usd is not None
    assert row.baseline_usd > row.cost_usd


def test_a_lane_with_a_model_unpacks_what_it_has_to_change() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url, model="claude-opus-5")) as lynkr:
        ask(lynkr.port, "/v1/messages", gzip.compress(ODD), ["Content-Encoding: gzip"])
    assert up.asked[0].body == ODD.replace(b'"claude-opus-5-5"', b'"claude-opus-5"')
    assert up.asked[0].header("content-encoding") is None


def test_a_lane_with_its_own_key_takes_the_clients_credentials_off() -> None:
    sent = ["Authorization: Bearer sk-ant-oat01-users", "x-api-key: sk-users", "Cookie: a=b", "x-app: cli"]
    lane = anthropic_lane("", auth=Auth.KEY)
    with upstream(anthropic()) as up:
        lane = anthropic_lane(up.url, auth=Auth.KEY)
        with proxy(lane, keys={"main": Key("sk-lanes-own")}) as lynkr:
            ask(lynkr.port, "/v1/messages", ODD, sent)
    assert up.asked[0].header("x-api-key") == "sk-lanes-own"
    assert "users" not in str(up.asked[0].headers)
    assert up.asked[0].header("x-app") == "cli"


def test_responses_and_chat_are_relayed_and_metered() -> None:
    body = b'{"model":"gpt-6.1-sol","input":[{"type":"function_call_output"}],"stream":true}'
    with upstream(codex_loop("ls")) as up, proxy(openai_lane(up.url + "/v1")) as lynkr:
        answer = ask(lynkr.port, "/v1/responses", body)
        row = lynkr.row()
    assert b"response.completed" in answer.body
    assert up.asked[0].path == "/v1/responses"
    assert (row.usage.input, row.usage.cache_read, row.usage.output, row.usage.reasoning) == (360, 640, 50, 20)

    for extra in (b"", b',"stream":true', b',"stream":true,"stream_options":{"include_usage":true}'):
        with upstream(chat()) as up, proxy(openai_lane(up.url + "/v1")) as lynkr:
            ask(lynkr.port, "/v1/chat/completions", b'{"model":"gpt-5.5","messages":[]' + extra + b"}")
            row = lynkr.row()
        told = b"usage" in extra or not extra
        assert row.estimated is not told
        assert (row.usage.cache_read == 512) is told


def test_what_the_figures_cost_can_be_redone_by_hand() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        ask(lynkr.port, "/v1/messages", ODD)
        row = lynkr.row()
    # claude-opus-5-5, USD per million: input 4, output 20, write 5, write for an hour 8, read 0.20.
    assert row.cost_usd == pytest.approx((12 * 4 + 100 * 5 + 200 * 8 + 4000 * 0.20 + 42 * 20) / 1e6)
    assert row.baseline_usd == row.cost_usd


def test_counting_tokens_is_relayed_and_free() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages/count_tokens", ODD)
        row = lynkr.row()
    assert json.loads(answer.body) == {"input_tokens": 77}
    assert (row.cost_usd, row.format, row.usage.prompt) == (0.0, "anthropic", 0)


def test_requests_of_a_chatgpt_login_go_to_chatgpts_backend_in_their_own_paths() -> None:
    # The address alone: tests/e2e/test_direct.py sends such requests through TLS and a proxy.
    from lynkr.upstream.catalog import address, base_url

    lane = openai_lane(None)
    base = base_url(lane, Format.OPENAI_RESPONSES, {}, {"chatgpt-account-id": "a"})
    assert address(lane, Format.OPENAI_RESPONSES, base, "/v1/responses").target == "/backend-api/codex/responses"
    assert base_url(lane, Format.OPENAI_RESPONSES, {}, {}) == "https://api.openai.com/v1"
    own = {"openai": "https://gateway.example/v1"}
    assert base_url(lane, Format.OPENAI_RESPONSES, own, {"chatgpt-account-id": "a"}) == "https://gateway.example/v1"


def test_many_requests_share_a_connection_both_ways() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        for _ in range(5):
            connection.sendall(request(lynkr.port, "/v1/messages", ODD))
            assert read(connection).ended
        assert up.connections == 1
        lynkr.row(4)
        assert len({row.id for row in lynkr.rows}) == 5


def test_requests_sent_ahead_are_answered_in_turn() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/v1/messages", ODD) * 3)
        with connection.makefile("rb") as reader:
            data = b""
            while data.count(b"message_stop\n") < 3:
                data += reader.read1(65536)
        assert len(up.asked) == 3


def test_an_empty_stream_is_an_empty_stream() -> None:
    with upstream(lambda _: stream([])) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", ODD)
    assert (answer.status, answer.body, answer.ended) == (200, b"", True)
