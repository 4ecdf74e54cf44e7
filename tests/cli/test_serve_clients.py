"""`lynkr serve` as clients meet it: who is let in, where a request goes by its path, and what goes no further."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import profile
from scripts import Upstream, anthropic, upstream
from standing import KEY, LANE, OPEN, WHOLE, Serve, Slow, serving, streams, until, whole

CARRIERS = (
    "Authorization: Bearer {}",
    "authorization: bearer {}",
    "x-api-key: {}",
    "api-key: {}",
    "x-goog-api-key: {}",
)
PROMPT = "the secret plan of the client"
ASKED = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]}).encode()


@pytest.fixture(scope="module")
def lanes() -> Iterator[tuple[Upstream, Upstream]]:
    """The lane with a key of its own, and the one with the client's."""
    with upstream(anthropic("Whatever was wanted.")) as keyed, upstream(anthropic()) as own:
        yield keyed, own


@pytest.fixture(scope="module")
def stood(lanes: tuple[Upstream, Upstream], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    home = tmp_path_factory.mktemp("served")
    profile(home, "work", LANE.format(name="main", url=lanes[0].url))
    profile(home, "own", OPEN.format(name="theirs", url=lanes[1].url))
    words = ("-p", "work", "-p", "own", "--allow-host", "proxy.test", "--allow-host", "Other.Test", "--log", "log")
    with serving(home, *words) as found:
        yield found


@pytest.fixture
def keyed(lanes: tuple[Upstream, Upstream]) -> Upstream:
    lanes[0].asked.clear()
    return lanes[0]


@pytest.fixture
def own(lanes: tuple[Upstream, Upstream]) -> Upstream:
    lanes[1].asked.clear()
    return lanes[1]


def lines(serve: Serve) -> list[dict[str, object]]:
    return [json.loads(line) for line in (serve.home / "log").read_text("utf-8").splitlines()]


def test_the_token_in_the_path_opens(stood: Serve, keyed: Upstream) -> None:
    assert stood.ask().status == 200
    assert keyed.asked[0].header("x-api-key") == KEY
    assert keyed.asked[0].target == "/v1/messages"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_token_opens_wherever_a_client_puts_its_key_and_goes_no_further(
    stood: Serve, keyed: Upstream, carrier: str
) -> None:
    assert stood.ask(headers=[carrier.format(stood.token)], token="").status == 200
    assert stood.token not in str(keyed.asked[0])
    assert keyed.asked[0].header("x-api-key") == KEY


@pytest.mark.parametrize("path", ["/v1/messages", "/p/own/v1/messages", "/health/live", "/metrics", "/", "/p/none/v1"])
@pytest.mark.parametrize(
    "shown", ["", "wrong", "{}x", "X-Other: {}", "Authorization: Basic {}", "Cookie: x-api-key={}"]
)
def test_without_the_token_there_is_401_and_nothing_more(
    stood: Serve, keyed: Upstream, own: Upstream, path: str, shown: str
) -> None:
    said = shown.format(stood.token)
    answer = stood.ask(path, headers=[said] if ":" in said else [], token="" if ":" in said else said)
    assert (answer.status, answer.body) == (401, b"")
    assert answer.header("x-lynkr-request") is None
    assert not keyed.asked + own.asked


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:{}", "127.0.0.1", "127.0.0.1:1", "proxy.test.evil", "[::1]:9"]
)
def test_a_foreign_host_gets_403(stood: Serve, keyed: Upstream, host: str) -> None:
    answer = stood.ask(host=host.format(stood.port))
    assert (answer.status, answer.body) == (403, b"")
    assert not keyed.asked


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "proxy.test", "PROXY.test:443", "other.test:8711"])
def test_this_machine_and_allowed_hosts_are_served(stood: Serve, host: str) -> None:
    assert stood.ask(host=host.format(stood.port)).status == 200


@pytest.mark.parametrize(("path", "lane"), [("", "main"), ("/p/work", "main"), ("/p/own", "theirs")])
def test_each_profile_is_under_its_name_and_the_first_under_all_else(stood: Serve, path: str, lane: str) -> None:
    answer = stood.ask(f"{path}/v1/messages?beta=true")
    assert answer.header("x-lynkr-lane") == lane
    row = stood.row(answer.header("x-lynkr-request"))
    assert (row.lane, row.path) == (lane, "/v1/messages")


def test_each_profile_is_a_session_of_its_own_in_the_ledger(stood: Serve) -> None:
    ids = [stood.ask(f"{path}/v1/messages").header("x-lynkr-request") for path in ("/p/work", "/p/own")]
    for identity in ids:
        stood.row(identity)
    found = {row.id: (session.tool, session.profile) for session, row in stood.rows()}
    assert [found[str(identity)] for identity in ids] == [("serve", "work"), ("serve", "own")]


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/v1/messages", WHOLE, ("error", "message")),
        ("/v1/chat/completions", b'{"model": "m", "messages": []}', ("error", "message")),
        ("/v1beta/models/m:generateContent", b"{}", ("error", "message")),
    ],
)
def test_an_unknown_profile_is_404_in_the_clients_format_with_the_known_ones(
    stood: Serve, path: str, body: bytes, at: tuple[str, str]
) -> None:
    answer = stood.ask(f"/p/none{path}", body)
    assert answer.status == 404
    assert json.loads(answer.body)[at[0]][at[1]].endswith("it serves work, own")


def test_a_clients_own_credential_goes_on_where_the_token_is_in_the_path(stood: Serve, own: Upstream) -> None:
    assert stood.ask("/p/own/v1/messages", headers=["x-api-key: sk-the-clients"]).status == 200
    assert own.asked[0].header("x-api-key") == "sk-the-clients"
    assert stood.token not in str(own.asked[0])


def test_a_clients_own_credential_stays_off_a_lane_with_a_key(stood: Serve, keyed: Upstream) -> None:
    assert stood.ask(headers=["Authorization: Bearer sk-the-clients"]).status == 200
    assert "sk-the-clients" not in str(keyed.asked[0])


def test_the_token_as_the_key_is_no_credential_for_a_lane_with_the_clients(stood: Serve, own: Upstream) -> None:
    stood.ask("/p/own/v1/messages", headers=[f"x-api-key: {stood.token}"], token="")
    assert stood.token not in str(own.asked)
    assert not own.asked or own.asked[0].header("x-api-key") is None


@pytest.mark.parametrize("header", [*CARRIERS[:3], "Referer: http://127.0.0.1/{}/v1"])
def test_a_token_that_is_in_the_path_and_in_a_header_goes_no_further(stood: Serve, own: Upstream, header: str) -> None:
    stood.ask("/p/own/v1/messages", headers=[header.format(stood.token)])
    assert stood.token not in str(own.asked)


def test_a_token_that_is_in_two_headers_goes_no_further(stood: Serve, own: Upstream) -> None:
    shown = [f"x-api-key: {stood.token}", f"Authorization: Bearer {stood.token}"]
    stood.ask("/p/own/v1/messages", headers=shown, token="")
    assert stood.token not in str(own.asked)


def test_an_id_is_the_same_for_the_client_the_log_the_ledger_and_the_report(stood: Serve) -> None:
    identity = str(stood.ask(body=ASKED).header("x-lynkr-request"))
    row = stood.row(identity)
    line = until(lambda: next((line for line in lines(stood) if line.get("request") == identity), None))
    same = ("lane", "provider", "model", "asked_model", "status", "outcome", "cost_usd", "first_byte_ms", "ms", "at")
    assert {name: line[name] for name in same} == {name: getattr(row, name) for name in same}
    assert line["output_tokens"] == row.usage.output == 42
    assert identity in stood.lynkr("report", identity).out


@pytest.mark.parametrize("path", [
    "/p/none/v1/messages",
    "/v1/messages", "/p/own/v1/messages", "/v1/other",
])  # fmt: skip
def test_every_answer_to_a_request_has_an_id(stood: Serve, path: str) -> None:
    assert stood.ask(path).header("x-lynkr-request")


def test_neither_token_nor_key_nor_a_word_of_a_prompt_is_kept_or_shown(stood: Serve, own: Upstream) -> None:
    """Everything under its folder and of its process is looked at, but what is there to tell the token."""
    stood.row(stood.ask(body=ASKED).header("x-lynkr-request"))
    stood.ask("/nowhere", body=ASKED, headers=[f"x-api-key: {stood.token}"])
    stood.ask(f"/v1/messages?key={stood.token}", body=ASKED)
    stood.ask(f"/p/{stood.token}/v1/messages", body=ASKED)
    until(lambda: len(lines(stood)) == len(stood.rows()))
    seen = [Path(f"/proc/{stood.process.pid}/cmdline").read_bytes()]
    for path in stood.home.rglob("*"):
        if path.is_file() and path.name not in ("token", "serve.out"):
            seen.append(path.read_bytes())
    for secret in (stood.token, KEY, PROMPT):
        assert not [part for part in seen if secret.encode() in part]
    assert (stood.home / "lynkr/state/serve/token").stat().st_mode & 0o077 == 0
    assert (stood.home / "lynkr/state/serve").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("log", ["log", "-"])
def test_a_log_is_a_line_of_json_for_each_request_whatever_becomes_of_it(clean_machine: Path, log: str) -> None:
    slow = Slow()
    with upstream(slow) as up:
        profile(clean_machine, "work", LANE.format(name="main", url=up.url))
        with serving(clean_machine, "-p", "work", "--log", log, "--notice", "0") as stood:
            ids = [stood.ask().header("x-lynkr-request"), stood.ask("/v1/nothing/here").header("x-lynkr-request")]
            with streams(stood, slow, 2) as answers:
                pass
            assert all(map(whole, answers))
            ids += [answer.header("x-lynkr-request") for answer in answers]
            assert stood.lynkr("serve", "stop").status == 0
            text = stood.err if log == "-" else (clean_machine / "log").read_text("utf-8")
    said = [json.loads(line) for line in text.splitlines()]
    assert sorted(line["request"] for line in said if line["event"] == "request") == sorted(map(str, ids))
    assert {line["level"] for line in said} <= {"info", "warning"}
