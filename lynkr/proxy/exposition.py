"""`/metrics`: what was counted, in Prometheus' text format, written by its own client library.

The library is imported when somebody looks for the first time: a session that nobody watches does not pay for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lynkr import __version__
from lynkr.proxy.counting import BUCKETS, Counts, Histogram

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_WHOSE = ("profile", "lane", "provider", "model")


Resting = Callable[[], Mapping[tuple[str, str], bool]]


def exposition(counts: Counts, resting: Resting, connected: int) -> bytes:
    """The page. `resting` says of each (profile, lane) whether it rests after failures; so many clients are
    `connected`."""
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(_Collector(counts, resting, connected))
    return generate_latest(registry)


class _Collector:
    """Gives families of metrics, as the library asks for them."""

    def __init__(self, counts: Counts, resting: Resting, connected: int) -> None:
        self._counts = counts
        self._resting = resting
        self._connected = connected

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        def counter(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Any:
            family = CounterMetricFamily(name, about, labels=labels)
            for key, value in values.items():
                family.add_metric(list(key) if isinstance(key, tuple) else [key], value)
            return family

        counts = self._counts
        yield InfoMetricFamily("lynkr", "The proxy.", {"version": __version__})
        yield counter("lynkr_requests", "Requests that are over.", (*_WHOSE, "outcome", "status"), counts.requests)
        yield counter("lynkr_tokens", "Tokens by the provider's count.", (*_WHOSE, "kind"), counts.tokens)
        yield counter("lynkr_cost_usd", "Cost at list prices.", _WHOSE, counts.cost)
        yield counter("lynkr_baseline_usd", "What the same would have cost without lynkr.", _WHOSE, counts.baseline)
        yield counter("lynkr_unpriced_requests", "Requests without a known price.", _WHOSE, counts.unpriced)
        yield counter("lynkr_removed_tokens", "Tokens that compression left out.", ("profile", "lane"), counts.removed)
        yield counter(
            "lynkr_unserved", "Tries that a lane did not serve.", ("profile", "lane", "status"), counts.unserved
        )
        yield counter("lynkr_answered", "Requests answered without a lane.", ("profile", "how"), counts.answered)
        yield counter("lynkr_shed", "Requests turned away because of load.", ("reason",), counts.shed)
        yield _histogram("lynkr_request_duration_seconds", "From a request's head to its answer's end.", counts.took)
        yield _histogram("lynkr_first_byte_seconds", "From a request's head to its answer's first byte.",
                         counts.first_byte)  # fmt: skip
        yield GaugeMetricFamily("lynkr_requests_in_flight", "Requests under way.", counts.flying)
        yield GaugeMetricFamily("lynkr_connections", "Clients that are connected.", self._connected)
        family = GaugeMetricFamily(
            "lynkr_lane_resting", "Whether a lane rests after failures.", labels=("profile", "lane")
        )
        for key, rests in self._resting().items():
            family.add_metric(list(key), float(rests))
        yield family


def _histogram(name: str, about: str, found: Mapping[tuple[str, ...], Histogram]) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, about, labels=("profile", "lane"))
    for key, histogram in found.items():
        bounds = (*map(str, BUCKETS), "+Inf")
        buckets = list(zip(bounds, itertools.accumulate(map(float, histogram.counts)), strict=True))
        family.add_metric(list(key), buckets, histogram.sum)
    return family
