"""What happens when a viewer asks: one request from the query to the page."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from app.search.page import Hit, Page
from app.search.side_by_side import run
from index_mappings.encoder import TextEncoder
from index_mappings.engine import EventStore, SearchEngine
from index_mappings.match import Matches
from index_mappings.query import Query
from ranking.features.compute import compute_features
from ranking.fusion import Candidates
from ranking.item_table import ItemTable
from ranking.popularity import Popularity
from ranking.ranker import Ranker
from ranking.signals import observe
from ranking.sources import Caps, SourceRequest, answer, candidates_of, plan
from ranking.vectors import moment_of
from ranking.viewer import Viewer, anonymous, viewer_as_of

RECENT_EVENTS = 2000
FETCH_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """Everything a request needs. The table and the popularity are of the serving index version."""

    engine: SearchEngine
    events: EventStore
    encoder: TextEncoder
    table: ItemTable
    popularity: Popularity
    ranker: Ranker
    caps: Caps
    deadline_s: float
    degraded: tuple[str, ...] = ()
    pool: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, 8))

    def page(self, query: Query) -> Page:
        """A search, a home page or similar items, by the kind of the query."""
        moment = moment_of(query, self.viewer(query), self.table, self.encoder)
        sources = plan(moment, self.table, self.caps)
        matches, dropped = run(sources, self._answer, self.deadline_s, self.pool)
        candidates = candidates_of(moment, matches, self.table)
        signals = observe(moment, candidates, self.table, self.popularity)
        features = compute_features(signals, self.ranker.feature_names)
        scores = self.ranker.score(features)
        order = np.lexsort((np.arange(len(scores)), -scores))[: query.limit]
        hits = self._shown(candidates.take(order), scores[order])
        return Page(hits, self.ranker.name, (*self.degraded, *dropped), len(candidates))

    def viewer(self, query: Query) -> Viewer:
        """The viewer as of the query's moment; of an unknown one nothing is known."""
        if not query.user:
            return anonymous()
        recent = self.events.recent(query.user, RECENT_EVENTS, FETCH_S)
        return viewer_as_of(query.user, recent, query.context.at_ms)

    def _answer(self, request: SourceRequest, timeout_s: float) -> Matches:
        return answer(request, self.engine, self.table, self.popularity, timeout_s)

    def _shown(
        self, shown: Candidates, scores: np.ndarray[tuple[int], np.dtype[np.float32]]
    ) -> tuple[Hit, ...]:
        """Only what is shown is fetched; an item deleted in between is left out."""
        items = self.engine.fetch([name.decode() for name in shown.ids.tolist()], FETCH_S)
        found = [
            (item, float(score), _ranks(shown, place))
            for place, (item, score) in enumerate(zip(items, scores, strict=True))
            if item is not None
        ]
        return tuple(Hit(item, score, at, ranks) for at, (item, score, ranks) in enumerate(found))


def _ranks(shown: Candidates, place: int) -> dict[str, int]:
    ranks = zip(shown.sources, shown.ranks[place].tolist(), strict=True)
    return {source: rank for source, rank in ranks if rank >= 0}
