"""Signals and features: missing values stay missing, only the past is seen, order does not matter."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.encoder import WordLlamaEncoder, build_item_text
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.column import is_shared
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES, FEATURES_BY_NAME, compute_features
from reelrank.ranking.features.context import hash_cross
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.retrieval.candidates import locate
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.signals.observe import Signals, observe
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request

NOW = datetime(2026, 7, 4, 20, 30, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
ITEMS = [
    Item(
        "alien",
        "Alien",
        genres=("Horror", "Sci-Fi"),
        people=("Ridley Scott",),
        countries=("UK",),
        duration_s=7020,
    ),
    Item(
        "blade",
        "Blade Runner",
        genres=("Sci-Fi",),
        people=("Ridley Scott", "Harrison Ford"),
        countries=("USA",),
    ),
    Item("amelie", "Amélie", genres=("Romance",), people=("Audrey Tautou",), countries=("France",)),
]
SHARED = {"weekday", "hour", "watches", "rank_bm25", "score_text_knn", "is_holiday", "times_shown"}


@pytest.fixture
def table(tmp_path: Path) -> ItemTable:
    vectors = WordLlamaEncoder().encode([build_item_text(item) for item in ITEMS])
    documents = [Document(item, {"text": vector}) for item, vector in zip(ITEMS, vectors, strict=True)]
    return build_table(tmp_path / "t", "items-1", [documents], None)


def build_watch(item_id: str, at_ms: int) -> Event:
    return Event(f"w-{item_id}-{at_ms}", "watch", "u", at_ms, item_id, 90, 100)


def observe_signals(table: ItemTable, events: list[Event], ids: list[str]) -> Signals:
    query = Query(user="u", context=Context(NOW, country="US"))
    moment = build_request(query, build_viewer("u", events, NOW_MS), table, WordLlamaEncoder())
    candidates = fuse(
        [Matches("popular", encode_item_ids(ids), np.arange(len(ids), 0, -1, dtype=np.float32))]
    )
    return observe(moment, locate(candidates, table), table, Popularity(len(table)))


def test_every_feature_reads_signals_that_are_observed(table: ItemTable) -> None:
    observed = observe_signals(table, [], ["alien"]).columns.keys()
    assert {signal for feature in FEATURES for signal in feature.reads} <= observed


def test_names_are_not_used_twice() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) >= 50


def test_an_item_that_the_table_lacks_still_gets_features(
    table: ItemTable,
) -> None:
    signals = observe_signals(table, [build_watch("alien", 1)], ["blade", "unknown"])
    features = compute_features(signals)
    assert features.shape == (2, len(FEATURE_NAMES))
    assert np.isnan(features[1, FEATURE_NAMES.index("genre_affinity")])
    assert not np.isinf(features).any()


def test_a_watch_raises_the_affinity_of_its_people_and_genre(table: ItemTable) -> None:
    signals = observe_signals(table, [build_watch("alien", NOW_MS - 1000)], ["amelie", "blade"])
    for name in ("genre_affinity", "people_affinity", "cosine_taste", "last_text"):
        amelie, blade = signals.columns[name]
        assert blade > amelie, name


def test_a_viewer_without_a_past_has_no_affinities(table: ItemTable) -> None:
    assert np.isnan(observe_signals(table, [], ["alien"]).columns["genre_affinity"]).all()


def test_a_watch_planted_in_the_future_changes_nothing(table: ItemTable) -> None:
    past = [build_watch("alien", NOW_MS - 1000)]
    leak = build_watch("blade", NOW_MS + 1000)
    honest = compute_features(observe_signals(table, past, ["blade", "amelie"]))
    tried = compute_features(observe_signals(table, [*past, leak], ["blade", "amelie"]))
    np.testing.assert_array_equal(honest, tried)


def test_the_same_watch_in_the_past_would_have_been_noticed(table: ItemTable) -> None:
    past = [build_watch("alien", NOW_MS - 1000)]
    honest = compute_features(observe_signals(table, past, ["blade", "amelie"]))
    leaked = compute_features(
        observe_signals(table, [*past, build_watch("blade", NOW_MS - 1)], ["blade", "amelie"])
    )
    assert not np.array_equal(honest, leaked, equal_nan=True)


def test_independence_day_is_a_holiday_in_the_united_states(table: ItemTable) -> None:
    assert observe_signals(table, [], ["alien"]).columns["is_holiday"].tolist() == [1.0]


def test_a_past_impression_is_counted_and_dated(table: ItemTable) -> None:
    shown = Event("i", "impression", "u", NOW_MS - 2 * 86_400_000, "blade")
    columns = observe_signals(table, [shown], ["alien", "blade"]).columns
    assert columns["times_shown"].tolist() == [0, 1]
    assert columns["days_since_shown"][1] == pytest.approx(2)


def test_past_searches_raise_the_cosine_of_their_films(table: ItemTable) -> None:
    searches = [Event("q", "search", "u", NOW_MS - 1000, text="romance in France")]
    amelie, alien = observe_signals(table, searches, ["amelie", "alien"]).columns["cosine_past_queries"]
    assert amelie > alien
    assert np.isnan(observe_signals(table, [], ["alien"]).columns["cosine_past_queries"]).all()


def test_a_cross_is_missing_where_either_part_is() -> None:
    one, none = np.array([3.0, 3.0], np.float32), np.array([1.0, np.nan], np.float32)
    alone = np.ones(1, np.float32)
    with np.errstate(invalid="ignore"):
        crossed = hash_cross(one, none, seed=alone, step=alone)
    assert 0 <= crossed[0] < 256
    assert np.isnan(crossed[1])


def test_a_bucket_is_bits_33_to_40_of_the_mixed_codes() -> None:
    genres, hours = np.arange(30, dtype=np.float32), np.arange(30, dtype=np.float32)[::-1] * 7
    buckets = hash_cross(genres, hours, seed=np.full(1, 3, np.float32), step=np.full(1, 4, np.float32))
    for genre, hour, bucket in zip(genres.tolist(), hours.tolist(), buckets.tolist(), strict=True):
        codes = int(genre) * 0x9E3779B97F4A7C15 ^ int(hour // 4) * 0xC2B2AE3D27D4EB4F ^ 3
        assert bucket == (codes * 0xFF51AFD7ED558CCD >> 33) % 256


def test_the_fingerprint_sees_a_changed_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compute_feature_fingerprint(FEATURE_NAMES)
    assert compute_feature_fingerprint(FEATURE_NAMES) == before
    age = FEATURES_BY_NAME["age_days"]
    changed = type(age)(age.name, age.group, age.reads, age.description, lambda today, published: today)
    monkeypatch.setitem(FEATURES_BY_NAME, "age_days", changed)
    assert compute_feature_fingerprint(FEATURE_NAMES) != before


@pytest.mark.parametrize("ids", [[], ["alien"], ["amelie", "unknown", "blade"]])
def test_a_shared_column_gives_the_features_of_a_full_column(table: ItemTable, ids: list[str]) -> None:
    for watched in ([], [build_watch("alien", NOW_MS - 1000)]):
        once = observe_signals(table, watched, ids)
        in_full = Signals({name: column.copy() for name, column in once.columns.items()})
        assert {name for name, column in once.columns.items() if is_shared(column)} >= SHARED
        assert compute_features(once).tobytes() == compute_features(in_full).tobytes()


@pytest.mark.parametrize("names", [FEATURE_NAMES, FEATURE_NAMES[::-1], FEATURE_NAMES[::3]])
def test_batched_features_equal_features_computed_alone(table: ItemTable, names: tuple[str, ...]) -> None:
    signals = observe_signals(table, [build_watch("alien", NOW_MS - 1000)], ["amelie", "unknown", "blade"])
    together = compute_features(signals, names)
    alone = np.column_stack([compute_features(signals, [name]) for name in names])
    assert together.tobytes() == alone.tobytes()


def test_shared_columns_are_logged_and_taken_like_others(table: ItemTable) -> None:
    signals = observe_signals(table, [], ["amelie", "blade"])
    logged = Signals({name: np.array(column) for name, column in signals.columns.items()})
    assert logged.columns["weekday"].tolist() == [5, 5]
    assert compute_features(logged).tobytes() == compute_features(signals).tobytes()
    taken = signals.take(np.array([1]))
    assert taken.columns["weekday"].tolist() == [5]
    assert {name for name, column in taken.columns.items() if is_shared(column)} >= SHARED
    with pytest.raises(ValueError, match="read-only"):
        taken.columns["weekday"][0] = 6


def observe_search(table: ItemTable, text: str, now: datetime = NOW) -> Signals:
    request = build_request(
        Query(text=text, context=Context(now, country="US")),
        build_viewer("", [], NOW_MS),
        table,
        WordLlamaEncoder(),
    )
    found = locate(fuse([Matches("bm25", table.ids, np.ones(3, np.float32))]), table)
    return observe(request, found, table, Popularity(len(table)))


def test_the_title_that_was_typed_differs_from_the_others(table: ItemTable) -> None:
    signals = observe_search(table, "BLADE RUNNER")
    for name in ("title_is_query", "title_words", "title_phrase"):
        assert signals.columns[name].tolist() == [0, 0, 1], name
    assert observe_search(table, "blade ru").columns["title_begins"].tolist() == [0, 0, 1]


def test_a_page_without_a_search_has_no_title_signals(table: ItemTable) -> None:
    columns = observe_signals(table, [], ["alien", "blade"]).columns
    assert all(np.isnan(columns[name]).all() for name in columns if name.startswith("title_"))


def test_a_search_has_the_same_features_at_any_hour(table: ItemTable) -> None:
    morning, night = (compute_features(observe_search(table, "alien", NOW.replace(hour=h))) for h in (8, 23))
    np.testing.assert_array_equal(morning, night)


def test_a_home_page_knows_the_hour(table: ItemTable) -> None:
    signals = observe_signals(table, [], ["alien"])
    names = ["hour_sine", "weekday", "is_holiday", "genre_x_hour", "genre_x_weekday"]
    assert np.isfinite(compute_features(signals, names)).all()
