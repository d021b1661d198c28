"""The relevance suite fails when a floor is missed, and its readings hold out what they judge by."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.relevance.collection import CollectionResult
from benchmarks.relevance.floors import check_collection, check_hours, check_similar, check_titles
from benchmarks.relevance.home import READINGS, HomeResult, measure_home
from benchmarks.relevance.readings import HomePlan, hold_out_last
from benchmarks.relevance.report import format_home
from benchmarks.relevance.run import main
from benchmarks.relevance.similar import list_newest_items, measure_similar
from benchmarks.relevance.titles import SameAtAnyHour, measure_hours, measure_titles
from reelrank.app.jobs.history import read_history
from reelrank.index_mappings.event import DAY_MS, EVENT_SCHEMA, Event
from reelrank.index_mappings.item import Item
from reelrank.loaders.events.history import load_history
from reelrank.ranking.embeddings.watches import select_watches
from reelrank.ranking.evaluation.baselines import ALS, EASE, ITEM_KNN
from reelrank.ranking.evaluation.intervals import MIN_VIEWERS, Interval, Verdict, judge_difference
from reelrank.ranking.evaluation.known_items import WATCH_BANDS, KnownItemResult
from reelrank.ranking.progress import ignore_progress
from tests.sample_project import FILMS, build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


def result(kind: str, system: str, first: float, queries: int = 400, low: float = 0.0) -> KnownItemResult:
    share = Interval(first, first, first)
    difference = None if system == "bm25" else Interval(low + 0.01, low, low + 0.02)
    return KnownItemResult(kind, system, queries, share, share, difference)


def build_events(events: list[Event]) -> pa.Table:
    columns = {field.name: [getattr(e, field.name) for e in events] for field in EVENT_SCHEMA}
    return pa.Table.from_pydict(columns, EVENT_SCHEMA)


@pytest.mark.parametrize(
    ("measured", "is_met"),
    [
        (result("exact", "served", 0.975), True),
        (result("exact", "served", 0.974), False),
        (result("exact", "served", 1.0, low=-0.02), False),
        (result("exact", "bm25", 0.95), False),
        (result("typo", "without a model", 0.93), True),
        (result("typo", "without a model", 0.92), False),
        (result("exact", "degraded", 0.95, queries=60), True),
        (result("exact", "degraded", 0.90, queries=60), False),
        (result("reordered", "served", 0.2), True),
        (result("reordered", "served", 0.2, queries=60, low=-0.05), False),
    ],
)
def test_a_missed_floor_fails(measured: KnownItemResult, is_met: bool) -> None:
    assert all(goal.is_met for goal in check_titles([measured])) is is_met


def test_an_order_that_is_certainly_below_bm25_fails() -> None:
    base = CollectionResult("as written", "bm25", 300, Interval(0.67, 0.6, 0.7), None)
    below = CollectionResult("capitals", "degraded", 300, base.ndcg, Interval(-0.02, -0.03, -0.01))
    assert [goal.is_met for goal in check_collection([base, below])] == [True, False]
    assert not check_hours(SameAtAnyHour(400, 391)).is_met


@pytest.mark.parametrize(
    ("viewers", "difference", "is_met"),
    [
        (600, Interval(0.0, -0.009, 0.01), True),
        (600, Interval(0.0, -0.011, 0.01), False),
        (250, Interval(0.0, -0.02, 0.01), True),
        (250, Interval(-0.02, -0.03, -0.01), False),
    ],
)
def test_similar_items_that_are_worse_than_item_knn_fail(
    viewers: int, difference: Interval, is_met: bool
) -> None:
    ndcg, verdict = Interval(0.05, 0.04, 0.06), judge_difference(difference, viewers, MIN_VIEWERS)
    results = [
        HomeResult("similar", "served", viewers, viewers, ndcg, None, None),
        HomeResult("similar", EASE, viewers, viewers, ndcg, Interval(-1, -1, -1), Verdict.WORSE),
        HomeResult("similar", ITEM_KNN, viewers, viewers, ndcg, difference, verdict),
    ]
    assert [goal.is_met for goal in check_similar(results)] == [is_met]


def test_similar_items_are_asked_for_the_newest_items_that_were_not_left() -> None:
    events = [
        Event(f"{n}", "watch", "a", 1000 * n, item, watched_ms, 100)
        for n, (item, watched_ms) in enumerate([("i1", 90), ("i2", 90), ("i3", 1), ("i1", 90), ("i4", 90)])
    ]
    watches = select_watches(build_events(events), 2**62)
    assert list_newest_items(watches, "a") == [b"i4", b"i1", b"i2"]


def test_without_scifact_nothing_is_measured(tmp_path: Path) -> None:
    assert main(["--small", "--data", str(tmp_path), "--demo", str(tmp_path)]) == 2


def test_titles_and_hours_are_measured_on_a_project(tmp_path: Path) -> None:
    container = build_project(tmp_path, NOW, [Item("new", "Quiet Harbour")])
    results = measure_titles(container, 5, ignore_progress)
    assert {each.system for each in results} == {"bm25", "served", "without a model", "degraded"}
    assert {"exact", "typo", *WATCH_BANDS} <= {each.kind for each in results}
    assert measure_hours(container, 5, ignore_progress) == SameAtAnyHour(5, 5)


def test_the_last_watches_of_each_viewer_are_held_out() -> None:
    events = [
        Event(f"{user}{n}", "watch", user, 1000 * n, f"i{n}", 9, 10) for user in "ab" for n in range(20)
    ]
    events += [Event(f"c{n}", "watch", "c", n, f"i{n}", 9, 10) for n in range(5)]
    kept, held_out = hold_out_last(build_events(events))
    assert {user: sorted(ids.tolist()) for user, ids in held_out.items()} == {
        user: [b"i17", b"i18", b"i19"] for user in "ab"
    }
    assert kept.num_rows == 17 + 17 + 5
    assert np.asarray(kept["at_ms"]).max() == 16_000


def build_long_histories() -> list[Event]:
    """60 viewers who watch eleven of the twelve films of one topic, a few each day, at different times."""
    rng = np.random.default_rng(0)
    events = []
    for user in range(60):
        films = FILMS[12 * (user % 2) :][:12]
        for number, film in enumerate(rng.permutation(12)[:11].tolist()):
            at_ms = NOW_MS - (user % 20) * 9 * DAY_MS - (11 - number) * DAY_MS // 4
            events.append(Event(f"l{user}-{number}", "watch", f"long-{user}", at_ms, films[film].id, 9, 10))
    return events


@pytest.mark.slow
def test_home_pages_are_measured_in_three_readings(tmp_path: Path) -> None:
    container = build_project(tmp_path, NOW)
    load_history(build_long_histories(), container.events)
    history = read_history(container)
    results = measure_home(history, HomePlan(60, 2, 10), tuple(READINGS), ignore_progress)
    readings = {each.reading[0] for each in results}
    assert readings == set(READINGS)
    for reading in readings:
        own = [each for each in results if each.reading[0] == reading]
        assert {"served", "fused", EASE, ITEM_KNN, ALS} < {each.system for each in own}
        assert all((each.difference is None) == (each.system == "served") for each in own)
    assert "undecided" in format_home(results)


@pytest.mark.slow
def test_pages_of_similar_items_are_measured_beside_baselines(tmp_path: Path) -> None:
    container = build_project(tmp_path, NOW)
    load_history(build_long_histories(), container.events)
    results = measure_similar(read_history(container), 30, ignore_progress)
    assert {each.system for each in results} == {"served", EASE, ITEM_KNN, ALS}
    assert results[0].viewers == 30
    assert results[0].ndcg.mean > 0.2  # films of the other topic are never watched
    assert len(check_similar(results)) == 1
