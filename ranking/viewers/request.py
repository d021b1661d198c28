"""A moment: who asks, for what, and the vectors that stand for it, before any candidate is known."""

from collections.abc import Mapping
from dataclasses import dataclass

from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.query import Query
from reelrank.ranking.viewers.history import Viewer


@dataclass(frozen=True, slots=True, eq=False)
class RankingRequest:
    """A query, its viewer as of then, and unit vectors by the name of what they stand for.

    vectors may hold: `query` (text of the search), `past_queries` (mean of the viewer's last searches),
    `factors` (the viewer folded into the matrix factorisation), `session` (mean of the last watches in
    item2vec), `taste` (mean of the last watches in text space); for a similar-items query the last three
    stand for the item instead. A name is missing when there is nothing to make it from.
    """

    query: Query
    viewer: Viewer
    vectors: Mapping[str, FloatVector]
