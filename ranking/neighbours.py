"""Item-to-item collaborative filtering: the items watched by the same viewers, heaviest first."""

import numpy as np
from scipy.sparse import csr_matrix

from index_mappings.fields import MAX_NEIGHBOURS
from index_mappings.item import Neighbour
from ranking.watches import Watches

SHRINKAGE = 10.0
"""Added to each product of lengths, so that a pair seen once or twice does not look like certainty
(Bell & Koren 2007, "Improved neighborhood-based collaborative filtering")."""


def learn_neighbours(watches: Watches) -> dict[str, tuple[Neighbour, ...]]:
    """Item id to its at most MAX_NEIGHBOURS neighbours; the heaviest of each item weighs 1."""
    similar = _similarity(watches.by_user())
    names = [i.decode() for i in watches.item_ids.tolist()]
    neighbours: dict[str, tuple[Neighbour, ...]] = {}
    for row, name in enumerate(names):
        start, end = similar.indptr[row], similar.indptr[row + 1]
        weights, columns = similar.data[start:end], similar.indices[start:end]
        best = np.lexsort((columns, -weights))[:MAX_NEIGHBOURS]
        if len(best):
            heaviest = float(weights[best[0]])
            neighbours[name] = tuple(Neighbour(names[columns[b]], float(weights[b]) / heaviest) for b in best)
    return neighbours


def _similarity(by_user: csr_matrix) -> csr_matrix:
    """Shrunk cosine [items, items] without the diagonal."""
    columns = by_user.astype(np.float64).tocsc()
    together = (columns.T @ columns).tocoo()
    lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=0))).ravel()
    apart = together.row != together.col
    rows, cols = together.row[apart], together.col[apart]
    weights = together.data[apart] / (lengths[rows] * lengths[cols] + SHRINKAGE)
    return csr_matrix((weights, (rows, cols)), shape=together.shape)
