"""The ranking request: a query, its viewer, and the vectors and rows that follow from both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.names.typed_query import TypedQuery
from reelrank.ranking.items.table import Rows
from reelrank.ranking.viewers.history import Viewer
from reelrank.ranking.viewers.taste import Taste


@dataclass(frozen=True, slots=True, eq=False)
class RankingRequest:
    """A query, its viewer at that time, and unit vectors by name.

    vectors may hold: `query` (text of the search), `past_queries` (mean of the viewer's last searches),
    `factors` (the viewer folded into the matrix factorisation), `session` (mean of the newest preferences in
    item2vec), `taste` (mean of the preferences in text space); for a similar-items query these three
    stand for the item instead. `rejected`: rejected items folded into the matrix factorisation.
    A name is missing when there is nothing to compute it from.
    taste, and seen_rows [s] of everything ever watched or judged: rows of the table that the request was
    built with.
    typed: the text of a search, read against the titles and names of that table.
    """

    query: Query
    viewer: Viewer
    vectors: Mapping[str, FloatVector]
    taste: Taste = field(default_factory=Taste)
    seen_rows: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    typed: TypedQuery | None = None

    @property
    def today(self) -> int:
        """Days since 1970 at the time of the request."""
        return self.query.context.at_ms // DAY_MS

    @property
    def search_text(self) -> str:
        """Returns the text to search with: without years, misspelt words as the catalogue spells them."""
        return (self.typed.searched or self.typed.spelling) if self.typed else self.query.text or ""
