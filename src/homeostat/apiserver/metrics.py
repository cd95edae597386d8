"""The server's metrics, named and labelled as kube-apiserver names them, in Prometheus' text format.

The request path adds to plain dictionaries; families and text are only made when somebody asks for `/metrics`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.contract import RequestInfo, info_of
from homeostat.apiserver.path.request_limits import Limits, long_running
from homeostat.kit import clock
from homeostat.wire.message import Handler, Request, Response

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_STORE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope")
_VERBS = {"create": "POST", "update": "PUT"}

_Key: TypeAlias = tuple[str, ...]


class Histogram:
    """Counts by bucket, and the sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, as Prometheus has them."""
        found: list[tuple[str, float]] = []
        seen = 0
        for bound, count in zip((*map(str, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            seen += count
            found.append((bound, float(seen)))
        return found


class _Series:
    """The requests of one resource and verb: how many with each code, and how long they took."""

    __slots__ = ("codes", "durations")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.durations = Histogram(_BUCKETS)


class Metrics:
    """What is counted; `stage` counts requests, `store` the store's answers."""

    def __init__(self, feed: Feed, limits: Limits) -> None:
        self._feed = feed
        self._limits = limits
        self._requests: dict[_Key, _Series] = {}
        self._store: dict[str, Histogram] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def stage(self, request: Request, following: Handler) -> Response:
        """Count the request and how long it took."""
        started = clock.monotonic()
        response = await following(request)
        info = info_of(request)
        key = _key(info)
        series = self._requests.get(key)
        if series is None:
            series = self._requests[key] = _Series()
        codes, status = series.codes, response.status
        codes[status] = codes.get(status, 0) + 1
        if not long_running(info):
            series.durations.add(clock.monotonic() - started)
        return response

    def store(self, operation: str, seconds: float) -> None:
        """Count one answer of the store."""
        histogram = self._store.get(operation)
        if histogram is None:
            histogram = self._store[operation] = Histogram(_STORE_BUCKETS)
        histogram.add(seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families, for the registry."""
        totals = CounterMetricFamily("apiserver_request", "Requests by resource, verb and code", labels=_with("code"))
        for key, series in self._requests.items():
            for code, count in series.codes.items():
                totals.add_metric([*key, "apiserver", str(code)], count)
        yield totals
        durations = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "How long requests took", labels=_with()
        )
        for key, series in self._requests.items():
            if any(series.durations.counts):
                durations.add_metric([*key, "apiserver"], series.durations.buckets(), series.durations.total)
        yield durations
        yield from self._gauges()
        store = HistogramMetricFamily("etcd_request_duration_seconds", "The store's latency", labels=["operation"])
        for operation, histogram in self._store.items():
            store.add_metric([operation], histogram.buckets(), histogram.total)
        yield store

    def _gauges(self) -> Iterator[Metric]:
        inflight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests under way", labels=["request_kind"]
        )
        inflight.add_metric(["readOnly"], self._limits.reading)
        inflight.add_metric(["mutating"], self._limits.mutating)
        yield inflight
        watchers = GaugeMetricFamily("apiserver_registered_watchers", "Open watches", labels=["group", "resource"])
        objects = GaugeMetricFamily("apiserver_storage_objects", "Stored objects", labels=["resource"])
        for hub in self._feed.hubs():
            _, _, group, plural, _ = hub.prefix.split("/")
            group = "" if group == "core" else group
            watchers.add_metric([group, plural], hub.watchers.count)
            objects.add_metric([f"{plural}.{group}" if group else plural], len(hub.items))
        yield watchers
        yield objects
        yield GaugeMetricFamily("apiserver_storage_revision", "The newest applied revision", value=self._feed.applied)


def _with(*more: str) -> list[str]:
    return [*_LABELS, "component", *more]


def _key(info: RequestInfo) -> _Key:
    """The labels of a request; a path that is no resource is only its verb, since paths have no bound."""
    if not info.is_resource or info.kind is None:
        return (info.verb.upper(), "", "", "", "", "")
    scope = "resource" if info.name or info.verb == "create" else "namespace" if info.namespace else "cluster"
    verb = _VERBS.get(info.verb) or info.verb.upper()
    return (verb, info.group, info.version, info.resource, info.subresource, scope)
