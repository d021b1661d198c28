"""The middle of every request: candidates in, the same candidates in their final order out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.search.stages import Stages
from app.search.state import State
from ranking.features.compute import compute_features
from ranking.fusion import Candidates
from ranking.moment import Moment
from ranking.ranker import Ranker
from ranking.signals import Signals, observe


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """candidates [n] best first with scores [n]; `order` [n] takes them and their signals from as given."""

    candidates: Candidates
    scores: NDArray[np.float32]
    order: NDArray[np.intp]
    signals: Signals


def ordered(moment: Moment, candidates: Candidates, state: State, ranker: Ranker, stages: Stages) -> Ordered:
    """Equal scores keep the fused order."""
    with stages.stage("signals"):
        signals = observe(moment, candidates, state.table, state.crowd.popularity)
    with stages.stage("features"):
        features = compute_features(signals, ranker.feature_names)
    with stages.stage("score"):
        scores = ranker.score(features)
        order = np.lexsort((np.arange(len(scores)), -scores))
    return Ordered(candidates.take(order), scores[order], order, signals)
