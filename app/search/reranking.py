"""The middle of every request: candidates in, the same candidates in their final order out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.search.result_list import ResultList
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.query import Query
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.policies.thompson import ExplorationSlot, choose_positions, explore
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.signals.observe import Signals, observe
from reelrank.ranking.viewers.request import RankingRequest


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
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
    exploration_slots: tuple[ExplorationSlot, ...] = ()

    def to_result_list(
        self, request_id: str, query: Query, version: str, missing: tuple[str, ...]
    ) -> ResultList:
        """As the list that is shown; missing: what its page lacks."""
        candidates, scores = self.candidates.take(self.order), self.scores[self.order]
        return ResultList(
            request_id,
            query,
            candidates,
            scores,
            self.model,
            version,
            missing,
            exploration_slots=self.exploration_slots,
        )


def rerank(
    request: RankingRequest, candidates: Candidates, state: State, ranker: Ranker, timings: StageTimings
) -> Reranked:
    """Equal scores keep the fused order; so does everything when the ranker does not answer."""
    with timings.measure("signals"):
        signals = observe(request, candidates, state.table, state.activity.popularity)
    with timings.measure("features"):
        features = compute_features(signals, ranker.feature_names)
    with timings.measure("score"):
        scores, model, missing = _score(ranker, features)
        order = np.lexsort((np.arange(len(scores)), -scores))
    return Reranked(candidates, scores, order, signals, model, missing)


def apply_exploration(
    reranked: Reranked, query: Query, slots: int, state: State, request_id: str
) -> Reranked:
    """Some places of the first page drawn. The request's id is the seed: no two workers draw alike.

    Searches are left as they are: whoever types words knows what they want.
    """
    places = [] if query.kind == "search" else choose_positions(query.limit, slots)
    if not places:
        return reranked
    ids, popularity = reranked.candidates.ids, state.activity.popularity
    order, draws = explore(
        reranked.order,
        places,
        lambda line: popularity.compute_posterior(state.table.find_rows(ids[line])),
        int(request_id, 16),
    )
    return replace(reranked, order=order, exploration_slots=draws)


def _score(ranker: Ranker, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], str, tuple[str, ...]]:
    try:
        return ranker.score(features), ranker.name, ()
    except EngineError as error:
        return FusedOrder().score(features), FusedOrder.name, (f"ranking: {error}",)
