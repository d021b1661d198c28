"""docs/metrics.md describes every evaluation metric and every Prometheus metric with its labels."""

from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from reelrank.app.web import telemetry
from reelrank.ranking.evaluation.candidate_recall import DEPTHS
from reelrank.ranking.evaluation.comparison import FUSED, MEASURES, POPULARITY

DOC = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
EVALUATION_NAMES = [*MEASURES, POPULARITY, FUSED, *(f"recall@{depth}" for depth in DEPTHS)]
ROWS = [[cell.strip() for cell in line.split("|")] for line in DOC.splitlines() if line.startswith("| `")]
METRICS = {
    next(iter(metric.describe())).name: metric
    for metric in vars(telemetry).values()
    if isinstance(metric, MetricWrapperBase)
}


@pytest.mark.parametrize("name", EVALUATION_NAMES)
def test_every_evaluation_metric_and_baseline_is_described(name: str) -> None:
    assert f"`{name}`" in DOC


def test_every_prometheus_metric_has_a_row() -> None:
    registered = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("reelrank_")}
    assert registered
    assert [name for name in sorted(registered) if all(row[1] != f"`{name}`" for row in ROWS)] == []
    assert [
        row[1] for row in ROWS if row[1].startswith("`reelrank_") and row[1].strip("`") not in registered
    ] == []


@pytest.mark.parametrize("name", METRICS)
def test_a_row_has_the_labels_of_its_metric(name: str) -> None:
    row = next(row for row in ROWS if row[1] == f"`{name}`")
    labels = METRICS[name]._labelnames
    assert row[2] == ", ".join(f"`{label}`" for label in labels)
