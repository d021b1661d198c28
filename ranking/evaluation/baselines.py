"""Baselines of the literature for home pages: EASE, item-kNN, ALS and recent popularity.

Each is fitted on the watches before a time and ranks every item that it knows, except what a viewer has
watched by the time of a page. None has candidates, features or a time budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from warnings import catch_warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.embeddings.ease import Ease, fit_ease
from reelrank.ranking.embeddings.matrix_factorization import ALPHA, FACTORS, ITERATIONS, REGULARIZATION
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.items.engagements import QUICK_SKIP_SHARE
from reelrank.ranking.items.popularity.half_lives import BASELINE_HALF_LIVES_DAYS

EASE, ITEM_KNN, ALS, POPULARITY = "EASE", "item-kNN", "ALS", "recent popularity"
DEPTH = 100
"""Items of a ranking: what recall@100 needs."""
MIN_HISTORY, PAGES_PER_VIEWER = 5, 8
"""Pages on which the half-life is chosen."""
KNN_NEIGHBOURS = 100
"""Neighbours of an item that count in item-kNN, as many as the product stores."""
Columns = NDArray[np.intp]
"""Columns [pages, DEPTH] of `Watches.item_ids`, best first; -1 where a ranking ends."""


@dataclass(frozen=True, slots=True, eq=False)
class PastPages:
    """p home pages: at_ms int64 [p], and what each viewer had watched by then as ids."""

    at_ms: NDArray[np.int64]
    seen: Sequence[ItemIds]

    def build_histories(self, item_ids: ItemIds) -> csr_matrix:
        """Returns a matrix [p, items] of 1 for what was watched; other ids are left out."""
        pages = np.repeat(np.arange(len(self.seen)), [len(ids) for ids in self.seen])
        ids = np.concatenate([*self.seen, item_ids[:0]])
        columns = np.minimum(np.searchsorted(item_ids, ids), len(item_ids) - 1)
        known = item_ids[columns] == ids
        shape = (len(self.seen), len(item_ids))
        return csr_matrix((np.ones(known.sum(), np.float32), (pages[known], columns[known])), shape=shape)


def rank_by_ease(watches: Watches, pages: PastPages) -> list[ItemIds]:
    """Returns the first DEPTH item ids of each page by EASE, fitted on `watches`."""
    histories = pages.build_histories(watches.item_ids)
    return _to_ids(watches.item_ids, _rank_by_ease(fit_ease(_build_binary_matrix(watches)), histories))


def rank_by_baselines(watches: Watches, pages: PastPages) -> dict[str, list[ItemIds]]:
    """Returns the first DEPTH item ids of each page by EASE, item-kNN and ALS, fitted on `watches`."""
    matrix = _build_binary_matrix(watches)
    histories = pages.build_histories(watches.item_ids)
    columns = {
        EASE: _rank_by_ease(fit_ease(matrix), histories),
        ITEM_KNN: _rank_by_item_knn(matrix, histories),
        ALS: _rank_by_als(watches.to_user_matrix(), histories),
    }
    return {name: _to_ids(watches.item_ids, ranked) for name, ranked in columns.items()}


def rank_by_popularity(watches: Watches, pages: PastPages, half_life_days: float) -> list[ItemIds]:
    """Returns the most watched items of each page's time that its viewer has not watched, best first.

    A watch counts by its watched share. watches: in the order of time, of any time; later ones do not count.
    """
    histories = pages.build_histories(watches.item_ids)
    ranked = np.full((len(pages.at_ms), DEPTH), -1, np.intp)
    for page, at_ms in enumerate(pages.at_ms.tolist()):
        past = slice(0, int(np.searchsorted(watches.at_ms, at_ms)))
        decay = np.exp2((watches.at_ms[past] - at_ms) / (half_life_days * DAY_MS))
        weights = watches.weights[past] * decay
        counts = np.bincount(watches.items[past], weights, len(watches.item_ids)).astype(np.float64)
        counts[counts == 0] = -np.inf
        ranked[page] = _select_unseen(counts[None, :], histories[[page]])[0]
    return _to_ids(watches.item_ids, ranked)


def sample_pages(watches: Watches, window: tuple[int, int], seed: int = 0) -> tuple[PastPages, list[ItemIds]]:
    """Samples pages in a window [from, to) of times, just before a watch, and what was new in the day after.

    At most PAGES_PER_VIEWER of a viewer, who had watched MIN_HISTORY items before.
    """
    rng = np.random.default_rng(seed)
    at_ms, seen, relevant = list[int](), list[ItemIds](), list[ItemIds]()
    order = np.argsort(watches.users, kind="stable")
    for viewer_rows in np.split(order, np.flatnonzero(np.diff(watches.users[order])) + 1):
        times, items = watches.at_ms[viewer_rows], watches.item_ids[watches.items[viewer_rows]]
        usable = np.flatnonzero(
            (times >= window[0]) & (times < window[1]) & (np.arange(len(viewer_rows)) >= MIN_HISTORY)
        )
        for position in np.sort(rng.permutation(usable)[:PAGES_PER_VIEWER]).tolist():
            moment = int(times[position])
            past = np.unique(items[times < moment])
            later = (
                (times >= moment)
                & (times < moment + DAY_MS)
                & (watches.weights[viewer_rows] >= QUICK_SKIP_SHARE)
            )
            at_ms.append(moment)
            seen.append(past)
            relevant.append(np.setdiff1d(items[later], past))
    return PastPages(np.array(at_ms, np.int64), seen), relevant


def choose_baseline_half_life(watches: Watches, pages: PastPages, relevant: Sequence[ItemIds]) -> float:
    """Returns the half-life in days with the best NDCG@10 on pages of a validation window.

    Of equal ones the longest. relevant: what counts as relevant to each page, all alike.
    """
    values = {
        days: float(measure_ndcg(rank_by_popularity(watches, pages, days), relevant).sum())
        for days in reversed(BASELINE_HALF_LIVES_DAYS)
    }
    return max(values, key=values.__getitem__)


def measure_ndcg(ranked: Sequence[ItemIds], relevant: Sequence[ItemIds]) -> NDArray[np.float64]:
    """Returns NDCG@10 of each page, where every relevant item counts alike."""
    return np.array(
        [
            ndcg_at(np.isin(ids[:10], wanted).astype(np.float32), np.ones(len(wanted), np.float32), 10)
            for ids, wanted in zip(ranked, relevant, strict=True)
        ]
    )


def _build_binary_matrix(watches: Watches) -> csr_matrix:
    matrix = watches.to_user_matrix()
    matrix.data = np.ones_like(matrix.data)
    return matrix


def _rank_by_ease(ease: Ease, histories: csr_matrix) -> Columns:
    positions = _select_unseen(ease.compute_scores(histories), histories[:, ease.items])
    return np.where(positions >= 0, ease.items[positions], -1)


def _rank_by_item_knn(matrix: csr_matrix, histories: csr_matrix) -> Columns:
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(KNN_NEIGHBOURS, num_threads=1)
    with catch_warnings(action="ignore"):  # it warns of a conversion that it causes itself
        model.fit(matrix, show_progress=False)
    return _select_unseen(np.asarray((histories @ model.similarity).toarray(), np.float32), histories)


def _rank_by_als(confidence: csr_matrix, histories: csr_matrix) -> Columns:
    """Ranks by the inner product with the factors; viewers are folded in as of the page."""
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    confidence.data = 1.0 + ALPHA * confidence.data
    with threadpool_limits(1, "blas"):  # implicit warns and is slow when BLAS uses several threads
        model = AlternatingLeastSquares(
            factors=FACTORS, regularization=REGULARIZATION, iterations=ITERATIONS, random_state=0,
            use_gpu=False, num_threads=1,
        )  # fmt: skip
        model.fit(confidence, show_progress=False)
        watched = histories.copy()
        watched.data = np.full_like(watched.data, 1.0 + ALPHA)
        viewers = model.recalculate_user(np.arange(watched.shape[0]), watched)
    return _select_unseen(np.asarray(viewers @ model.item_factors.T, np.float32), histories)


def _select_unseen(scores: NDArray[np.floating], histories: csr_matrix) -> Columns:
    """Returns the columns of the DEPTH best scores [p, items] outside the histories; ties by column."""
    scores = scores.copy()
    scores[histories.nonzero()] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    best[~np.isfinite(np.take_along_axis(scores, best, axis=1))] = -1
    ranked = np.full((len(scores), DEPTH), -1, np.intp)
    ranked[:, : best.shape[1]] = best
    return ranked


def _to_ids(item_ids: ItemIds, columns: Columns) -> list[ItemIds]:
    return [item_ids[row[row >= 0]] for row in columns]
