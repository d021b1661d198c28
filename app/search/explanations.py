"""Why hits stand where they stand: their matches, signals, features, and what each added to the score."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.search.page import Explanation
from app.search.ranked import Ranked
from ranking.features.compute import compute_features
from ranking.ranker import Ranker
from ranking.signals import Signals


def explanations_of(
    ranked: Ranked, signals: Signals, places: NDArray[np.intp], ranker: Ranker
) -> list[Explanation]:
    """One for each of these places of a list; signals: of the whole list, in its order.

    Features are computed over the whole list, for some compare a candidate with the others. Engine
    order has no contributions: its score is minus the place it gave.
    """
    features = compute_features(signals, ranker.feature_names)[places]
    contributions = ranker.contributions(features)
    shown = signals.take(places)
    shown_signals = np.column_stack(list(shown.columns.values()))
    return [
        Explanation(
            _matches(ranked, int(place)),
            _known(tuple(shown.columns), shown_signals[row]),
            _known(ranker.feature_names, features[row]),
            _known(ranker.feature_names, contributions[row, :-1]),
            float(contributions[row, -1]),
        )
        for row, place in enumerate(places)
    ]


def _matches(ranked: Ranked, place: int) -> dict[str, tuple[int, float]]:
    c = ranked.candidates
    found = zip(c.sources, c.ranks[place].tolist(), c.scores[place].tolist(), strict=True)
    return {source: (rank, score) for source, rank, score in found if rank >= 0}


def _known(names: Sequence[str], values: NDArray[np.float32]) -> Mapping[str, float]:
    pairs = zip(names, values.tolist(), strict=True)
    return {name: value for name, value in pairs if np.isfinite(value)}
