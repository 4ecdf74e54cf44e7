"""When something goes wrong: what the client sees, what the ledger says, and that nothing stays open."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time

import pytest
import trustme
from proxied import SECRET, anthropic_lane, ask, connect, nobody, openai_lane, proxy, read, request
from scripts import (
    ANTHROPIC_USAGE,
    END,
    STREAM_HEAD,
    Asked,
    Cut,
    Hang,
    Step,
    anthropic,
    anthropic_events,
    chunk,
    head,
    responses_events,
    said,
    upstream,
    whole,
)

from lynkr.lane import Format

BODY = b'{"model":"claude-opus-5-5","stream":true,"messages":[]}'
EVENTS = anthropic_events([{"type": "text", "text": "x" * 400}], "end_turn", ANTHROPIC_USAGE, "claude-opus-5-5")


def error_of(body: bytes) -> str:
    return str(json.loads(body)["error"]["message"])


def test_a_lane_that_nobody_listens_on_is_named_and_not_retried() -> None:
    with nobody() as url, proxy(anthropic_lane(url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert answer.status == 502
    assert "lane 'main'" in error_of(answer.body)
    assert "refused" in error_of(answer.body)
    assert json.loads(answer.body)["type"] == "error"
    assert answer.header("x-should-retry") == "false"
    assert (row.outcome, row.status, row.cost_usd) == ("refused", 502, 0.0)
    assert row.tried[0].status is None


def test_an_error_in_answer_to_head_has_no_body_and_the_proxy_lives_on() -> None:
    with nobody() as url, proxy(anthropic_lane(url)) as lynkr:
        for _ in range(2):
            answer = ask(lynkr.port, "/api/hello", method="HEAD")
            assert (answer.status, answer.header("x-should-retry")) == (502, "false")
        assert lynkr.row(1).status == 502


def test_a_body_after_head_does_not_become_the_next_requests_answer() -> None:
    def script(asked: Asked) -> list[Step]:
        return whole({"rude": True}) if asked.method == "HEAD" else list(anthropic()(asked))

    with upstream(script) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(request(lynkr.port, "/api/hello", method="HEAD"))
        assert read(connection, head_only=True).status == 200
        connection.sendall(request(lynkr.port, "/v1/messages", BODY))
        assert b"message_stop" in read(connection).body
        assert [row.outcome for row in (lynkr.row(0), lynkr.row(1))] == ["ok", "ok"]
        assert len(up.asked) == 2


def test_a_providers_own_name_that_cannot_be_looked_up_is_the_network_and_may_be_retried() -> None:
    from lynkr.upstream.catalog import Address
    from lynkr.upstream.failure import Failure, explain

    failure = Failure("connect", "x")
    failure.__cause__ = socket.gaierror(socket.EAI_NONAME, "no name")
    own = explain(failure, anthropic_lane(None), Address("https", "api.anthropic.com", None, "/"))
    typed = explain(failure, anthropic_lane(None), Address("https", "api.antropic.com", None, "/"))
    assert (own.retry, typed.retry) == (True, False)
    assert "online" in own.sentence
    assert "base_url" in typed.sentence


def test_each_format_gets_its_own_error() -> None:
    with nobody() as dead, proxy(openai_lane(dead + "/v1")) as lynkr:
        for path in ("/v1/responses", "/v1/chat/completions"):
            answer = ask(lynkr.port, path, b'{"model":"gpt-5.5"}')
            error = json.loads(answer.body)["error"]
            assert {"message", "type", "param", "code"} == set(error)
            assert "lane 'gpt'" in error["message"]


def test_a_name_that_cannot_be_looked_up_says_so() -> None:
    with proxy(anthropic_lane("http://no-such-host.invalid")) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.status == 502
    assert "no-such-host.invalid" in error_of(answer.body)


def test_a_certificate_that_is_not_trusted_says_so_and_is_not_retried() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with upstream(anthropic(), tls=context) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.status == 502
    assert "certificate" in error_of(answer.body)
    assert answer.header("x-should-retry") == "false"


def test_a_trusted_certificate_is_trusted(tmp_path: object) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with authority.cert_pem.tempfile() as path, upstream(anthropic(), tls=context) as up:
        with proxy(anthropic_lane(up.url), environ={"NODE_EXTRA_CA_CERTS": path}) as lynkr:
            assert ask(lynkr.port, "/v1/messages", BODY).status == 200


def test_plain_http_where_tls_is_expected_is_explained() -> None:
    def plain(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=plain, args=(listener,))
        thread.start()
        with proxy(anthropic_lane(f"https://127.0.0.1:{listener.getsockname()[1]}")) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY)
        thread.join()
    assert answer.status == 502
    assert "TLS" in error_of(answer.body)


def test_a_lane_that_does_not_answer_in_time_is_a_timeout() -> None:
    with upstream(lambda _: [Hang()]) as up, proxy(anthropic_lane(up.url, timeout_s=0.3)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert answer.status == 504
    assert "timeout_s" in error_of(answer.body)
    assert answer.header("x-should-retry") is None
    assert row.outcome == "refused"


@pytest.mark.parametrize("steps", [[Cut()], [STREAM_HEAD, Cut()], [b"HTTP/1.1 200 O", Cut()], [b"garbage\r\n\r\n"]])
def test_a_lane_that_hangs_up_before_it_says_anything_is_a_502(steps: list[Step]) -> None:
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.status == 502
    assert "lane 'main'" in error_of(answer.body)


def test_a_stream_cut_between_events_ends_in_the_formats_own_error() -> None:
    sent = b"".join(EVENTS[:4])
    with upstream(lambda _: [STREAM_HEAD, chunk(sent), Cut()]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert answer.body.startswith(sent)
    name, data = answer.body[len(sent) :].decode().split("\n", 1)
    assert name == "event: error"
    assert "lane 'main'" in error_of(data.removeprefix("data: ").encode())
    assert answer.ended
    assert row.outcome == "cut"
    # The provider's figure for the input stands; the output it did not tell is estimated from the text that came.
    assert (row.usage.cache_read, row.usage.output, row.estimated) == (4000, 100, True)


def test_a_stream_cut_inside_an_event_still_ends_in_an_error_that_clients_read() -> None:
    sent = b"".join(EVENTS[:3]) + EVENTS[3][:40]
    with upstream(lambda _: [STREAM_HEAD, chunk(sent), Cut()]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert answer.body.startswith(sent + b"\nevent: error\ndata: ")


def test_a_responses_stream_that_is_cut_fails_as_codex_expects() -> None:
    sent = responses_events([said("hi")])[0]
    with upstream(lambda _: [STREAM_HEAD, chunk(sent), Cut()]) as up, proxy(openai_lane(up.url + "/v1")) as lynkr:
        answer = ask(lynkr.port, "/v1/responses", b'{"model":"gpt-5.5"}')
    assert b"event: response.failed\n" in answer.body[len(sent) :]
    assert b"lane 'gpt'" in answer.body


def test_a_chat_stream_cut_inside_an_event_ends_as_the_lane_ended_it() -> None:
    with (
        upstream(lambda _: [STREAM_HEAD, chunk(b'data: {"cho'), Cut()]) as up,
        proxy(openai_lane(up.url + "/v1")) as lynkr,
    ):
        answer = ask(lynkr.port, "/v1/chat/completions", b'{"model":"gpt-5.5"}')
    assert (answer.body, answer.ended) == (b'data: {"cho', False)


def test_an_answer_shorter_than_announced_is_not_made_whole() -> None:
    steps: list[Step] = [head(200, "Content-Type: application/json", "Content-Length: 100") + b'{"a":', Cut()]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert (answer.status, answer.body, answer.ended) == (200, b'{"a":', False)
    assert row.outcome == "cut"


@pytest.mark.parametrize("steps", [[Hang()], [STREAM_HEAD, Hang()], [STREAM_HEAD, chunk(EVENTS[0]), Hang()]])
def test_a_client_that_hangs_up_ends_the_request_upstream_and_has_its_row(steps: list[Step]) -> None:
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            while not up.asked:
                time.sleep(0.01)
            time.sleep(0.05)
        row = lynkr.row()
        deadline = time.monotonic() + 5
        while not up.closed_early and time.monotonic() < deadline:
            time.sleep(0.01)
    assert row.outcome == "gone"
    assert up.closed_early == 1
    assert len(lynkr.rows) == 1
    assert row.estimated


def test_the_end_of_a_session_ends_what_goes_on_and_writes_its_row() -> None:
    with upstream(lambda _: [STREAM_HEAD, chunk(EVENTS[0]), Hang()]) as up:
        with proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY))
            connection.recv(100)
    assert [row.outcome for row in lynkr.rows] == ["gone"]


def test_without_the_secret_there_is_401_and_nothing_more() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        for secret in ("wrong", "", SECRET[:-1], SECRET + "x", SECRET.upper()):
            answer = ask(lynkr.port, "/v1/messages", BODY, secret=secret)
            assert (answer.status, answer.body) == (401, b"")
        assert not up.asked
        assert not lynkr.rows


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80"])
def test_a_foreign_host_is_403(host: str) -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(f"GET /{SECRET}/v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert read(connection).status == 403
        assert not up.asked


def test_the_secret_may_come_in_a_header_whose_own_value_is_put_back() -> None:
    with (
        upstream(lambda _: whole({})) as up,
        proxy(openai_lane(up.url + "/v1"), carriers=(("OpenAI-Project", "proj_1"),)) as lynkr,
    ):
        with connect(lynkr.port) as connection:
            connection.sendall(
                f"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{lynkr.port}\r\nopenai-project: {SECRET}\r\n\r\n".encode()
            )
            assert read(connection).status == 200
    assert up.asked[0].header("openai-project") == "proj_1"
    assert SECRET not in str(up.asked[0])


def test_a_websocket_for_responses_gets_426() -> None:
    headers = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"]
    with upstream(anthropic()) as up, proxy(openai_lane(up.url + "/v1")) as lynkr:
        answer = ask(lynkr.port, "/v1/responses", headers=headers, method="GET")
        assert answer.status == 426
        assert not up.asked
        assert lynkr.row().status == 426


def test_a_body_that_is_too_large_is_413_in_the_clients_format() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            announced = f"POST /{SECRET}/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{lynkr.port}\r\nContent-Length: 67108865\r\n\r\n"
            connection.sendall(announced.encode() + b"x" * 1000)
            answer = read(connection)
        assert (answer.status, json.loads(answer.body)["error"]["type"]) == (413, "request_too_large")
        assert "64 MiB" in error_of(answer.body)
        assert not up.asked


def test_headers_that_are_too_large_are_refused() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        connection.sendall(f"GET /{SECRET}/v1/models HTTP/1.1\r\nX: ".encode() + b"x" * 200_000)
        assert read(connection).status == 431


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_what_is_no_http_is_refused_and_the_proxy_lives_on(garbage: bytes) -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(garbage + b"\r\n\r\n")
            assert connection.recv(1000)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 505", b"")
        assert ask(lynkr.port, "/v1/messages", BODY).status == 200


def test_a_request_without_a_lane_that_speaks_it_names_the_lanes() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/responses", b'{"model":"gpt-5.5"}')
        assert answer.status == 400
        assert "lane 'main' speaks anthropic" in error_of(answer.body)
        assert not up.asked


def test_a_client_that_wants_to_be_asked_for_its_body_is_asked() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        whole_request = request(lynkr.port, "/v1/messages", BODY, ["Expect: 100-continue"])
        connection.sendall(whole_request[: -len(BODY)])
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        assert read(connection).status == 200
        assert up.asked[0].header("expect") is None


def test_slow_clients_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.proxy.server.HEAD_S", 0.2)
    monkeypatch.setattr("lynkr.proxy.server.BODY_S", 0.2)
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(f"POST /{SECRET}/v1/mess".encode())
            assert connection.recv(100) == b""
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY)[:-5])
            answer = read(connection)
        assert answer.status == 408
        assert not up.asked


def test_whoever_has_shown_the_secret_may_think_longer_than_whoever_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.proxy.server.HEAD_S", 0.3)
    monkeypatch.setattr("lynkr.proxy.server.IDLE_S", 1.2)
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            for _ in range(2):
                connection.sendall(request(lynkr.port, "/v1/messages", BODY))
                assert read(connection).status == 200
                time.sleep(0.6)
            began = time.monotonic()
            assert connection.recv(1) == b""
            assert 0.3 < time.monotonic() - began < 10
        with connect(lynkr.port) as stranger:
            assert stranger.recv(1) == b""
        assert len(up.asked) == 2


def test_an_odd_answer_is_relayed_all_the_same() -> None:
    steps: list[Step] = [STREAM_HEAD, chunk(b"event: message_start\ndata: {broken\n\n"), chunk(b"\xff\xfe\n\n"), END]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert answer.body == b"event: message_start\ndata: {broken\n\n\xff\xfe\n\n"
    assert (row.outcome, row.estimated) == ("ok", True)


@pytest.mark.parametrize("reset", [False, True])
def test_an_upload_that_is_broken_off_ends_that_connection_only(reset: bool) -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        with connect(lynkr.port) as connection:
            connection.sendall(request(lynkr.port, "/v1/messages", BODY)[:-10])
            time.sleep(0.1)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        assert ask(lynkr.port, "/v1/messages", BODY).status == 200
        assert sorted(row.outcome for row in (lynkr.row(0), lynkr.row(1))) == ["gone", "ok"]


@pytest.mark.parametrize("figure", [b"1e999", b"9" * 400, b"-5", b'"x"', b"null", b"[]"])
@pytest.mark.parametrize("streamed", [False, True])
def test_figures_that_are_none_change_nothing_on_the_way(figure: bytes, streamed: bool) -> None:
    usage = b'"usage":{"input_tokens":5,"output_tokens":' + figure + b"}}"
    if streamed:
        sent = b'event: message_delta\ndata: {"type":"message_delta",' + usage + b"\n\n"
        steps: list[Step] = [STREAM_HEAD, chunk(sent), END]
    else:
        sent = b'{"id":"m",' + usage
        steps = whole(sent)
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
        row = lynkr.row()
    assert (answer.body, answer.ended) == (sent, True)
    assert (row.outcome, row.usage.output) == ("ok", 0)


def test_both_kinds_of_length_are_chunks() -> None:
    steps: list[Step] = [head(200, "Content-Length: 3", "Transfer-Encoding: chunked") + chunk(b"hello") + END]
    with upstream(lambda _: steps) as up, proxy(anthropic_lane(up.url)) as lynkr:
        assert ask(lynkr.port, "/v1/messages", BODY).body == b"hello"


def test_an_upstream_that_speaks_no_http_is_not_asked_again() -> None:
    with upstream(lambda _: [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Cut()]) as up, proxy(anthropic_lane(up.url)) as lynkr:
        answer = ask(lynkr.port, "/v1/messages", BODY)
    assert "not HTTP" in error_of(answer.body)
    assert answer.header("x-should-retry") == "false"


def test_a_proxy_that_is_not_there_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with nobody() as dead:
        monkeypatch.setenv("http_proxy", dead.replace("://", "://user:pass-word@"))
        with proxy(anthropic_lane("http://provider.example")) as lynkr:
            answer = ask(lynkr.port, "/v1/messages", BODY)
    assert "through the proxy 127.0.0.1:" in error_of(answer.body)
    assert b"pass-word" not in answer.body


def test_the_secret_never_travels_on() -> None:
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
        for target in (f"/{SECRET}/v1/messages", f"/v1/messages?x={SECRET}"):
            assert ask(lynkr.port, target, BODY).status == 401
        assert not up.asked


def test_a_credential_is_not_sent_to_a_provider_that_is_only_a_guess() -> None:
    with upstream(anthropic()) as up:
        lanes = (anthropic_lane(up.url), openai_lane(up.url + "/v1"))
        with proxy(*lanes) as lynkr:
            answer = ask(lynkr.port, "/v1/oauth/token", b'{"assertion":"a.b.c"}', ["Authorization: Bearer eyJ"])
            assert answer.status == 400
            assert not up.asked
        with proxy(*lanes, speaks=(Format.ANTHROPIC,)) as lynkr:
            assert ask(lynkr.port, "/v1/oauth/token", b'{"model":"m"}').header("x-lynkr-lane") == "main"


def test_a_slow_head_is_dropped_however_steadily_it_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkr.proxy.server.HEAD_S", 0.4)
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr, connect(lynkr.port) as connection:
        began = time.monotonic()
        with pytest.raises(OSError):
            for letter in request(lynkr.port, "/v1/messages", BODY) * 100:
                connection.sendall(bytes([letter]))
                time.sleep(0.05)
                if time.monotonic() - began > 0.3:
                    connection.settimeout(0.01)
                    try:
                        if connection.recv(10) == b"":
                            raise ConnectionResetError
                    except TimeoutError:
                        continue
        assert time.monotonic() - began < 5


def test_running_out_of_files_is_survived() -> None:
    """In a process of its own, whose limit is low."""
    import subprocess
    import sys

    code = """
import resource, socket, sys, time
sys.path[:0] = sys.argv[1:]
from proxied import SECRET, anthropic_lane, ask, connect, proxy
from scripts import anthropic, upstream
from lynkr.lane import Format

BODY = b'{"model":"m"}'
with upstream(anthropic()) as up, proxy(anthropic_lane(up.url)) as lynkr:
    assert ask(lynkr.port, "/v1/messages", BODY).status == 200
    import os
    used = len(os.listdir("/proc/self/fd"))
    crowd = [connect(lynkr.port) for _ in range(30)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 50, used + 50))
    more = []
    try:
        while True: more.append(connect(lynkr.port))
    except OSError: pass
    time.sleep(0.3)
    for connection in crowd + more: connection.close()
    time.sleep(0.5)
    assert ask(lynkr.port, "/v1/messages", BODY).status == 200
print("survived")
"""
    from pathlib import Path

    folder = str(Path(__file__).parent.parent)
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "survived\n", done.stderr
