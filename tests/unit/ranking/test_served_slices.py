"""Slices of served pages, explored slots, orders of other systems, and the reliability of probabilities."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.evaluation.served.days import measure_days, read_days, write_days
from reelrank.ranking.evaluation.served.measure import measure_explored, measure_served
from reelrank.ranking.evaluation.served.orders import SERVED, JudgedOrders, measure_orders
from reelrank.ranking.evaluation.served.reliability import append_logged, measure_reliability
from reelrank.ranking.evaluation.served.wanted import ServedPages, count_past_watches
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA
from tests.unit.ranking.test_served_quality import (
    REQUEST_SCHEMA,
    WATCH_SCHEMA,
    build_outcome,
    build_table,
)

REQUESTS = [("r0", 100, "new", "home"), ("r1", 200, "old", "home"), ("r2", 300, "robot", "search")]
WATCHES = [("old", n, f"w{n // 2}", 90, 100) for n in range(14)] + [("robot", 50, "w1", 90, 100)]


def build_pages(**logged: list[float | None]) -> ServedPages:
    rows: list[dict[str, Any]] = [
        build_outcome(f"r{n // 2}", f"i{n}", n % 2, played=n % 2 == 0, watched_ms=90) for n in range(6)
    ]
    outcomes = pa.Table.from_pylist(rows, ATTRIBUTION_SCHEMA)
    for name, values in logged.items():
        outcomes = outcomes.append_column(name, pa.array(values, pa.float32()))
    return ServedPages(
        build_table(REQUEST_SCHEMA, REQUESTS),
        outcomes,
        build_table(WATCH_SCHEMA, WATCHES),
        frozenset({"robot"}),
    )


def test_past_watches_are_counted_by_item_before_the_page() -> None:
    assert count_past_watches(build_pages()).tolist() == [0, 7, 1]


def test_simulated_viewers_are_apart_and_never_in_the_whole() -> None:
    qualities = {quality.surface: quality for quality in measure_served(build_pages())}
    assert {name: quality.requests for name, quality in qualities.items()} == {
        "all": 2,
        "home": 2,
        "0 past watches": 1,
        "more past watches": 1,
        "simulated: all": 1,
        "simulated: search": 1,
        "simulated: 1 to 5 past watches": 1,
    }


def test_explored_slots_are_measured_alone() -> None:
    quality = measure_explored(build_pages(propensity=[None, 0.1, 0.2, None, None, 0.3]))
    assert quality is not None
    assert (quality.requests, quality.impressions) == (2, 2)
    assert quality.measures["ctr"].mean == 0.5
    assert set(quality.measures) == {"ctr", "watch_s_per_impression", "skip_rate"}
    assert measure_explored(build_pages()) is None
    assert measure_explored(build_pages(propensity=[None] * 6)) is None


def test_nothing_found_counts_as_0_and_what_is_not_answered_does_not() -> None:
    ids, none = encode_item_ids(["a", "b"]), encode_item_ids([])
    orders = JudgedOrders(
        np.array(["home", "home", "search"]),
        np.array(["u", "v", "u"]),
        {SERVED: [ids, ids, ids], "factors": [ids[::-1], none, None]},
        [(encode_item_ids(["a"]), np.ones(1, np.float32))] * 3,
    )
    measured = {(order.surface, order.system): order for order in measure_orders(orders)}
    assert set(measured) == {("home", SERVED), ("home", "factors"), ("search", SERVED)}
    factors = measured["home", "factors"]
    assert factors.measures["ndcg@10"].mean == pytest.approx(0.5 / np.log2(3))
    assert factors.measures["recall@10"].mean == 0.5
    assert factors.difference.mean == pytest.approx(0.5 / np.log2(3) - 1)


def test_reliability_compares_what_was_stated_with_what_was_watched() -> None:
    found = {
        r.surface: r for r in measure_reliability(build_pages(probability=[0.5, 0.5, 0.9, 0.1, None, None]))
    }
    assert set(found) == {"all", "home", "0 past watches", "more past watches"}
    assert found["all"].items == 4
    assert found["0 past watches"].nce is not None
    assert found["0 past watches"].nce.mean == pytest.approx(1.0)
    assert found["more past watches"].nce is not None
    assert found["more past watches"].nce.mean == pytest.approx(np.log(0.9) / np.log(0.5))
    curve = found["more past watches"].curve
    assert [part.observed for part in curve] == [0.0, 1.0]
    assert [part.stated for part in curve] == pytest.approx([0.1, 0.9])
    assert measure_reliability(build_pages()) == []


def test_logged_columns_are_null_where_a_candidate_is_unknown() -> None:
    candidates = pa.table({"request_id": ["r0"], "item": ["i1"], "propensity": [0.25]})
    outcomes = append_logged(build_pages().outcomes, candidates, ("propensity",))
    assert outcomes["propensity"].to_pylist() == [None, 0.25, None, None, None, None]


def test_days_leave_simulated_viewers_out_unless_there_are_no_others(tmp_path: Path) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    pages = build_pages()
    measured = measure_days(pages, now)
    assert not measured.is_simulated
    assert [(day.day.isoformat(), day.requests) for day in measured.days] == [("1970-01-01", 2)]
    alone = measure_days(replace(pages, simulated=frozenset({"new", "old", "robot"})), now)
    assert alone.is_simulated
    assert [day.requests for day in alone.days] == [3]
    write_days(tmp_path, alone)
    assert read_days(tmp_path) == alone
    assert read_days(tmp_path / "empty") is None
