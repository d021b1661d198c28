"""Item-to-item collaborative filtering: the items watched by the same viewers, heaviest first."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.index_mappings.fields import MAX_NEIGHBOURS
from reelrank.index_mappings.item import Neighbour
from reelrank.ranking.embeddings.watches import Watches

SHRINKAGE = 10.0
"""Added to each product of lengths, so that a pair seen once or twice does not look like certainty
(Bell & Koren 2007, "Improved neighborhood-based collaborative filtering")."""
REGRESSION_ITEMS = 2000
"""So many of the most watched items get regression weights; a dense matrix of their pairs is inverted."""
RIDGE = 500.0
"""Steck 2019 finds 200 to 1,000 best; of 300, 500 and 800 this is, inside MovieLens 100k's known part."""


def learn_neighbours(watches: Watches) -> dict[str, tuple[Neighbour, ...]]:
    """Item id to its at most MAX_NEIGHBOURS neighbours; the heaviest pair of all weighs 1.

    Weights are comparable between items, for a request sums them and orders the sums: were the
    heaviest of each item 1, an item hardly watched would weigh as much as one that many agree on.
    """
    similar = _combine_weights(csr_matrix(watches.to_user_matrix(), dtype=np.float64))
    names = [i.decode() for i in watches.item_ids.tolist()]
    heaviest = float(similar.data.max(initial=0.0)) or 1.0
    neighbours: dict[str, tuple[Neighbour, ...]] = {}
    for row, name in enumerate(names):
        start, end = similar.indptr[row], similar.indptr[row + 1]
        weights, columns = similar.data[start:end], similar.indices[start:end]
        best = np.lexsort((columns, -weights))[:MAX_NEIGHBOURS]
        if len(best):
            neighbours[name] = tuple(Neighbour(names[columns[b]], float(weights[b]) / heaviest) for b in best)
    return neighbours


def _combine_weights(user_items: csr_matrix) -> csr_matrix:
    """Weights [items, items] above 0: regression rows for the most watched, shrunk cosines for the rest.

    The cosines are scaled to the total weight that regression gives the items that have both.
    """
    cosines = _compute_similarity(user_items)
    often = np.sort(np.argsort(-user_items.getnnz(axis=0), kind="stable")[:REGRESSION_ITEMS])
    regressed = _fit_regression(user_items, often)
    total = cosines[often].sum()
    scale = regressed.sum() / total if total > 0 else 1.0
    rest = np.ones(cosines.shape[0])
    rest[often] = 0.0
    combined = csr_matrix(csr_matrix(cosines.multiply((rest * scale)[:, None])) + regressed)
    combined.eliminate_zeros()
    return combined


def _fit_regression(user_items: csr_matrix, most_watched: NDArray[np.intp]) -> csr_matrix:
    """How much each other item tells of a row's item, all others known (Steck 2019, "Embarrassingly
    Shallow Autoencoders for Sparse Data"); negative weights are left out, an index cannot hold them."""
    columns = user_items[:, most_watched]
    gram = (columns.T @ columns).toarray()
    gram[np.diag_indices_from(gram)] += RIDGE
    precision = np.linalg.inv(gram)
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    rows, places = np.nonzero(weights.T > 0)
    items = user_items.shape[1]
    return csr_matrix(
        (weights.T[rows, places], (most_watched[rows], most_watched[places])), shape=(items, items)
    )


def _compute_similarity(user_items: csr_matrix) -> csr_matrix:
    """Shrunk cosine [items, items] without the diagonal."""
    together = (user_items.T @ user_items).tocoo()
    lengths = np.sqrt(np.asarray(user_items.multiply(user_items).sum(axis=0))).ravel()
    apart = together.row != together.col
    rows, cols = together.row[apart], together.col[apart]
    weights = together.data[apart] / (lengths[rows] * lengths[cols] + SHRINKAGE)
    return csr_matrix((weights, (rows, cols)), shape=together.shape)
