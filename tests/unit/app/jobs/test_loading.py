"""Loads: verified before they serve, refused without harm, safe to run again."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.encoder import WordLlamaEncoder
from reelrank.index_mappings.engine import VectorMatch
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.match import encode_item_ids
from reelrank.loaders.demo import fold_title, list_title_variants, simulate_watched_shares
from reelrank.loaders.events.history import load_history
from reelrank.loaders.items.catalogue import (
    LoadOptions,
    LoadRejected,
    choose_version_name,
    load_catalogue,
    publish,
)
from reelrank.loaders.items.reindex import reindex
from reelrank.ranking.embeddings.learn_embeddings import Embeddings
from tests.raised import raises_code

ITEMS = [Item("alien", "Alien"), Item("blade", "Blade Runner")]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
OPTIONS = LoadOptions(created_at=NOW)


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(tmp_path)


def test_a_load_reads_what_it_writes_and_serves_it(engine: EmbeddedEngine) -> None:
    report = load_catalogue(ITEMS, engine, WordLlamaEncoder(), OPTIONS)
    assert (report.read, report.written, report.rejected) == (2, 2, ())
    assert engine.fetch(["blade"], 1.0) == [ITEMS[1]]


def test_a_rejected_load_leaves_the_old_index_serving(engine: EmbeddedEngine) -> None:
    old = load_catalogue(ITEMS, engine, WordLlamaEncoder(), OPTIONS)
    bad = Document(Item("bad", "Bad"), {"text": np.zeros(3, np.float32)})
    with raises_code(LoadRejected, "too_many_rejects"):
        publish([[bad]], engine, OPTIONS)
    assert [v.name for v in engine.versions()] == [old.version]


def test_an_empty_load_is_refused(engine: EmbeddedEngine) -> None:
    with raises_code(LoadRejected, "no_rows"):
        publish([], engine, OPTIONS)


def test_the_setting_limits_the_number_of_stored_versions(engine: EmbeddedEngine) -> None:
    reports = [load_catalogue(ITEMS, engine, WordLlamaEncoder(), OPTIONS) for _ in range(3)]
    assert [v.name for v in engine.versions()] == [reports[2].version, reports[1].version]


def test_reindexing_attaches_what_was_learned(engine: EmbeddedEngine) -> None:
    load_catalogue(ITEMS, engine, WordLlamaEncoder(), OPTIONS)
    unit = np.eye(1, 64, dtype=np.float32)
    learned = Embeddings(
        {"session": (encode_item_ids(["blade"]), unit)}, {"blade": (Neighbour("alien", 1.0),)}, None
    )
    reindex(engine, WordLlamaEncoder(), learned, OPTIONS)
    matches = engine.match_vector(VectorMatch("session", "session", unit[0], 5), 1.0)
    assert matches.ids.tolist() == [b"blade"]


def test_events_may_be_loaded_twice(tmp_path: Path) -> None:
    store, events = EmbeddedEvents(tmp_path), [Event(str(n), "watch", "u", n, "alien") for n in range(3)]
    load_history(events, store)
    again = load_history(events, store)
    assert (again.read, again.stored, again.duplicates) == (3, 0, 3)


def test_two_versions_of_one_second_have_different_names() -> None:
    first = choose_version_name([], NOW)
    assert choose_version_name([first], NOW) == f"{first}-2"


@pytest.mark.parametrize(
    ("movielens", "film"),
    [
        ("Matrix, The", "The Matrix"),
        ("Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)", "Amélie"),
        ("Seven (a.k.a. Se7en)", "Se7en"),
        ("Fast & Furious", "Fast and Furious"),
    ],
)
def test_titles_of_both_sources_fold_to_one_another(movielens: str, film: str) -> None:
    assert fold_title(film) in list_title_variants(movielens)


def test_simulated_shares_grow_with_the_rating_and_never_change() -> None:
    ratings = np.repeat([0.5, 2.5, 5.0], 500)
    shares = simulate_watched_shares(ratings)
    means = shares.reshape(3, -1).mean(axis=1)
    assert means[0] < means[1] < means[2]
    np.testing.assert_array_equal(shares, simulate_watched_shares(ratings))
