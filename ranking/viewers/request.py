"""The ranking request: a query, its viewer, and the vectors and rows that follow from both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.table import Rows
from reelrank.ranking.items.typed_query import TypedQuery
from reelrank.ranking.viewers.history import Viewer


@dataclass(frozen=True, slots=True, eq=False)
class RecentWatches:
    """The newest watches of items that the table holds, newest first: rows [w], weights [w] in 0 to 1."""

    rows: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class RankingRequest:
    """A query, its viewer at that time, and unit vectors by name.

    vectors may hold: `query` (text of the search), `past_queries` (mean of the viewer's last searches),
    `factors` (the viewer folded into the matrix factorisation), `session` (mean of the last watches in
    item2vec), `taste` (mean of the last watches in text space); for a similar-items query the last three
    stand for the item instead. A name is missing when there is nothing to compute it from.
    recent, and seen_rows [s] of everything ever watched: rows of the table that the request was built with.
    typed: the text of a search, read against the titles and names of that table.
    """

    query: Query
    viewer: Viewer
    vectors: Mapping[str, FloatVector]
    recent: RecentWatches = field(default_factory=RecentWatches)
    seen_rows: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    typed: TypedQuery | None = None

    @property
    def today(self) -> int:
        """Days since 1970 at the time of the request."""
        return self.query.context.at_ms // DAY_MS

    @property
    def search_text(self) -> str:
        """The text to search with: misspelt words corrected as the catalogue spells them."""
        return self.typed.spelling if self.typed else self.query.text or ""
