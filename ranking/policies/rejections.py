"""Rejections: what a viewer left early or disliked pushes similar items down their home page."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates

TEXT_SIGNAL, LIKED_SIGNAL, GENRE_SIGNAL = "nearest_rejected", "nearest_text", "rejected_genre_share"
FAR_DEVIATIONS = 3.0
"""Standard deviations above the mean similarity of the candidates from which the push is full. A choice."""


@dataclass(frozen=True, slots=True)
class PushRejectedDown:
    """Multiplies the positions of candidates of a home page by up to 2^`halvings`.

    The push of a candidate, 0 to 1, is the larger of two. By text: how far it is nearer to a rejected item
    than to any preferred one, and than the mean candidate. By genre: the share of rejected items in its most
    rejected genre. It works on positions because the scores of models and of fusion have no common scale.
    """

    halvings: float = 3.0

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        if candidates.query.kind != "home" or not len(order) or not self._has_rejections(candidates):
            return PolicyResult(order)
        push = np.fmax(_push_by_text(candidates), candidates.get_signal(GENRE_SIGNAL, 0.0))
        positions = np.arange(1, len(order) + 1) * np.exp2(self.halvings * push[order])
        return PolicyResult(order[np.argsort(positions, kind="stable")])

    def _has_rejections(self, candidates: ScoredCandidates) -> bool:
        signals = (candidates.signals.get(name) for name in (TEXT_SIGNAL, GENRE_SIGNAL))
        return any(signal is not None and bool(np.isfinite(signal).any()) for signal in signals)


def _push_by_text(candidates: ScoredCandidates) -> NDArray[np.float64]:
    near = candidates.get_signal(TEXT_SIGNAL, np.nan)
    if not np.isfinite(near).any():
        return np.zeros(len(near))
    mean, deviation = np.nanmean(near), np.nanstd(near)
    liked = np.fmax(candidates.get_signal(LIKED_SIGNAL, np.nan), mean)
    push = (near - liked) / max(FAR_DEVIATIONS * float(deviation), 1e-6)
    return np.nan_to_num(push, nan=0.0).clip(0, 1)
