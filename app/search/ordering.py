"""The middle of every request: candidates in, the same candidates in their final order out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.search.stages import Stages
from app.search.state import State
from index_mappings.errors import EngineError
from ranking.features.compute import compute_features
from ranking.fusion import Candidates
from ranking.moment import Moment
from ranking.ranker import EngineOrder, Ranker
from ranking.signals import Signals, observe


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """candidates [n] best first with scores [n]; `order` [n] takes them and their signals from as given.

    model: whose scores they are. missing: why it is not the one that was asked.
    """

    candidates: Candidates
    scores: NDArray[np.float32]
    order: NDArray[np.intp]
    signals: Signals
    model: str
    missing: tuple[str, ...] = ()


def ordered(moment: Moment, candidates: Candidates, state: State, ranker: Ranker, stages: Stages) -> Ordered:
    """Equal scores keep the fused order; so does everything when the ranker does not answer."""
    with stages.stage("signals"):
        signals = observe(moment, candidates, state.table, state.crowd.popularity)
    with stages.stage("features"):
        features = compute_features(signals, ranker.feature_names)
    with stages.stage("score"):
        scores, model, missing = _scored(ranker, features)
        order = np.lexsort((np.arange(len(scores)), -scores))
    return Ordered(candidates.take(order), scores[order], order, signals, model, missing)


def _scored(
    ranker: Ranker, features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], str, tuple[str, ...]]:
    try:
        return ranker.score(features), ranker.name, ()
    except EngineError as error:
        return EngineOrder().score(features), EngineOrder.name, (f"ranking: {error}",)
