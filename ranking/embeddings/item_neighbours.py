"""Item-to-item collaborative filtering: neighbours are items watched by the same viewers."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.index_mappings.fields import MAX_NEIGHBOURS
from reelrank.index_mappings.item import Neighbour
from reelrank.ranking.embeddings.watches import Watches

MAX_PER_VIEWER = 1000
"""Newest watches of a viewer that make neighbours. Pairs grow with the square: a viewer with 20,000 films
would need 19 GB. More than a thousand films are rarely one taste."""
SHRINKAGE = 10.0
"""Added to each product of lengths, so that pairs seen once or twice get a low similarity
(Bell & Koren 2007, "Improved neighborhood-based collaborative filtering")."""
REGRESSION_ITEMS = 2000
"""Number of most watched items that get regression weights; a dense matrix of their pairs is inverted."""
RIDGE = 500.0
"""Steck 2019 finds 200 to 1,000 best; 500 is best of 300, 500 and 800 on MovieLens 100k's training part."""


def learn_neighbours(watches: Watches) -> dict[str, tuple[Neighbour, ...]]:
    """Learns at most MAX_NEIGHBOURS neighbours per item id, heaviest first; the heaviest pair weighs 1.

    Weights are comparable between items because a request ranks by their sums. Normalised per item, a
    rarely watched item would weigh as much as one that many viewers watched.
    """
    newest = watches.keep_newest(MAX_PER_VIEWER)
    similar = _combine_weights(csr_matrix(newest.to_user_matrix(), dtype=np.float64))
    item_ids = [i.decode() for i in watches.item_ids.tolist()]
    heaviest = float(similar.data.max(initial=0.0)) or 1.0
    neighbours: dict[str, tuple[Neighbour, ...]] = {}
    for row, item_id in enumerate(item_ids):
        start, end = similar.indptr[row], similar.indptr[row + 1]
        weights, columns = similar.data[start:end], similar.indices[start:end]
        best = np.lexsort((columns, -weights))[:MAX_NEIGHBOURS]
        if len(best):
            neighbours[item_id] = tuple(
                Neighbour(item_ids[columns[b]], float(weights[b]) / heaviest) for b in best
            )
    return neighbours


def _combine_weights(user_items: csr_matrix) -> csr_matrix:
    """Returns weights [items, items] above 0: regression for the most watched items, cosines for the others.

    The cosines are scaled so that the total weight of items with both is the same in both methods.
    """
    cosines = _compute_similarity(user_items)
    most_watched = np.sort(np.argsort(-user_items.getnnz(axis=0), kind="stable")[:REGRESSION_ITEMS])
    regression = _fit_regression(user_items, most_watched)
    total = cosines[most_watched].sum()
    scale = regression.sum() / total if total > 0 else 1.0
    others = np.ones(cosines.shape[0])
    others[most_watched] = 0.0
    combined = csr_matrix(csr_matrix(cosines.multiply((others * scale)[:, None])) + regression)
    combined.eliminate_zeros()
    return combined


def _fit_regression(user_items: csr_matrix, most_watched: NDArray[np.intp]) -> csr_matrix:
    """Regress each item on all others (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data").

    Negative weights are dropped, as an index cannot store them.
    """
    columns = user_items[:, most_watched]
    gram = (columns.T @ columns).toarray()
    gram[np.diag_indices_from(gram)] += RIDGE
    precision = np.linalg.inv(gram)
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    rows, cols = np.nonzero(weights.T > 0)
    items = user_items.shape[1]
    return csr_matrix((weights.T[rows, cols], (most_watched[rows], most_watched[cols])), shape=(items, items))


def _compute_similarity(user_items: csr_matrix) -> csr_matrix:
    """Returns shrunk cosines [items, items] with an empty diagonal."""
    products = (user_items.T @ user_items).tocoo()
    lengths = np.sqrt(np.asarray(user_items.multiply(user_items).sum(axis=0))).ravel()
    off_diagonal = products.row != products.col
    rows, cols = products.row[off_diagonal], products.col[off_diagonal]
    weights = products.data[off_diagonal] / (lengths[rows] * lengths[cols] + SHRINKAGE)
    return csr_matrix((weights, (rows, cols)), shape=products.shape)
