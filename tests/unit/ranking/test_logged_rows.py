"""Training rows of logged pages: signals as logged, gains by outcome, whole groups, any partitioning."""

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from reelrank.index_mappings.decision import REQUEST_SCHEMA, build_candidate_schema, name_signal_column
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.logged import GroupSample, LoggedGroups, build_logged_groups
from reelrank.ranking.training.logged_rows import LoggedPages, list_signals

SIGNALS = list_signals(FEATURE_NAMES)
SOURCES = [name.removeprefix("rank_") for name in SIGNALS if name.startswith("rank_")]
SCHEMA = build_candidate_schema(SOURCES, SIGNALS)
SHOWN, CANDIDATES = 4, 12


def to_gains(outcomes: pa.Table) -> NDArray[np.int32]:
    return np.asarray(outcomes["played"].to_numpy(), np.int32) * np.int32(3)


def build_defaults(schema: pa.Schema) -> dict[str, Any]:
    empty = {pa.string(): "", pa.bool_(): False}
    return {
        f.name: None if f.nullable else empty.get(f.type, [] if pa.types.is_list(f.type) else 0)
        for f in schema
    }


def build_pages(requests: int, is_whole: bool = True, seed: int = 0) -> LoggedPages:
    """Builds pages of which the second item is played, and the third known not to be seen."""
    rng = np.random.default_rng(seed)
    logged, candidates, outcomes = [], [], []
    for number in range(requests):
        page = {"request_id": f"r{number}", "at_ms": 1000 * (requests - number)}
        logged.append(build_defaults(REQUEST_SCHEMA) | page)
        for position in range(CANDIDATES if is_whole else SHOWN):
            key = {"request_id": f"r{number}", "item": f"i{position}", "position": position}
            values = {name_signal_column(name): float(rng.integers(1, 20)) for name in SIGNALS}
            flags = {"shown": position < SHOWN, "is_whole_group": is_whole}
            candidates.append(build_defaults(SCHEMA) | key | values | flags)
            if position < SHOWN:
                done = {"played": position == 1, "seen": position != 2, "is_seen_known": True}
                outcomes.append(build_defaults(ATTRIBUTION_SCHEMA) | key | done)
    ranks = {f"rank_{source}" for source in SOURCES}
    rows = [{k: int(v) if k in ranks else v for k, v in row.items()} for row in candidates]
    return LoggedPages(
        pa.Table.from_pylist(logged, REQUEST_SCHEMA),
        pa.Table.from_pylist(rows, SCHEMA),
        pa.Table.from_pylist(outcomes, ATTRIBUTION_SCHEMA),
    )


def build(pages: LoggedPages, group_size: int = 100) -> LoggedGroups:
    return build_logged_groups(pages, FEATURE_NAMES, to_gains, group_size)


def shuffle(table: pa.Table) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(3).permutation(len(table))))


def are_equal(a: LoggedGroups, b: LoggedGroups) -> bool:
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (a.rows.features, b.rows.features),
        (a.rows.gains, b.rows.gains),
        (a.rows.groups, b.rows.groups),
    ]
    pairs += [(a.rows.get_row_weights(), b.rows.get_row_weights()), (a.at_ms, b.at_ms)]
    same_ids = a.request_ids.tolist() == b.request_ids.tolist()
    return same_ids and all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)


def test_a_row_is_a_seen_item_or_an_item_that_was_not_shown() -> None:
    groups = build(build_pages(2))
    assert groups.rows.groups.tolist() == [CANDIDATES - 1] * 2  # not the third: known not to be seen
    assert groups.request_ids.tolist() == ["r1", "r0"]  # in the order of time
    assert groups.rows.gains[:3].tolist() == [0, 3, 0]


def test_a_request_with_only_its_page_logged_has_its_seen_items() -> None:
    assert build(build_pages(1, is_whole=False)).rows.groups.tolist() == [SHOWN - 1]


def test_sampled_candidates_stand_for_all_that_were_not_shown() -> None:
    rows = build(build_pages(3), group_size=2).rows
    assert rows.groups.tolist() == [SHOWN - 1 + 2] * 3
    assert rows.get_row_weights().sum() == 3 * (CANDIDATES - 1)


def test_features_are_those_that_were_served() -> None:
    pages = build_pages(1)
    columns = {n: pages.candidates[name_signal_column(n)].to_numpy().astype(np.float32) for n in SIGNALS}
    served = compute_features(Signals(columns), FEATURE_NAMES)
    seen = np.delete(np.arange(CANDIDATES), 2)
    assert np.array_equal(build(pages).rows.features, served[seen], equal_nan=True)


def test_a_feature_of_one_candidate_does_not_depend_on_the_others() -> None:
    """Of most requests only the page is logged: its features must be those of the whole group."""
    columns = {
        n: build_pages(1).candidates[name_signal_column(n)].to_numpy().astype(np.float32) for n in SIGNALS
    }
    whole = compute_features(Signals(columns), FEATURE_NAMES)
    for row in range(CANDIDATES):
        alone = compute_features(Signals({n: column[row : row + 1] for n, column in columns.items()}))
        assert np.array_equal(alone[0], whole[row], equal_nan=True)


def test_the_order_of_the_log_does_not_matter() -> None:
    pages = build_pages(4)
    shuffled = LoggedPages(shuffle(pages.requests), shuffle(pages.candidates), shuffle(pages.outcomes))
    assert are_equal(build(pages, group_size=3), build(shuffled, group_size=3))


def test_parts_give_the_same_sample_as_the_whole() -> None:
    pages = build_pages(40)
    whole, in_parts = GroupSample(200), GroupSample(200)
    whole.add(build(pages))
    for number in range(0, 40, 10):
        ids = pa.array([f"r{n}" for n in range(number, number + 10)])
        keep = [
            pa.compute.is_in(table["request_id"], ids)
            for table in (pages.requests, pages.candidates, pages.outcomes)
        ]
        parts = [
            table.filter(mask)
            for table, mask in zip((pages.requests, pages.candidates, pages.outcomes), keep, strict=True)
        ]
        in_parts.add(build(LoggedPages(*parts)))
    collected = whole.collect()
    assert are_equal(collected, in_parts.collect())
    assert whole.seen_rows == in_parts.seen_rows == 40 * (CANDIDATES - 1)
    assert 0 < len(collected.rows.gains) <= 200
    assert set(collected.rows.groups.tolist()) == {CANDIDATES - 1}


def test_a_lacking_signal_is_named() -> None:
    pages = build_pages(1)
    lacking = dataclasses.replace(pages, candidates=pages.candidates.drop_columns(["signal_fused"]))
    with pytest.raises(KeyError, match="signal_fused"):
        build(lacking)


def test_a_sample_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no logged request"):
        GroupSample(10).collect()
