"""Quantiles and counts of the operator pages, from Prometheus samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.samples import Sample

from reelrank.app.web.ops.charts import build_line_chart
from reelrank.app.web.ops.traffic import estimate_quantile, summarize_counters, summarize_endpoints
from reelrank.app.web.telemetry import BUCKETS
from reelrank.ranking.evaluation.intervals import Interval


def build_histogram(seconds: list[float]) -> dict[float, float]:
    return {bound: float(np.sum(np.array(seconds) <= bound)) for bound in (*BUCKETS, float("inf"))}


@given(st.lists(st.floats(0, 2.5), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_exact_one(seconds: list[float], q: float) -> None:
    exact = float(np.quantile(seconds, q, method="inverted_cdf"))
    bounds = (0.0, *BUCKETS)
    upper = next(bound for bound in BUCKETS if exact <= bound)
    lower = bounds[bounds.index(upper) - 1]
    assert lower <= estimate_quantile(build_histogram(seconds), q) <= upper


def test_a_quantile_of_nothing_is_0_and_one_above_the_last_bound_is_the_bound() -> None:
    assert estimate_quantile({}, 0.5) == 0.0
    assert estimate_quantile(build_histogram([]), 0.5) == 0.0
    assert estimate_quantile(build_histogram([9.0]), 0.5) == BUCKETS[-1]


def test_endpoints_are_added_up_over_their_status_codes() -> None:
    samples = [
        Sample(f"reelrank_request_seconds_{kind}", {"endpoint": "/", "status": status, **bound}, value)
        for status, value in (("200", 6.0), ("503", 3.0), ("429", 1.0))
        for kind, bound in (("count", {}), ("bucket", {"le": "0.01"}), ("bucket", {"le": "+Inf"}))
    ]
    (found,) = summarize_endpoints(samples)
    assert (found.endpoint, found.requests, found.failed, found.refused) == ("/", 10, 3, 1)
    assert 0 < found.p50_ms <= found.p99_ms <= 10


def test_counters_that_are_zero_are_left_out() -> None:
    samples = [
        Sample("reelrank_degraded_pages_total", {"what": "viewer"}, 2.0),
        Sample("reelrank_degraded_pages_total", {"what": "items"}, 0.0),
        Sample("reelrank_drawn_hits_total", {}, 4.0),
        Sample("another_total", {}, 4.0),
    ]
    counts = {
        title: [(c.label, c.value) for c in rows] for title, rows in summarize_counters(samples).items()
    }
    assert counts == {
        "Incomplete pages, by what was missing": [("viewer", 2)],
        "Items shown in exploration slots": [("all", 4)],
    }


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_a_chart_keeps_every_point_within_the_picture(means: list[float]) -> None:
    days = [(f"day {n}", Interval(mean, mean - 0.5, mean + 0.5)) for n, mean in enumerate(means)]
    chart = build_line_chart("Measure", days, "{:.2f}")
    assert chart is not None
    assert all(0 <= point.x <= chart.width and 0 <= point.y <= chart.height for point in chart.points)
    assert len(chart.band.split()) == 2 * len(means)


def test_no_days_are_no_chart() -> None:
    assert build_line_chart("Measure", [], "{:.2f}") is None
