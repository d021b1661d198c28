"""Cosines of each candidate with the vectors of the request and with preferred and rejected items."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.column import Column, make_shared_column
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.viewers.request import RankingRequest

SPACES = {
    "text": ("query", "past_queries", "taste"), "factors": ("factors", "rejected"), "session": ("session",),
}  # fmt: skip
"""Vector field to the vectors of `RankingRequest` that are compared in it."""
NEAREST_SPACES = ("text", "session")
REJECTED_SPACE = "text"
NO_ROWS: Rows = np.empty(0, np.intp)
RECENT = 10
CHUNK = 128
"""Rows gathered at once: a quarter of a megabyte of 256 dimensions stays in a core's own cache."""


def observe_vectors(request: RankingRequest, table: ItemTable, rows: Rows) -> dict[str, Column]:
    """Returns `cosine_<vector>`, `last_<field>`, `nearest_<field>` and `nearest_rejected` [n].

    NaN where either side has no vector.
    """
    columns: dict[str, Column] = {}
    watched = request.taste.preferred.rows[:RECENT]
    rejected = request.taste.rejected[:RECENT]
    unknown = make_shared_column(np.nan, len(rows))
    for field, names in SPACES.items():
        given = [name for name in names if name in request.vectors]
        recent = np.asarray(table.vectors[field][watched], np.float32)
        rejected_vectors = np.asarray(
            table.vectors[field][rejected if field == REJECTED_SPACE else NO_ROWS], np.float32
        )
        directions = np.vstack([*(request.vectors[name] for name in given), recent, rejected_vectors])
        products = _compute_cosines(table.vectors[field], rows, directions)
        columns |= {f"cosine_{name}": unknown for name in names}
        columns |= {f"cosine_{name}": products[index] for index, name in enumerate(given)}
        near, known = products[len(given) :][: len(recent)], np.asarray(recent.any(axis=1), bool)
        columns[f"last_{field}"] = near[0] if known[:1].any() else unknown
        if field in NEAREST_SPACES:
            columns[f"nearest_{field}"] = near[known].max(axis=0) if known.any() else unknown
        if field == REJECTED_SPACE:
            columns["nearest_rejected"] = (
                products[-len(rejected_vectors) :].max(axis=0) if rejected_vectors.any() else unknown
            )
    return columns


def _compute_cosines(
    vectors: NDArray[np.float32], rows: Rows, directions: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Products [k, n] of k directions with the vectors of n rows; each vector is gathered once.

    Summed in float64: how BLAS orders a sum depends on the number of rows and threads, and in float32 the
    last bits of a candidate's cosine would depend on the candidates beside it.
    """
    sides = np.column_stack([directions.T, _generate_direction(vectors.shape[1])]).astype(np.float64)
    products = np.empty((sides.shape[1], len(rows)), np.float32)
    if not len(vectors):
        return np.full_like(products, np.nan)
    for start in range(0, len(rows), CHUNK):
        block = vectors[rows[start : start + CHUNK]].astype(np.float64)
        products[:, start : start + CHUNK] = (block @ sides).T
    products[:, (products[-1] == 0) | (rows < 0)] = np.nan
    return products[:-1]


@cache
def _generate_direction(size: int) -> NDArray[np.float32]:
    """Generates a random direction [size]; its product is 0 only with a row of zeros: no vector."""
    return np.random.default_rng(1).normal(size=size).astype(np.float32)
