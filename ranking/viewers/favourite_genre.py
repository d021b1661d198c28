"""The genre that a viewer prefers more than the catalogue would make them."""

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.viewers.taste import Preferences

SAMPLED_ITEMS = 2_000
"""Items of the catalogue, evenly spaced, from which the shares of its genres are read: within 0.02."""


def find_favourite_genre(preferred: Preferences, table: ItemTable) -> str:
    """Returns the genre whose share of what a viewer prefers exceeds its share of the catalogue most.

    The most frequent genre of a viewer says little: half of most catalogues are dramas. Empty when the viewer
    prefers nothing yet.
    """
    if not len(preferred.rows) or not table.genres:
        return ""
    sample = table.genre_bits[:: max(len(table) // SAMPLED_ITEMS, 1)]
    usual = _compute_shares(sample, np.ones(len(sample), np.float32), len(table.genres))
    liked = _compute_shares(table.genre_bits[preferred.rows], preferred.weights, len(table.genres))
    excess = liked - usual
    best = int(excess.argmax())
    return table.genres[best] if excess[best] > 0 else ""


def _compute_shares(
    bits: NDArray[np.uint64], weights: NDArray[np.float32], genre_count: int
) -> NDArray[np.float32]:
    """Returns the share [genres] of the weight that the items [n] of each genre have."""
    has_genre = bits[:, None] >> np.arange(genre_count, dtype=np.uint64) & np.uint64(1)
    shares: NDArray[np.float32] = weights @ has_genre.astype(np.float32) / max(float(weights.sum()), 1e-6)
    return shares
