"""Signals of how a candidate's title agrees with what was typed; NaN on pages without a search."""

import numpy as np

from reelrank.ranking.column import Column, make_shared_column
from reelrank.ranking.items.names.typed_query import TypedQuery
from reelrank.ranking.items.table import ItemTable, Rows, build_row_mask
from reelrank.ranking.viewers.request import RankingRequest

TITLE_SIGNALS = (
    "title_is_query",
    "title_begins",
    "title_words",
    "title_covered",
    "title_phrase",
    "title_edits",
)


def observe_titles(request: RankingRequest, table: ItemTable, rows: Rows) -> dict[str, Column]:
    """Returns the signals `title_*` [n]; NaN where the table lacks the item."""
    typed, text = request.typed, request.query.text
    if typed is None or not text or not len(table):
        return dict.fromkeys(TITLE_SIGNALS, make_shared_column(np.nan, len(rows)))
    known = np.flatnonzero(rows >= 0)
    agreement = table.title_words.compare(rows[known], text, request.search_text)
    observed = {
        **_observe_names(typed, table, rows[known]),
        "title_words": agreement.words,
        "title_covered": agreement.covered,
        "title_phrase": agreement.phrase,
        "title_edits": agreement.edits,
    }
    columns = {}
    for name, values in observed.items():
        columns[name] = np.full(len(rows), np.nan, np.float32)
        columns[name][known] = values
    return columns


def _observe_names(typed: TypedQuery, table: ItemTable, rows: Rows) -> dict[str, Column]:
    named = {"title_is_query": typed.titles, "title_begins": typed.beginnings}
    return {name: build_row_mask(table, found)[rows].astype(np.float32) for name, found in named.items()}
