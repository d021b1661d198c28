"""Traffic of all workers since the service started, from its Prometheus metrics."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.samples import Sample

from reelrank.app.web.telemetry import collect_metrics

LATENCY = "reelrank_request_seconds"
COUNTERS = {
    "Pages served, by model": "reelrank_pages_total",
    "Incomplete pages, by what was missing": "reelrank_degraded_pages_total",
    "Failures of candidate sources": "reelrank_source_failures_total",
    "Events received": "reelrank_events_total",
    "Items shown in exploration slots": "reelrank_drawn_hits_total",
    "Not recorded, by reason": "reelrank_pages_not_recorded_total",
}
SERVER_ERRORS, REFUSED = ("5",), ("429",)


@dataclass(frozen=True, slots=True)
class EndpointTraffic:
    """Requests of one endpoint. p50_ms, p99_ms: interpolated within the buckets of the histogram.

    failed: answers with 5xx. refused: answers with 429.
    """

    endpoint: str
    requests: int
    failed: int
    refused: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Count:
    """A counter with its labels, such as `degraded, viewer`."""

    label: str
    value: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Endpoints, busiest first, and the counters that are not zero, by title."""

    endpoints: Sequence[EndpointTraffic]
    counters: Mapping[str, Sequence[Count]]


def read_traffic() -> Traffic:
    """Reads the metrics of all workers of this service, or of this process where it is the only one."""
    samples = [sample for family in collect_metrics() for sample in family.samples]
    return Traffic(summarize_endpoints(samples), summarize_counters(samples))


def summarize_endpoints(samples: Iterable[Sample]) -> list[EndpointTraffic]:
    """Adds up the histograms of each endpoint over its status codes."""
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    statuses: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sample in samples:
        if sample.name == f"{LATENCY}_bucket":
            buckets[sample.labels["endpoint"]][float(sample.labels["le"])] += sample.value
        elif sample.name == f"{LATENCY}_count":
            statuses[sample.labels["endpoint"]][sample.labels["status"]] += sample.value
    found = [_summarize(name, buckets[name], counts) for name, counts in statuses.items()]
    return sorted(found, key=lambda one: -one.requests)


def summarize_counters(samples: Iterable[Sample]) -> dict[str, list[Count]]:
    """Groups the counters that are not zero under their titles, largest first."""
    titles = {name: title for title, name in COUNTERS.items()}
    found: dict[str, list[Count]] = {title: [] for title in COUNTERS}
    for sample in samples:
        if sample.name in titles and sample.value:
            label = ", ".join(sample.labels.values()) or "all"
            found[titles[sample.name]].append(Count(label, round(sample.value)))
    return {title: sorted(rows, key=lambda row: -row.value) for title, rows in found.items() if rows}


def _summarize(
    endpoint: str, buckets: Mapping[float, float], statuses: Mapping[str, float]
) -> EndpointTraffic:
    return EndpointTraffic(
        endpoint,
        round(sum(statuses.values())),
        round(sum(n for status, n in statuses.items() if status.startswith(SERVER_ERRORS))),
        round(sum(n for status, n in statuses.items() if status in REFUSED)),
        1000 * estimate_quantile(buckets, 0.5),
        1000 * estimate_quantile(buckets, 0.99),
    )


def estimate_quantile(buckets: Mapping[float, float], q: float) -> float:
    """Estimates a quantile of a cumulative histogram, as PromQL's histogram_quantile does.

    Above the last finite bound it is that bound; 0 without observations.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if not total:
        return 0.0
    below, floor = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= q * total:
            inside = buckets[bound] - below
            share = (q * total - below) / inside if inside else 1.0
            return floor if bound == float("inf") else floor + share * (bound - floor)
        below, floor = buckets[bound], bound
    return floor
