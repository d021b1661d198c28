"""Which features drifted: all tested together, ordered by how much a model relies on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.drift.distances import Distance, compare_histograms
from reelrank.ranking.drift.histograms import Profile

CALENDAR_FEATURES = frozenset(
    {"hour", "weekday", "hour_sine", "hour_cosine", "genre_x_hour", "genre_x_weekday"}
)
"""They say when a request was made, and so always differ between two spans of time."""
FALSE_DISCOVERY_RATE = 0.01
RETRAIN_PSI, BLOCK_PSI = 0.1, 0.25
"""The usual bounds of PSI: from 0.1 on a moderate, from 0.25 on a large shift (Siddiqi 2006)."""
BLOCK_GAIN_SHARE = 0.2
"""A promotion is blocked when features that shifted a lot hold this share of the model's gain. A choice."""


class Action(StrEnum):
    """What the policy does about drift."""

    NONE = "none"
    WARN = "warn"
    RETRAIN = "retrain"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature. q_value: the false discovery rate at which it counts as drifted. gain: its share of the
    total split gain of the model; weight: what it is ordered by, PSI x gain."""

    distance: Distance
    q_value: float
    gain: float

    @property
    def is_drifted(self) -> bool:
        return self.q_value <= FALSE_DISCOVERY_RATE

    @property
    def weight(self) -> float:
        return self.distance.psi * self.gain


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All features, those that drifted first, by weight. viewers: of the reference and of now."""

    features: tuple[FeatureDrift, ...]
    viewers: tuple[float, float]

    @property
    def drifted(self) -> list[FeatureDrift]:
        return [feature for feature in self.features if feature.is_drifted]

    @property
    def action(self) -> Action:
        """Returns what the policy says: block, retrain, warn, or nothing without drift."""
        large = [one.gain for one in self.drifted if one.distance.psi >= BLOCK_PSI]
        if sum(large) >= BLOCK_GAIN_SHARE:
            return Action.BLOCK
        if any(one.distance.psi >= RETRAIN_PSI for one in self.drifted):
            return Action.RETRAIN
        return Action.WARN if self.drifted else Action.NONE

    def describe(self) -> str:
        """Returns one sentence that names the features."""
        if not self.drifted:
            return f"none of {len(self.features)} features drifted"
        named = ", ".join(
            f"{one.distance.feature} (PSI {one.distance.psi:.3f}, {one.gain:.0%} of the gain)"
            for one in self.drifted[:3]
        )
        more = f" and {len(self.drifted) - 3} more" if len(self.drifted) > 3 else ""
        return f"{len(self.drifted)} of {len(self.features)} features drifted: {named}{more}"


def compare_profiles(
    before: Profile,
    now: Profile,
    viewers: tuple[float, float] | None = None,
    left_out: frozenset[str] = CALENDAR_FEATURES,
) -> DriftReport:
    """Compares the features that both profiles have. Gains are those of `before`; without any, all are equal.

    viewers: effective sample sizes; None: those of the profiles.
    """
    sizes = viewers or (float(before.viewers or before.requests), float(now.viewers or now.requests))
    names = sorted((before.features.keys() & now.features.keys()) - left_out)
    distances = [compare_histograms(n, before.features[n], now.features[n], sizes) for n in names]
    q_values = adjust_p_values([distance.p_value for distance in distances])
    gains = share_gains(before.gains, names)
    found = [
        FeatureDrift(distance, float(q), gains[distance.feature])
        for distance, q in zip(distances, q_values, strict=True)
    ]
    found.sort(key=lambda one: (not one.is_drifted, -one.weight, -one.distance.psi))
    return DriftReport(tuple(found), sizes)


def share_gains(gains: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Returns each feature's share of the gain, equal ones when the gains are not known."""
    total = sum(gains.values())
    if total <= 0:
        return dict.fromkeys(names, 1 / max(len(names), 1))
    return {name: gains.get(name, 0.0) / total for name in names}


def adjust_p_values(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Returns q-values (Benjamini & Hochberg 1995): the false discovery rate at which each one is found."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return adjusted
