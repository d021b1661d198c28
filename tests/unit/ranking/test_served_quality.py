"""Quality as served: what viewers wanted after a page, and the measures of what they were shown."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.evaluation.intervals import bootstrap_ratio
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.evaluation.served.measure import ServedQuality, measure_served
from reelrank.ranking.evaluation.served.wanted import ServedPages, ServedRules, find_wanted
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA, PLAY_WINDOW_MS
from reelrank.ranking.labels.watch_time import BY_WATCHED_SHARE

REQUEST_SCHEMA = pa.schema(
    [("request_id", pa.string()), ("at_ms", pa.int64()), ("user_key", pa.string()), ("surface", pa.string())]
)
WATCH_SCHEMA = pa.schema(
    [
        ("user_key", pa.string()),
        ("at_ms", pa.int64()),
        ("item", pa.string()),
        ("watched_ms", pa.int64()),
        ("duration_ms", pa.int64()),
    ]
)
HOUR_MS = 3_600_000


def grade_share(share: float) -> float:
    return float(BY_WATCHED_SHARE.grade_plays(np.array([share * 1e6]), np.array([1e6]))[0])


def build_table(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.Table:
    names = schema.names
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)


def build_outcome(request: str, item: str, position: int, **values: Any) -> dict[str, Any]:
    unset = {
        field.name: None if field.nullable else False if field.type == pa.bool_() else ""
        for field in ATTRIBUTION_SCHEMA
    }
    stated = {"request_id": request, "item": item, "position": position, "at_ms": 0, "seen": True}
    return unset | stated | {"is_seen_known": True, "surface": "home"} | values


def measure(
    requests: Sequence[Sequence[Any]], outcomes: list[dict[str, Any]], watches: Sequence[Sequence[Any]]
) -> ServedQuality:
    pages = ServedPages(
        build_table(REQUEST_SCHEMA, requests),
        pa.Table.from_pylist(outcomes, ATTRIBUTION_SCHEMA),
        build_table(WATCH_SCHEMA, watches),
    )
    return measure_served(pages)[0]


def test_a_page_is_measured_by_what_its_viewer_saw_and_wanted() -> None:
    outcomes = [
        build_outcome("r", "a", 0),
        build_outcome("r", "b", 1, played=True, watched_ms=90_000),
        build_outcome("r", "c", 2, seen=False),
    ]
    watches = [("u", 60_000, "b", 90_000, 100_000), ("u", HOUR_MS, "z", 50_000, 100_000)]
    quality = measure([("r", 0, "u", "home")], outcomes, watches)
    assert quality.impressions == 2
    assert quality.measures["ctr"].mean == 0.5
    assert quality.measures["watch_s_per_impression"].mean == 45.0
    assert quality.measures["precision@10"].mean == pytest.approx(0.1)
    expected = ndcg_at(
        np.array([0.0, grade_share(0.9), 0.0]), np.array([grade_share(0.9), grade_share(0.5)]), 10
    )
    assert quality.measures["ndcg@10"].mean == pytest.approx(expected)


def test_a_request_that_led_to_nothing_counts_its_impressions_and_has_no_ndcg() -> None:
    quality = measure([("r", 0, "u", "home")], [build_outcome("r", "a", 0)], [])
    assert (quality.requests, quality.answered) == (1, 0)
    assert quality.measures["ctr"].mean == 0
    assert "ndcg@10" not in quality.measures


def test_what_was_watched_before_the_page_is_not_wanted_again() -> None:
    watches = [("u", -1, "a", 90, 100), ("u", 10, "a", 90, 100)]
    quality = measure([("r", 0, "u", "home")], [build_outcome("r", "a", 0)], watches)
    assert quality.answered == 0


def test_no_requests_is_an_error() -> None:
    with pytest.raises(ValueError, match="no logged requests"):
        measure([], [], [])


def find_wanted_slowly(pages: ServedPages, rules: ServedRules) -> dict[tuple[str, str], float]:
    wanted: dict[tuple[str, str], float] = {}
    watches = pages.watches.to_pylist()
    for request in pages.requests.to_pylist():
        for watch in watches:
            same = [
                w["at_ms"]
                for w in watches
                if (w["user_key"], w["item"]) == (watch["user_key"], watch["item"])
            ]
            delay = watch["at_ms"] - request["at_ms"]
            is_wanted = (
                request["user_key"] == watch["user_key"] != ""
                and 0 <= delay < rules.wanted_ms[request["surface"]]
                and min(same) >= request["at_ms"]
            )
            gain = grade_share(watch["watched_ms"] / watch["duration_ms"])
            if is_wanted and gain > 0:
                key = (request["request_id"], watch["item"])
                wanted[key] = max(gain, wanted.get(key, 0.0))
    return wanted


times = st.sampled_from([0, 1, PLAY_WINDOW_MS - 1, PLAY_WINDOW_MS, HOUR_MS, DAY_MS - 1, DAY_MS, DAY_MS + 1])
users = st.sampled_from(["", "u", "v"])


@given(
    st.lists(st.tuples(times, users, st.sampled_from(["home", "search"])), min_size=1, max_size=6),
    st.lists(st.tuples(users, times, st.sampled_from("abc"), st.sampled_from([5, 30, 60, 90])), max_size=8),
)
def test_wanted_items_are_those_of_the_plain_definition(requests: list[Any], watches: list[Any]) -> None:
    pages = ServedPages(
        build_table(REQUEST_SCHEMA, [(f"r{n}", at, user, s) for n, (at, user, s) in enumerate(requests)]),
        pa.Table.from_pylist([], ATTRIBUTION_SCHEMA),
        build_table(WATCH_SCHEMA, [(*watch, 100) for watch in watches]),
    )
    rules = ServedRules()
    wanted = find_wanted(pages, rules)
    found = dict(zip((tuple(key.split(" ")) for key in wanted.keys.to_pylist()), wanted.gains, strict=True))
    assert found == find_wanted_slowly(pages, rules)


def test_the_interval_of_a_ratio_resamples_whole_viewers() -> None:
    rng = np.random.default_rng(0)
    viewers = np.repeat(np.arange(200), 5).astype(np.str_)
    taste = np.repeat(rng.random(200) < 0.3, 5).astype(np.float64)
    by_viewer = bootstrap_ratio(taste * 20, np.full(1000, 20.0), viewers)
    by_page = bootstrap_ratio(taste * 20, np.full(1000, 20.0), np.arange(1000).astype(np.str_))
    assert by_viewer.mean == by_page.mean == taste.mean()
    assert by_viewer.high - by_viewer.low > 1.5 * (by_page.high - by_page.low)


def test_a_ratio_without_a_denominator_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to divide by"):
        bootstrap_ratio(np.zeros(2), np.zeros(2), np.array(["a", "b"]))
