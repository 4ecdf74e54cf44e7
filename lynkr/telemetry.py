"""OpenTelemetry: a span and two measurements for each request, by the GenAI semantic conventions (1.37).

Made of the ledger's rows after a request is over, in the thread that writes them, so that the proxy never waits for a
collector; exported by the SDK's own batches to wherever the usual OTEL_… variables point. No attribute holds a word of
a prompt or an answer.
"""

from __future__ import annotations

import logging  # noqa: TID251 - only to keep the SDK's own words off stderr
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lynkr import __version__
from lynkr.errors import ConfigError
from lynkr.ledger.row import Row, Session

# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ (gen_ai.provider.name)
_PROVIDERS = {
    "anthropic": "anthropic", "claude": "anthropic", "openai": "openai", "bedrock": "aws.bedrock",
    "azure-openai": "azure.ai.openai", "azure-anthropic": "azure.ai.inference", "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai", "deepseek": "deepseek", "groq": "groq", "mistral": "mistral_ai", "xai": "x_ai",
}  # fmt: skip
# The buckets that the conventions ask for.
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4.0**n for n in range(14)]


# What counts tokens is no chat.
_COUNTING = ("count_tokens", "countTokens", "input_tokens")
_END_S = 3.0


class Telemetry:
    """What exports. Raises ConfigError where the extra is missing."""

    def __init__(self) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigError("--otel needs OpenTelemetry: pip install 'lynkr-cli[otel]'") from error
        # The SDK would write to stderr by itself, among our own lines.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        logging.getLogger("opentelemetry").propagate = False
        resource = Resource.create({"service.name": "lynkr", "service.version": __version__})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._metrics = MeterProvider(
            [PeriodicExportingMetricReader(OTLPMetricExporter())], resource, shutdown_on_exit=False
        )
        self._tracer = self._traces.get_tracer("lynkr", __version__)
        meter = self._metrics.get_meter("lynkr", __version__)
        self._took = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )  # fmt: skip
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )  # fmt: skip

    def add(self, session: Session, rows: Iterable[Row]) -> None:
        """Exports requests that are over."""
        for row in rows:
            if (row.model or row.asked_model) and not row.path.endswith(_COUNTING):
                self._one(session, row)

    def close(self) -> None:
        """Sends what waits, and ends; a collector that does not answer is not waited for longer than `_END_S`."""
        ending = threading.Thread(target=self._end, name="telemetry", daemon=True)
        ending.start()
        ending.join(_END_S)

    def _end(self) -> None:
        self._traces.shutdown()
        self._metrics.shutdown()

    def _one(self, session: Session, row: Row) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        begin = int(datetime.fromisoformat(row.at).timestamp() * 1_000_000_000)
        known = attributes(row)
        span = self._tracer.start_span(
            f"chat {known['gen_ai.request.model']}", kind=SpanKind.CLIENT, start_time=begin,
            attributes=known | details(session, row),
        )  # fmt: skip
        if "error.type" in known:
            span.set_status(Status(StatusCode.ERROR))
        span.end(begin + int(row.ms * 1_000_000))
        self._took.record(row.ms / 1000, known)
        if row.usage.prompt or row.usage.output:
            self._tokens.record(row.usage.prompt, known | {"gen_ai.token.type": "input"})
            self._tokens.record(row.usage.output, known | {"gen_ai.token.type": "output"})


def attributes(row: Row) -> dict[str, Any]:
    """What the conventions ask of spans and measurements alike."""
    provider = row.provider or ""
    known: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider or "lynkr"),
        "gen_ai.request.model": row.asked_model or row.model,
        "gen_ai.response.model": row.model or row.asked_model,
    }
    if row.outcome in ("refused", "cut") or row.error is not None:
        known["error.type"] = row.error or str(row.status or row.outcome)
    return _encodable(known)


def _encodable(known: dict[str, Any]) -> dict[str, Any]:
    """The same with texts that UTF-8 can hold: one that it cannot would cost the batch that it is in."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in known.items()
    }


def details(session: Session, row: Row) -> dict[str, Any]:
    """What belongs to one request alone: usage by the conventions, the rest under lynkr's own name."""
    usage = row.usage
    known: dict[str, Any] = {
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write + usage.cache_write_1h,
        "gen_ai.conversation.id": row.conversation,
        "http.response.status_code": row.status,
        "lynkr.request": row.id,
        "lynkr.session": session.id,
        "lynkr.profile": session.profile,
        "lynkr.lane": row.lane,
        "lynkr.tier": row.tier,
        "lynkr.outcome": row.outcome,
        "lynkr.cost_usd": row.cost_usd,
        "lynkr.baseline_usd": row.baseline_usd,
        "lynkr.first_byte_ms": row.first_byte_ms,
    }
    return _encodable({name: value for name, value in known.items() if value is not None})
