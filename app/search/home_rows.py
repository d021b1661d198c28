"""The rows of a home page below its main list. No item is on a page twice.

Rows are parts of the ranked list of the page, chosen by what found an item or by its genre; "because you
watched" is a part of the list of items similar to the newest watch. Positions stay those of the list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.search.hydration import fetch_items, hydrate_positions
from reelrank.app.search.page import Hit, Page, Row, RowKind
from reelrank.app.search.result_list import HomeTopics, ResultList
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.viewers.favourite_genre import find_favourite_genre
from reelrank.ranking.viewers.request import RankingRequest

MIN_ROW = 3
"""Items that a row needs: a heading above fewer looks like a mistake. A choice, not a finding."""
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class RowAssembler:
    """Assembles the rows of a home page. size: most hits of a row. timeout_s: for each fetch of items."""

    engine: SearchEngine
    table: ItemTable
    size: int
    timeout_s: float

    def assemble(self, page: Page, result_list: ResultList, similar: ResultList | None) -> tuple[Row, ...]:
        """Returns the rows of a page. similar: to the newest watch; None where it is not known."""
        shown = encode_item_ids(hit.item.id for hit in page.hits)
        because = () if similar is None else self._assemble_because(similar, shown, result_list.topics)
        shown = np.concatenate([shown, encode_item_ids(hit.item.id for row in because for hit in row.hits)])
        selected = select_rows(result_list, self.table, shown, self.size)
        positions = np.concatenate([*selected.values(), np.empty(0, np.intp)])
        found = {hit.position: hit for hit in self._fetch(result_list, positions)}
        rows = [
            Row(kind, page.request_id, tuple(found[n] for n in row.tolist() if n in found))
            for kind, row in selected.items()
        ]
        genre = result_list.topics.genre
        return (*because, *(replace(row, label=genre) if row.kind == "genre" else row for row in rows))

    def _assemble_because(self, similar: ResultList, shown: ItemIds, topics: HomeTopics) -> tuple[Row, ...]:
        (watched,), _ = fetch_items(self.engine, [similar.query.similar_to or ""], self.timeout_s)
        hits = self._fetch(similar, select_unseen(similar, shown, self.size))
        if watched is None or not hits:
            return ()
        return (Row("because", similar.request_id, hits, "", watched, topics.is_only_liked),)

    def _fetch(self, result_list: ResultList, positions: Positions) -> tuple[Hit, ...]:
        return hydrate_positions(result_list, positions, self.engine, self.timeout_s)


def find_part(page: Page, rows: Sequence[Row], result_list: ResultList) -> Page | None:
    """Returns the row that is a part of a list, as a page of that list; None where there is none."""
    part = next((row for row in rows if row.request_id == result_list.request_id), None)
    return None if part is None else replace(page, request_id=part.request_id, hits=part.hits, cursor=None)


def collect_shown(page: Page) -> Page:
    """Returns the page with the hits of the rows that are parts of its list."""
    row_hits = (hit for row in page.rows if row.request_id == page.request_id for hit in row.hits)
    return replace(page, hits=(*page.hits, *row_hits))


def find_topics(request: RankingRequest, table: ItemTable) -> HomeTopics:
    """Finds what the rows of a viewer are about: the newest watch or like, and the genre they prefer most."""
    preferred = request.taste.preferred
    watched = table.ids[preferred.rows[0]] if len(preferred.rows) else b""
    is_only_liked = bool(watched) and not (request.viewer.watched.ids == watched).any()
    return HomeTopics(watched.decode(), find_favourite_genre(preferred, table), is_only_liked)


def select_unseen(similar: ResultList, shown: ItemIds, size: int) -> Positions:
    """Returns the first positions of a list whose items are not shown yet."""
    positions = np.flatnonzero(~np.isin(similar.candidates.ids, shown))[:size]
    return positions if len(positions) >= MIN_ROW else positions[:0]


def select_rows(
    result_list: ResultList, table: ItemTable, shown: ItemIds, size: int
) -> Mapping[RowKind, Positions]:
    """Returns the positions of each row of a home page, in the order of rows; a short row is left out.

    Popular items are in the order of popularity, the others as they were ranked for the viewer.
    """
    is_free = ~np.isin(result_list.candidates.ids, shown)
    popular = result_list.candidates.get_source_ranks("popular")
    fresh = result_list.candidates.get_source_ranks("fresh")
    orders: dict[RowKind, Positions] = {
        "popular": np.argsort(popular, kind="stable")[(popular < 0).sum() :],
        "new": np.flatnonzero(fresh >= 0),
        "genre": _find_genre(result_list, table),
    }
    rows: dict[RowKind, Positions] = {}
    for kind, order in orders.items():
        found = order[is_free[order]][:size]
        if len(found) >= MIN_ROW:
            rows[kind], is_free[found] = found, False
    return rows


def _find_genre(result_list: ResultList, table: ItemTable) -> Positions:
    genre = result_list.topics.genre
    if genre not in table.genres:
        return np.empty(0, np.intp)
    rows = table.find_rows(result_list.candidates.ids)
    bit = np.uint64(1 << table.genres.index(genre))
    return np.flatnonzero((rows >= 0) & ((table.genre_bits[rows] & bit) != 0))
