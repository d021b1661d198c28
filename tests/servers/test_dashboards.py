"""Every panel asks a real server and gets rows; every picture is drawn from them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import vl_convert

from app.engines.server.cluster import Cluster
from app.engines.server.engine import ServerEngine
from app.engines.server.events import ServerEvents
from app.engines.server.summaries import ServerSummaries
from app.kibana.panels import ITEMS, PANELS, Panel
from app.search.summary import Summary
from index_mappings.event import Event
from index_mappings.item import Document, Item
from tests.servers.server import kinds

pytestmark = pytest.mark.parametrize("server", kinds(), indirect=True)
GENRES = ("Drama", "Comedy", "Documentary", "Thriller")
BEGINNING = datetime(2026, 11, 20, 8, tzinfo=UTC)


def films() -> list[Document]:
    """Forty, of which every eighth states almost nothing."""
    vector = {"factors": np.eye(64, dtype=np.float32)[0]}
    full = [
        Item(
            f"f{n}", f"Film {n}", description="About it.", genres=(GENRES[n % 4], GENRES[n % 3]),
            people=("Ann Author",), language=("en", "fr", "de")[n % 3], country="France",
            published_at=datetime(1990 + n % 30, 1, 1, tzinfo=UTC), duration_s=3600 + 120 * n,
        )
        for n in range(40)
    ]  # fmt: skip
    bare = [Item(item.id, item.title) if n % 8 == 0 else item for n, item in enumerate(full)]
    return [Document(item, vector) for item in bare]


def week() -> list[Event]:
    """Five days of pages of ten; the higher a place, the likelier it is watched."""
    made = list[Event]()
    rng = np.random.default_rng(0)
    for page in range(100):
        at = BEGINNING + timedelta(hours=1.1 * page)
        shown = Event(
            "", "impression", f"u{page % 17}", round(at.timestamp() * 1000), request_id=f"r{page}",
            device=("tv", "phone")[page % 2],
        )  # fmt: skip
        for place in range(10):
            seen = replace(shown, id=f"i{page}-{place}", item=f"f{(page + place) % 40}", position=place)
            made.append(seen)
            if rng.random() < 0.5 / (1 + place):
                length = 5_000_000
                watched = int(length * rng.random())
                made.append(
                    replace(seen, id=f"w{page}-{place}", kind="watch", watched_ms=watched, duration_ms=length)
                )
    return made


def pages() -> list[Summary]:
    rng = np.random.default_rng(1)
    return [
        Summary(
            f"r{n}-0", round((BEGINNING + timedelta(hours=1.1 * n)).timestamp() * 1000), f"r{n}", "home",
            ("first", "second")[n // 50], "items-1", ("bm25",) if n % 10 == 0 else (), ("factors", "popular"),
            900, 20, float(rng.gamma(4, 8)),
        )
        for n in range(100)
    ]  # fmt: skip


@pytest.fixture
def house(engine: ServerEngine, events: ServerEvents, cluster: Cluster, prefix: str) -> None:
    engine.create_index("items-1")
    engine.write("items-1", films())
    engine.promote("items-1")
    events.append(week())
    summaries = ServerSummaries(cluster, f"{prefix}requests")
    summaries.append(pages())
    summaries.append(pages()[:3])
    cluster.demand("POST", f"/{prefix}requests/_refresh")
    assert cluster.demand("GET", f"/{prefix}requests/_count")["count"] == 100


def test_every_panel_has_rows_and_a_picture(
    house: None, cluster: Cluster, prefix: str, tmp_path: Path
) -> None:
    for panel in PANELS:
        spec = panel.spec(f"{prefix}{panel.of}")
        url = spec["data"]["url"]
        answer = cluster.demand("POST", f"/{url['index']}/_search", url["body"])
        rows = answer["aggregations"]["rows"]["buckets"]
        assert rows, panel.id
        assert spec["data"]["format"]["property"] == "aggregations.rows.buckets"
        assert url.get("%timefield%") == (None if panel.of == ITEMS else "@timestamp")
        drawn = spec | {"data": {"values": rows}, "width": 400, "height": 200, "title": panel.title}
        (tmp_path / f"{panel.id}.png").write_bytes(vl_convert.vegalite_to_png(drawn, scale=1.0))
        assert marks(drawn) >= expected_marks(panel, rows), panel.id


def marks(drawn: dict[str, Any]) -> int:
    svg = str(vl_convert.vegalite_to_svg(orjson.dumps(drawn).decode()))
    return svg.count('aria-roledescription="bar"') + svg.count('aria-roledescription="point"')


def expected_marks(panel: Panel, rows: list[Any]) -> int:
    """A bar or point a row, but for one rate a position, and two percentiles a day."""
    if panel.id == "ranking-positions":
        return len({row["key"]["position"] for row in rows})
    each = 2 if panel.id == "traffic-latency" else 1
    return each * sum(int(row["doc_count"] > 0) for row in rows)
