"""The Grafana dashboard and the Prometheus alerts name metrics, labels and endpoints that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from reelrank.app.background import get_failure_counter
from reelrank.app.web import telemetry
from reelrank.app.web.access.route_scopes import ROUTE_SCOPES

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "reelrank.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
QUERIES = [
    *((panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *((rule["alert"], rule["expr"]) for rule in RULES),
]
SUFFIXES = {"counter": {"_total"}, "histogram": {"_bucket", "_sum", "_count"}, "gauge": {""}}
METRICS = {
    metric._name: metric
    for metric in (*vars(telemetry).values(), get_failure_counter())
    if isinstance(metric, MetricWrapperBase)
}
ROUTES = {route.partition(" ")[2] for route in ROUTE_SCOPES}


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_every_metric_and_label_of_a_query_exists(title: str, query: str) -> None:
    assert query.count("(") == query.count(")")
    series = re.findall(r"(reelrank_[a-z_]+?)(_bucket|_sum|_count|_total|)\b", query)
    assert len(series) == query.count("reelrank_")
    labels = {"le"}
    for name, suffix in series:
        assert suffix in SUFFIXES[str(METRICS[name]._type)]
        labels |= set(METRICS[name]._labelnames)
    used = re.findall(r"(\w+)=~?\"", query)
    for grouped in re.findall(r"(?:by|ignoring) \(([^)]*)\)", query):
        used += re.split(r",\s*", grouped)
    assert set(used) <= labels


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_every_endpoint_of_a_query_is_a_route(title: str, query: str) -> None:
    for pattern in re.findall(r'endpoint=~"([^"]*)"', query):
        for part in re.split(r"\|(?![^(]*\))", pattern):
            assert any(re.fullmatch(part, route) for route in ROUTES), part


def test_panels_do_not_overlap_and_say_what_they_show() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert all(panel["description"] for panel in DASHBOARD["panels"])
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_dashboard_shows_every_metric() -> None:
    text = " ".join(query for _, query in QUERIES)
    assert [name for name in METRICS if name not in text] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["remedy"]
