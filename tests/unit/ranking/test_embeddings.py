"""Embeddings separate two groups of viewers who watch different items."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.index_mappings.fields import to_neighbour_level
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.loaders.items.reindex import attach_embeddings
from reelrank.ranking.embeddings import item_neighbours as neighbours
from reelrank.ranking.embeddings.ease import L2, fit_ease
from reelrank.ranking.embeddings.item2vec import split_sessions
from reelrank.ranking.embeddings.learn_embeddings import Embeddings, learn_embeddings
from reelrank.ranking.embeddings.watches import Watches, select_watches
from reelrank.ranking.items.fold_in import fold_in
from reelrank.ranking.items.neighbour_lists import sum_neighbour_weights
from reelrank.ranking.items.table import build_table

HOUR_MS = 3_600_000


def build_events_of_two_tastes() -> pa.Table:
    """Builds events of 40 viewers, each watching 8 of the 12 items of one taste, "a" or "b", in one go."""
    rng = np.random.default_rng(1)
    events = []
    for user in range(40):
        taste = "ab"[user % 2]
        for minute, item in enumerate(rng.permutation(12)[:8]):
            at_ms = (user * 24 + 1) * HOUR_MS + minute * 60_000
            event_id = f"{user}-{item}"
            events.append(
                Event(event_id, "watch", f"u{user}", at_ms, f"{taste}{item}", 90 * 60_000, 100 * 60_000)
            )
    columns = {f.name: [getattr(e, f.name) for e in events] for f in EVENT_SCHEMA}
    return pa.Table.from_pydict(columns, EVENT_SCHEMA)


@pytest.fixture(scope="module")
def watches() -> Watches:
    return select_watches(build_events_of_two_tastes(), 2**62)


@pytest.fixture(scope="module")
def learned(watches: Watches) -> Embeddings:
    return learn_embeddings(watches)


def test_only_watches_before_the_given_time_are_used() -> None:
    early = select_watches(build_events_of_two_tastes(), 24 * HOUR_MS)
    assert early.user_ids.tolist() == ["u0"]


def test_an_item_and_its_neighbours_share_a_taste(learned: Embeddings) -> None:
    for item, item_neighbours in learned.neighbours.items():
        assert {n.id[0] for n in item_neighbours} == {item[0]}
        weights = [n.weight for n in item_neighbours]
        assert weights == sorted(weights, reverse=True)
        assert min(weights) > 0


def test_weights_are_comparable_between_items(learned: Embeddings) -> None:
    heaviest = [item_neighbours[0].weight for item_neighbours in learned.neighbours.values()]
    assert max(heaviest) == 1.0
    assert min(heaviest) < 1.0


def test_rarely_watched_items_without_regression_have_neighbours(
    watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "fit_ease", partial(fit_ease, max_items=6))
    found = neighbours.learn_neighbours(watches)
    assert set(found) == {i.decode() for i in watches.item_ids.tolist()}
    assert all(n.id[0] == item[0] for item, item_neighbours in found.items() for n in item_neighbours)


def test_neighbours_of_regressed_items_have_the_weights_of_the_regression(watches: Watches) -> None:
    """B of Steck 2019 in closed form, computed here with a matrix inverse."""
    matrix = watches.to_user_matrix().toarray().astype(np.float64)
    precision = np.linalg.inv(matrix.T @ matrix + L2 * np.eye(matrix.shape[1]))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0)
    for column, item in enumerate(watches.item_ids.tolist()):
        found = neighbours.learn_neighbours(watches)[item.decode()]
        rows = np.searchsorted(watches.item_ids, encode_item_ids(n.id for n in found))
        expected = weights[rows, column] / weights.max()
        assert [n.weight for n in found] == pytest.approx(expected.tolist(), rel=1e-3)
        assert len(found) == min((weights[:, column] > 0).sum(), 64)


def test_a_table_sums_the_neighbour_weights_of_a_whole_history(learned: Embeddings, tmp_path: Path) -> None:
    items = [Item(name, name) for name in ("z", *learned.neighbours)]  # nothing was learned of z
    table = build_table(tmp_path / "t", "v", attach_embeddings([[Document(i) for i in items]], learned), None)
    history = table.find_rows(encode_item_ids(["a1", "b2", "a3"]))
    weights = np.array([1, 0.5, 0.25], np.float32)
    candidates = np.append(np.arange(len(table)), -1)
    lists = table.neighbour_rows, table.neighbour_levels
    sums = sum_neighbour_weights(lists, candidates, (history, weights))
    for row, item_id in zip(candidates, table.ids.tolist(), strict=False):
        stated = {n.id: n.weight for n in learned.neighbours.get(item_id.decode(), ())}
        levels = [to_neighbour_level(stated[i]) / 16 if i in stated else 0 for i in ("a1", "b2", "a3")]
        assert sums[row] == pytest.approx(weights @ np.array(levels))
    assert np.isnan(sums[-1])


@pytest.mark.parametrize("field", ["factors", "session"])
def test_every_learned_vector_has_unit_length(learned: Embeddings, field: str) -> None:
    ids, vectors = learned.vectors[field]
    assert len(ids) == 24
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_new_viewer_is_folded_in_from_two_watches(learned: Embeddings) -> None:
    ids, vectors = learned.vectors["factors"]
    assert learned.fold_in is not None
    watched = vectors[np.isin(ids, encode_item_ids(["b1", "b2"]))]
    viewer = fold_in(learned.fold_in, watched, np.ones(2, np.float32))
    scores = vectors @ viewer
    of_b = np.char.startswith(ids, b"b")
    assert scores[of_b].mean() > 5 * abs(scores[~of_b].mean())


def test_watches_of_different_evenings_are_different_sessions(watches: Watches) -> None:
    sessions = split_sessions(watches)
    assert len(sessions) == 40
    assert {len(session) for session in sessions} == {8}


def test_learning_twice_gives_the_same(watches: Watches, learned: Embeddings) -> None:
    again = learn_embeddings(watches)
    for field in ("factors", "session"):
        np.testing.assert_array_equal(again.vectors[field][1], learned.vectors[field][1])


def test_only_the_newest_watches_of_a_viewer_make_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer with 20,000 films would need 19 GB."""
    monkeypatch.setattr(neighbours, "MAX_PER_VIEWER", 3)
    ids = encode_item_ids(f"film{n}" for n in range(9))
    ones = np.ones(9, np.float32)
    watches = Watches(
        np.array(["ada"]), ids, np.zeros(9, np.int32), np.arange(9, dtype=np.int32), np.arange(9), ones
    )
    assert set(neighbours.learn_neighbours(watches)) == {"film6", "film7", "film8"}
