"""IVF search finds nearly all of what an exact scan finds, whatever passes the filter."""

import numpy as np
import pytest

from reelrank.app.engines.embedded.filters.bitmap import pack, unpack
from reelrank.app.engines.embedded.vectors import vector_index
from reelrank.app.engines.embedded.vectors.ivf import Vectors, open_ivf, train_ivf
from reelrank.app.engines.embedded.vectors.vector_index import VectorIndex
from reelrank.index_mappings.query import Filters

SIZE, LIMIT = 30_000, 100


def build_clustered_vectors(size: int, rng: np.random.Generator) -> Vectors:
    centres = np.random.default_rng(7).normal(size=(300, 64))
    vectors = centres[rng.integers(0, 300, size)] + rng.normal(size=(size, 64)) * 0.6
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """An index in which every hundredth document has no vector."""
    vectors = build_clustered_vectors(SIZE, np.random.default_rng(1))
    vectors[::100] = 0
    has_vector = np.asarray(vectors.any(axis=1))
    path = tmp_path_factory.mktemp("ivf") / "factors.faiss"
    assignments = np.zeros(SIZE, np.int32)
    nprobe = train_ivf(vectors, np.flatnonzero(has_vector), path, assignments)
    return VectorIndex(vectors, pack(has_vector), int(has_vector.sum()), open_ivf(path, nprobe, assignments))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01, 0.001])
def test_recall_is_high_whatever_share_passes_the_filter(
    index: VectorIndex, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "MAX_EXACT_BYTES", 100_000)  # 390 vectors, so that IVF is used
    rng = np.random.default_rng(3)
    passes = rng.random(SIZE) < share
    exact = VectorIndex(index.vectors, index.present, index.count, None)
    found = []
    for wanted in build_clustered_vectors(40, rng):
        near, scores = index.search(wanted, LIMIT, pack(passes))
        true, _ = exact.search(wanted, LIMIT, pack(passes))
        assert passes[near].all()
        assert index.vectors[near].any(axis=1).all()
        np.testing.assert_allclose(scores, index.vectors[near] @ wanted, atol=1e-5)
        found.append(len(np.intersect1d(near, true)) / min(LIMIT, len(true)))
    assert np.mean(found) >= 0.95


def test_few_candidates_are_scanned_exactly(index: VectorIndex) -> None:
    passes = np.zeros(SIZE, bool)
    passes[5:2000:7] = True
    wanted = build_clustered_vectors(1, np.random.default_rng(4))[0]
    places, scores = index.search(wanted, 10, pack(passes))
    candidates = np.flatnonzero(passes & index.vectors.any(axis=1))
    true = candidates[np.argsort(-(index.vectors[candidates] @ wanted))[:10]]
    assert sorted(places.tolist()) == sorted(true.tolist())
    assert np.all(np.diff(np.sort(scores)) >= 0)


def test_recall_is_high_when_the_filter_passes_only_far_clusters(
    index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "MAX_EXACT_BYTES", 100_000)
    exact = VectorIndex(index.vectors, index.present, index.count, None)
    found = []
    centres = np.random.default_rng(7).normal(size=(300, 64))
    cluster = np.argmax(index.vectors @ centres.T.astype(np.float32), axis=1)
    for number, wanted in enumerate(build_clustered_vectors(20, np.random.default_rng(5))):
        far = np.argsort(centres @ wanted)[20:200:6]
        passes = np.isin(cluster, far)
        near, _ = index.search(wanted, LIMIT, pack(passes), Filters(year_min=number))
        true, _ = exact.search(wanted, LIMIT, pack(passes))
        found.append(len(np.intersect1d(near, true)) / LIMIT)
    assert np.mean(found) >= 0.95


def test_packing_and_unpacking_returns_the_same_set() -> None:
    mask = np.random.default_rng(0).random(1003) < 0.3
    assert unpack(pack(mask), 1003).tolist() == np.flatnonzero(mask).tolist()
