"""What `lynkr serve --otel` sends, as a collector on loopback receives it, against the GenAI conventions."""

from __future__ import annotations

import contextlib
import gzip
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import lynkr, profile
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from scripts import Asked, Step, anthropic, upstream, whole
from standing import KEY, LANE, Serve, serving, until

from lynkr.ledger.row import Row, Session
from lynkr.telemetry import Telemetry
from lynkr.usage import Usage

PROMPT = "the secret plan of the client"
SESSION = Session("01SESSION", "serve", "work", "127.0.0.1:8711", "2026-11-21T00:00:00.000Z")
ROW = Row(
    "01REQUEST", "2026-11-21T10:00:00.250Z", "POST", "/v1/messages", "anthropic", "complex", "first lane", "main",
    "anthropic", "claude-haiku-5-5", "claude-opus-5-5", 200,
    usage=Usage(input=12, cache_read=4000, cache_write=100, cache_write_1h=200, output=42),
    cost_usd=0.0125, baseline_usd=0.02, first_byte_ms=420.5, ms=1500.125, conversation="c0ffee",
)  # fmt: skip
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/, gen_ai.provider.name
WELL_KNOWN = {
    "anthropic": "anthropic", "claude": "anthropic", "openai": "openai", "bedrock": "aws.bedrock", "gemini": "gcp.gemini",
    "azure-openai": "azure.ai.openai", "vertex": "gcp.vertex_ai", "deepseek": "deepseek", "groq": "groq",
    "mistral": "mistral_ai", "xai": "x_ai",
}  # fmt: skip
# Of gen_ai.client.operation.duration and gen_ai.client.token.usage.
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]


@dataclass
class Collector:
    """What was sent to it, decoded; `raw` is all of it as it came."""

    url: str = ""
    raw: list[bytes] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)

    def take(self, path: str, body: bytes) -> None:
        self.raw.append(body)
        if path == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(attributes(traced.resource))
                self.spans += [span for scope in traced.scope_spans for span in scope.spans]
        if path == "/v1/metrics":
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resources.append(attributes(measured.resource))
                self.metrics |= {m.name: m for scope in measured.scope_metrics for m in scope.metrics}


def attributes(thing: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a resource, each as a value of its own type."""
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in thing.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.take(self.path, gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Post) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()


def told(collector: Collector, monkeypatch: pytest.MonkeyPatch, *rows: Row) -> Collector:
    """The collector, after these rows."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    telemetry = Telemetry()
    telemetry.add(SESSION, rows)
    telemetry.close()
    return collector


def points(metric: Any) -> list[tuple[dict[str, Any], Any]]:
    return [(attributes(point), point) for point in metric.histogram.data_points]


def test_a_span_is_named_timed_and_described_as_the_conventions_say(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    (span,) = told(collector, monkeypatch, ROW).spans
    assert (span.name, span.kind) == ("chat claude-opus-5-5", 3)  # a client's
    began = int(datetime.fromisoformat("2026-11-21T10:00:00.250+00:00").timestamp() * 1000) * 1_000_000
    assert span.start_time_unix_nano == pytest.approx(began, rel=0, abs=1000)
    assert span.end_time_unix_nano == pytest.approx(began + 1_500_125_000, rel=0, abs=1000)
    assert span.status.code == 0
    assert attributes(span) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-opus-5-5", "gen_ai.response.model": "claude-haiku-5-5",
        "gen_ai.usage.input_tokens": 4312, "gen_ai.usage.output_tokens": 42,
        "gen_ai.usage.cache_read.input_tokens": 4000, "gen_ai.usage.cache_creation.input_tokens": 300,
        "gen_ai.conversation.id": "c0ffee", "http.response.status_code": 200,
        "lynkr.request": "01REQUEST", "lynkr.session": "01SESSION", "lynkr.profile": "work", "lynkr.lane": "main",
        "lynkr.tier": "complex", "lynkr.outcome": "ok", "lynkr.cost_usd": 0.0125, "lynkr.baseline_usd": 0.02,
        "lynkr.first_byte_ms": 420.5,
    }  # fmt: skip
    assert collector.resources[0]["service.name"] == "lynkr"


def test_measurements_have_the_names_units_and_buckets_of_the_conventions(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = told(collector, monkeypatch, ROW, replace(ROW, id="2", ms=500.0)).metrics
    assert {name: metric.unit for name, metric in metrics.items()} == {
        "gen_ai.client.operation.duration": "s", "gen_ai.client.token.usage": "{token}",
    }  # fmt: skip
    ((known, took),) = points(metrics["gen_ai.client.operation.duration"])
    assert (took.count, took.sum, list(took.explicit_bounds)) == (2, pytest.approx(2.000125), SECONDS)
    assert known == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-opus-5-5", "gen_ai.response.model": "claude-haiku-5-5",
    }  # fmt: skip
    used = {known["gen_ai.token.type"]: point for known, point in points(metrics["gen_ai.client.token.usage"])}
    assert {kind: (point.count, point.sum) for kind, point in used.items()} == {"input": (2, 8624), "output": (2, 84)}
    assert list(used["input"].explicit_bounds) == TOKENS


FAILED = {
    "refused": (replace(ROW, outcome="refused", status=429, error="rate_limit_error"), "rate_limit_error"),
    "refused without a name": (replace(ROW, outcome="refused", status=503), "503"),
    "cut": (replace(ROW, outcome="cut", error="upstream_cut"), "upstream_cut"),
    "unreached": (replace(ROW, outcome="refused", status=None, error=None), "refused"),
}


@pytest.mark.parametrize("what", FAILED)
def test_what_failed_is_an_error_with_a_type(collector: Collector, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    row, kind = FAILED[what]
    (span,) = told(collector, monkeypatch, row).spans
    assert span.status.code == 2
    assert attributes(span)["error.type"] == kind
    ((known, _),) = points(collector.metrics["gen_ai.client.operation.duration"])
    assert known["error.type"] == kind


def test_a_client_that_hung_up_is_no_error(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    (span,) = told(collector, monkeypatch, replace(ROW, outcome="gone")).spans
    assert span.status.code == 0
    assert attributes(span)["lynkr.outcome"] == "gone"


@pytest.mark.parametrize("provider", WELL_KNOWN)
def test_providers_have_their_well_known_names(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    (span,) = told(collector, monkeypatch, replace(ROW, provider=provider)).spans
    assert attributes(span)["gen_ai.provider.name"] == WELL_KNOWN[provider]


def test_what_asks_no_model_is_no_span(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(ROW, path="/v1/models", model=None, asked_model=None, usage=Usage())
    assert told(collector, monkeypatch, row).raw == []


def test_a_name_that_is_no_text_costs_no_other_span(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = replace(ROW, id="odd", model="a\ud800b", asked_model="a\ud800b")
    spans = told(collector, monkeypatch, ROW, odd, replace(ROW, id="last")).spans
    assert {"01REQUEST", "last"} <= {attributes(span)["lynkr.request"] for span in spans}


# --- The command ------------------------------------------------------------------------------------------------------


def quoting(asked: Asked) -> list[Step]:
    """Refuses what it is told to refuse, and repeats it."""
    words = str(asked.json["messages"][-1]["content"])
    if "refuse" in words:
        return whole({"type": "error", "error": {"type": "invalid_request_error", "message": f"Not {words}"}}, 400)
    return list(anthropic(f"You said: {words}")(asked))


def body(words: str, **more: object) -> bytes:
    return json.dumps(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": words}], **more}
    ).encode()


@contextlib.contextmanager
def exporting(home: Path, url: str, *words: str, **env: str) -> Iterator[Serve]:
    with upstream(quoting) as up:
        profile(home, "work", LANE.format(name="main", url=up.url))
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with serving(home, "-p", "work", "--otel", *words, **env) as found:
            yield found


def test_every_request_is_a_span_and_no_word_of_it_leaves(clean_machine: Path, collector: Collector) -> None:
    with exporting(clean_machine, collector.url) as stood:
        answers = [
            stood.ask(body=body(PROMPT)),
            stood.ask(body=body(PROMPT, stream=True)),
            stood.ask(body=body(f"refuse {PROMPT}")),
            stood.ask(body=body("Hi", system=PROMPT, metadata={"user_id": PROMPT})),
        ]
        until(lambda: len(collector.spans) == 4)
        stood.signal(signal.SIGINT)
        assert stood.ended() == 0
        rows = {row.id: row for _, row in stood.rows()}
    spans = {attributes(span)["lynkr.request"]: span for span in collector.spans}
    assert set(spans) == {answer.header("x-lynkr-request") for answer in answers}
    for identity, span in spans.items():
        took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        assert took == pytest.approx(rows[identity].ms, abs=0.01)
        assert (span.status.code == 2) == (rows[identity].outcome == "refused")
    used = points(collector.metrics["gen_ai.client.token.usage"])
    assert sum(point.sum for known, point in used if known["gen_ai.token.type"] == "output") == 3 * 42
    for secret in (PROMPT, "secret plan", "You said", KEY, stood.token):
        assert not [part for part in collector.raw if secret.encode() in part]


def test_counting_tokens_is_no_chat(clean_machine: Path, collector: Collector) -> None:
    with exporting(clean_machine, collector.url) as stood:
        stood.ask("/v1/messages/count_tokens", body("Hi"))
        stood.signal(signal.SIGINT)
        stood.ended()
    assert not [span for span in collector.spans if span.name.startswith("chat")]


@pytest.fixture(params=["refuses", "hangs"])
def dead(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that is none."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "hangs":
            listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_dead_collector_slows_no_request(clean_machine: Path, dead: str) -> None:
    with exporting(clean_machine, dead, OTEL_EXPORTER_OTLP_TIMEOUT="2") as stood:
        stood.ask(body=body("warm up"))
        times = []
        for _ in range(60):
            began = time.perf_counter()
            assert stood.ask(body=body("Hi")).status == 200
            times.append(time.perf_counter() - began)
            time.sleep(0.02)
        until(lambda: len(stood.rows()) == 61)
    assert sorted(times)[30] < 0.1
    assert max(times) < 1


def test_a_dead_collector_keeps_it_from_ending_for_no_more_than_a_moment(clean_machine: Path, dead: str) -> None:
    with exporting(clean_machine, dead) as stood:
        stood.ask(body=body("Hi"))
        until(stood.rows)
        stood.signal(signal.SIGINT)
        assert stood.ended(5) == 0


def test_what_a_dead_collector_says_does_not_spoil_the_log(clean_machine: Path, dead: str) -> None:
    with exporting(clean_machine, dead, "--log", "-", OTEL_EXPORTER_OTLP_TIMEOUT="1") as stood:
        stood.ask(body=body("Hi"))
        until(stood.rows)
        time.sleep(3)
        lines = stood.err.splitlines()
    assert lines
    for line in lines:
        json.loads(line)


def test_without_the_extra_it_is_78_and_says_what_to_install(clean_machine: Path) -> None:
    missing = clean_machine / "without" / "opentelemetry"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ImportError('there is none')\n")
    with upstream(anthropic()) as up:
        profile(clean_machine, "work", LANE.format(name="main", url=up.url))
        words = ("serve", "--port", "0", "-p", "work", "--otel")
        ran = lynkr(*words, home=clean_machine, PYTHONPATH=str(missing.parent), ANTHROPIC_API_KEY=KEY)
    assert (ran.status, ran.out) == (78, "")
    assert ran.err == "lynkr: --otel needs OpenTelemetry: pip install 'lynkr-cli[otel]'\n"
