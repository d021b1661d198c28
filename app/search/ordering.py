"""The middle of every request: candidates in, the same candidates in their final order out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.search.ranked import Ranked
from app.search.stages import Stages
from app.search.state import State
from index_mappings.errors import EngineError
from index_mappings.query import Query
from ranking.exploration import Draw, explore, places_of
from ranking.features.compute import compute_features
from ranking.fusion import Candidates
from ranking.moment import Moment
from ranking.ranker import EngineOrder, Ranker
from ranking.signals import Signals, observe


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """candidates [n], their scores [n] and signals as they were given; `order` [n] takes them best first.

    model: whose scores they are. missing: why it is not the one that was asked. draws: what exploration
    moved in the order.
    """

    candidates: Candidates
    scores: NDArray[np.float32]
    order: NDArray[np.intp]
    signals: Signals
    model: str
    missing: tuple[str, ...] = ()
    draws: tuple[Draw, ...] = ()

    def listed(self, request_id: str, query: Query, version: str, missing: tuple[str, ...]) -> Ranked:
        """As the list that is shown; missing: what its page lacks."""
        candidates, scores = self.candidates.take(self.order), self.scores[self.order]
        return Ranked(request_id, query, candidates, scores, self.model, version, missing, draws=self.draws)


def ordered(moment: Moment, candidates: Candidates, state: State, ranker: Ranker, stages: Stages) -> Ordered:
    """Equal scores keep the fused order; so does everything when the ranker does not answer."""
    with stages.stage("signals"):
        signals = observe(moment, candidates, state.table, state.crowd.popularity)
    with stages.stage("features"):
        features = compute_features(signals, ranker.feature_names)
    with stages.stage("score"):
        scores, model, missing = _scored(ranker, features)
        order = np.lexsort((np.arange(len(scores)), -scores))
    return Ordered(candidates, scores, order, signals, model, missing)


def explored(best: Ordered, query: Query, slots: int, state: State, request_id: str) -> Ordered:
    """Some places of the first page drawn. The request's id is the seed: no two workers draw alike.

    Searches are left as they are: whoever types words knows what they want.
    """
    places = [] if query.kind == "search" else places_of(query.limit, slots)
    if not places:
        return best
    ids, popularity = best.candidates.ids, state.crowd.popularity
    order, draws = explore(
        best.order,
        places,
        lambda line: popularity.posterior(state.table.rows(ids[line])),
        int(request_id, 16),
    )
    return replace(best, order=order, draws=draws)


def _scored(
    ranker: Ranker, features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], str, tuple[str, ...]]:
    try:
        return ranker.score(features), ranker.name, ()
    except EngineError as error:
        return EngineOrder().score(features), EngineOrder.name, (f"ranking: {error}",)
