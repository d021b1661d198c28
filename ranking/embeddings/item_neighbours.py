"""Item-to-item collaborative filtering: neighbours are items that the same viewers watched.

The most watched items get the weights of a regression (`ease.py`), the others shrunk cosines of co-watching.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from reelrank.index_mappings.fields import MAX_NEIGHBOURS
from reelrank.index_mappings.item import Neighbour
from reelrank.ranking.embeddings.ease import Ease, Items, fit_ease
from reelrank.ranking.embeddings.watches import Watches

MAX_PER_VIEWER = 1000
"""Newest watches of a viewer that make neighbours. Pairs grow with the square: a viewer with 20,000 films
would need 19 GB. More than a thousand films are rarely one taste."""
SHRINKAGE = 10.0
"""Added to each product of lengths, so that pairs seen once or twice get a low similarity
(Bell & Koren 2007, "Improved neighborhood-based collaborative filtering")."""
BLOCK = 512
"""Items whose weights are computed at a time: 20 MB beside those of 10,000 others. The most memory is that of
EASE, about 1.2 GB while a matrix of 10,000 items is inverted."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Lists:
    """columns, weights [items, MAX_NEIGHBOURS]: the neighbours of each item, heaviest first; 0 ends."""

    columns: NDArray[np.int32]
    weights: Floats

    def fill_dense(self, items: Items, weights: Floats, columns: Items) -> None:
        """Sets the lists of some items from weights [items, columns]; those of 0 and less are left out."""
        size = min(MAX_NEIGHBOURS, len(columns))
        best = np.sort(np.argpartition(-weights, size - 1, axis=1)[:, :size], axis=1)
        best_weights = np.take_along_axis(weights, best, axis=1)
        order = np.argsort(-best_weights, axis=1, kind="stable")
        self.columns[items, :size] = columns[np.take_along_axis(best, order, axis=1)]
        self.weights[items, :size] = np.maximum(np.take_along_axis(best_weights, order, axis=1), 0)

    def fill_sparse(self, items: Items, weights: coo_matrix) -> None:
        """Sets the lists of some items from positive weights [items, all items]."""
        order = np.lexsort((weights.col, -weights.data, weights.row))
        rows = weights.row[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        is_kept = rank < MAX_NEIGHBOURS
        places = items[rows[is_kept]], rank[is_kept]
        self.columns[places] = weights.col[order][is_kept]
        self.weights[places] = weights.data[order][is_kept]


def learn_neighbours(watches: Watches) -> dict[str, tuple[Neighbour, ...]]:
    """Learns at most MAX_NEIGHBOURS neighbours per item id, heaviest first; the heaviest pair weighs 1.

    Weights are comparable between items because a request ranks by their sums. Normalised per item, a
    rarely watched item would weigh as much as one that many viewers watched. Negative weights of the
    regression are dropped, as an index cannot store them.
    """
    user_items = watches.keep_newest(MAX_PER_VIEWER).to_user_matrix()
    shape = (user_items.shape[1], MAX_NEIGHBOURS)
    lists = _Lists(np.zeros(shape, np.int32), np.zeros(shape, np.float32))
    ease = fit_ease(user_items)
    total = _fill_by_regression(lists, ease)
    others = np.setdiff1d(np.arange(shape[0]), ease.items, assume_unique=True)
    if len(others):
        _fill_by_cosines(lists, user_items, ease.items, others, total)
    lists.weights[:] /= lists.weights.max(initial=0.0) or 1.0
    return _to_neighbours(lists, watches)


def _fill_by_regression(lists: _Lists, ease: Ease) -> float:
    """Fills the lists of EASE's items and returns the total of their positive weights."""
    total, diagonal = 0.0, ease.precision.diagonal
    for start in range(0, len(ease.items), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(ease.items)))
        # what a watch of each other item adds to these: P is symmetric, and B = -P / diag(P)
        weights = ease.compute_weights(block) * diagonal / diagonal[block][:, None]
        total += float(np.maximum(weights, 0).sum(dtype=np.float64))
        lists.fill_dense(ease.items[block], weights, ease.items)
    return total


def _fill_by_cosines(
    lists: _Lists, user_items: csr_matrix, regressed: Items, others: Items, total: float
) -> None:
    """Fills the lists of other items with cosines, scaled so that the total weight of the regressed items is
    the same in both methods."""
    lengths = np.sqrt(np.asarray(user_items.multiply(user_items).sum(axis=0))).ravel()
    cosine_total = sum(
        float(_compute_cosines(user_items, lengths, regressed[start : start + BLOCK]).data.sum())
        for start in range(0, len(regressed), BLOCK)
    )
    scale = total / cosine_total if cosine_total > 0 else 1.0
    for start in range(0, len(others), BLOCK):
        block = others[start : start + BLOCK]
        lists.fill_sparse(block, _compute_cosines(user_items, lengths, block) * scale)


def _compute_cosines(user_items: csr_matrix, lengths: Floats, items: Items) -> coo_matrix:
    """Returns shrunk cosines [items, all items]; none of an item with itself."""
    products = (user_items[:, items].T @ user_items).tocoo()
    weights = products.data / (lengths[items][products.row] * lengths[products.col] + SHRINKAGE)
    is_other = (items[products.row] != products.col) & (weights > 0)
    positions = products.row[is_other], products.col[is_other]
    return coo_matrix((weights[is_other], positions), shape=products.shape)


def _to_neighbours(lists: _Lists, watches: Watches) -> dict[str, tuple[Neighbour, ...]]:
    names = [item_id.decode() for item_id in watches.item_ids.tolist()]
    rows = zip(names, lists.columns.tolist(), lists.weights.tolist(), strict=True)
    return {
        name: tuple(Neighbour(names[c], w) for c, w in zip(columns, weights, strict=True) if w > 0)
        for name, columns, weights in rows
        if weights[0] > 0
    }
