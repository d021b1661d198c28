"""Embeddings separate two groups of viewers who watch different items."""

import numpy as np
import pyarrow as pa
import pytest

from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.embeddings import item_neighbours as neighbours
from reelrank.ranking.embeddings.item2vec import split_sessions
from reelrank.ranking.embeddings.learn_embeddings import Embeddings, learn_embeddings
from reelrank.ranking.embeddings.watches import Watches, select_watches
from reelrank.ranking.items.fold_in import fold_in

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
    monkeypatch.setattr(neighbours, "REGRESSION_ITEMS", 6)
    found = neighbours.learn_neighbours(watches)
    assert set(found) == {i.decode() for i in watches.item_ids.tolist()}
    assert all(n.id[0] == item[0] for item, item_neighbours in found.items() for n in item_neighbours)


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
