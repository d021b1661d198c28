"""Every panel queries a real server, gets rows that the service wrote, and is rendered from them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import vl_convert

from deploy.kibana.charts import FUSED_ORDER
from deploy.kibana.dashboards import PANELS
from deploy.kibana.panel import ITEMS, Panel
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.wiring import build_release_manager, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Context, Query
from tests.sample_project import add_model, build_project
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)
GENRES = ("Drama", "Comedy", "Documentary", "Thriller")
BEGINNING = datetime(2026, 11, 20, 8, tzinfo=UTC)
PAGES, BEFORE_A_MODEL = 80, 10
SHARED = ("item", "user", "page", "model", "version", "sources", "score")
FILMS = [
    Item(
        f"f{n}", f"Film {n}", description="About it.", genres=(GENRES[n % 4], GENRES[n % 3]),
        people=("Ann Author",), languages=(("en", "fr", "de")[n % 3],), countries=("France",),
        published_at=datetime(1990 + n % 30, 1, 1, tzinfo=UTC), duration_s=3600 + 120 * n,
    )
    for n in range(40)
]  # fmt: skip


@pytest.fixture
def service(server: Server, cluster: Cluster, prefix: str, tmp_path: Path) -> Iterator[SearchService]:
    """Serves four days of pages, first without a model, then with two; top positions get more clicks."""
    parts = build_project(tmp_path / "data", BEGINNING, FILMS, server.build_settings(prefix))
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed)
    opened = warm_service(parts)
    opened.recorder.start()
    actions = [action for number in range(BEFORE_A_MODEL) for action in simulate_visit(opened, number)]
    build_release_manager(parts).promote_model("first")
    opened.refresher.refresh()
    for number in range(BEFORE_A_MODEL, PAGES):
        actions += simulate_visit(opened, number)
    opened.record_events(actions)
    opened.recorder.close()
    for stream in ("requests", "impressions"):
        cluster.request_or_raise("POST", f"/{prefix}{stream}/_refresh")
    yield opened
    parts.engine.close()


def simulate_visit(service: SearchService, number: int) -> list[Event]:
    """Serves one page and returns the events of its viewer."""
    at = BEGINNING + timedelta(hours=1.1 * number)
    context = Context(at, device=("tv", "phone")[number % 2])
    query = Query(text="story" if number % 3 else None, user=f"u{number % 17}", limit=10, context=context)
    page = service.serve_page(RankingOptions(query, model="second" if number > PAGES // 2 else None))
    rng, events = np.random.default_rng(number), list[Event]()
    for hit in page.hits:
        if rng.random() < 0.6 / (1 + hit.position):
            seen = Event(
                f"click-{number}-{hit.position}", "click", f"u{number % 17}",
                round(at.timestamp() * 1000) + 5000, hit.item.id, request_id=page.request_id,
                position=hit.position, device=context.device,
            )  # fmt: skip
            watch = replace(seen, id=f"watch-{seen.id}", kind="watch", duration_ms=5_000_000)
            watched_ms = int(5_000_000 * rng.random())
            events += [seen, replace(watch, watched_ms=watched_ms)][: 1 + (number + hit.position) % 2]
    return events


def test_every_panel_has_rows_and_draws_them(
    service: SearchService, cluster: Cluster, prefix: str, tmp_path: Path
) -> None:
    for panel in PANELS:
        spec = panel.build_spec(f"{prefix}{panel.dataset}")
        url = spec["data"]["url"]
        answer = cluster.request_or_raise("POST", f"/{url['index']}/_search", url["body"])
        rows = answer["aggregations"]["rows"]["buckets"]
        assert rows, panel.id
        assert spec["data"]["format"]["property"] == "aggregations.rows.buckets"
        assert url.get("%timefield%") == (None if panel.dataset == ITEMS else "@timestamp")
        chart = spec | {"data": {"values": rows}, "width": 400, "height": 200, "title": panel.title}
        (tmp_path / f"{panel.id}.png").write_bytes(vl_convert.vegalite_to_png(chart, scale=1.0))
        assert count_marks(chart) >= count_expected_marks(panel, rows) > 0, panel.id


def test_actions_carry_model_and_sources_of_their_impression(
    service: SearchService, cluster: Cluster, prefix: str
) -> None:
    body = {"size": 10_000, "query": {"match_all": {}}}
    lines = [
        hit["_source"]
        for hit in cluster.request_or_raise("POST", f"/{prefix}impressions/_search", body)["hits"]["hits"]
    ]
    shown = {(line["request_id"], line["position"]): line for line in lines if line["kind"] == "impression"}
    followed = [line for line in lines if line["kind"] != "impression"]
    stored = [
        event for batch in service.events.scan(0, 2**62) for event in batch.to_pylist() if event["request_id"]
    ]
    assert len(shown) == sum(event["kind"] == "impression" for event in stored)
    assert len(followed) == sum(event["kind"] in ("click", "watch") for event in stored) > 0
    for line in followed:
        impression = shown[line["request_id"], line["position"]]
        assert [line[name] for name in SHARED] == [impression[name] for name in SHARED]
    assert {line["model"] for line in followed} == {FUSED_ORDER, "first", "second"}


def count_marks(chart: dict[str, Any]) -> int:
    svg = str(vl_convert.vegalite_to_svg(orjson.dumps(chart).decode()))
    return svg.count('aria-roledescription="bar"') + svg.count('aria-roledescription="point"')


def count_expected_marks(panel: Panel, rows: list[Any]) -> int:
    """Counts the expected bars or points: one per row, two for pairs of values; scores need a model."""
    if panel.id == "ranking-scores":
        return sum(row["key"]["model"] != FUSED_ORDER for row in rows)
    is_pair = panel.id == "traffic-latency" or "rate" in str(panel.chart["encoding"])
    return (2 if is_pair else 1) * sum(int(row["doc_count"] > 0) for row in rows)
