"""Facets: how many of the candidates have each genre, language, country and decade."""

import numpy as np
from numpy.typing import NDArray

from reelrank.app.search.page import Facets
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.items.table import ItemTable, Rows

MAX_VALUES = 12
"""Values a facet shows. A choice: few people read a longer list."""


def count_facets(table: ItemTable, ids: ItemIds) -> Facets:
    """Counts these candidates; those that the table lacks are left out."""
    rows = table.find_rows(ids)
    rows = rows[rows >= 0]
    bits = table.genre_bits[rows][:, None] >> np.arange(len(table.genres), dtype=np.uint64) & np.uint64(1)
    decades = table.year[rows] // 10 * 10
    values, counts = np.unique(decades[decades > 0], return_counts=True)
    return {
        "genres": _select_most_frequent(table.genres, bits.sum(axis=0)),
        "languages": _select_most_frequent(
            table.languages,
            _count_codes(table.languages_offsets, table.languages_codes, rows, len(table.languages)),
        ),
        "countries": _select_most_frequent(
            table.countries,
            _count_codes(table.countries_offsets, table.countries_codes, rows, len(table.countries)),
        ),
        "decades": {str(value): int(n) for value, n in zip(values.tolist(), counts.tolist(), strict=True)},
    }


def _count_codes(
    offsets: NDArray[np.int64], codes: NDArray[np.integer], rows: Rows, size: int
) -> NDArray[np.int64]:
    """Counts the items [size] that have each code; an item has a code at most once."""
    counts = offsets[rows + 1] - offsets[rows]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    found = codes[np.repeat(offsets[rows], counts) + within]
    return np.bincount(found[found >= 0].astype(np.int64), minlength=size)


def _select_most_frequent(names: tuple[str, ...], counts: NDArray[np.integer]) -> dict[str, int]:
    order = np.argsort(-counts.astype(np.int64), kind="stable")[:MAX_VALUES]
    return {names[code]: int(counts[code]) for code in order.tolist() if counts[code]}
