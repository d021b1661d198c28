"""What drifted: features, scores, labels and what the embeddings know, all tested together and named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.drift.distances import Distance, compare_histograms
from reelrank.ranking.drift.histograms import Profile

CALENDAR_FEATURES = frozenset(
    {
        "hour", "weekday", "week_of_year", "is_holiday", "hour_sine", "hour_cosine",
        "genre_x_hour", "genre_x_weekday",
    }
)  # fmt: skip
"""They say when a request was made, and so always differ between two spans of time."""
FALSE_DISCOVERY_RATE = 0.01
RETRAIN_PSI, BLOCK_PSI = 0.1, 0.25
"""The usual bounds of PSI: from 0.1 on a moderate, from 0.25 on a large shift (Siddiqi 2006)."""
BLOCK_GAIN_SHARE = 0.2
"""A promotion is blocked when features that shifted a lot hold this share of the model's gain. A choice."""
OLD_EMBEDDINGS_H = 7 * 24.0
"""Embeddings that learned from nothing newer than this are warned of, in hours. A choice."""


class Kind(StrEnum):
    """What a distribution is of. FEATURES: of shown items. SCORES: those of the release's model for shown
    items. LABELS: what viewers did with seen items. EMBEDDINGS: whether the release has a learned vector."""

    FEATURES = "features"
    SCORES = "scores"
    LABELS = "labels"
    EMBEDDINGS = "embeddings"


class Action(StrEnum):
    """What the policy does about drift."""

    NONE = "none"
    WARN = "warn"
    RETRAIN = "retrain"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class SeriesDrift:
    """One distribution. q_value: the false discovery rate at which it counts as drifted.

    gain: of a feature its share of the total split gain of the model; of all others 1.
    """

    kind: Kind
    distance: Distance
    q_value: float
    gain: float

    @property
    def name(self) -> str:
        return self.distance.feature

    @property
    def is_drifted(self) -> bool:
        return self.q_value <= FALSE_DISCOVERY_RATE

    @property
    def weight(self) -> float:
        """Returns what it is ordered by, PSI x gain."""
        return self.distance.psi * self.gain

    def describe(self) -> str:
        """Returns the name with PSI, such as `year (PSI 0.312, 12% of the gain)`."""
        what = f"{self.gain:.0%} of the gain" if self.kind is Kind.FEATURES else self.kind
        return f"{self.name} (PSI {self.distance.psi:.3f}, {what})"


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All distributions, those that drifted first, by weight. viewers: of the reference and of now.

    embeddings_age_h: hours since the newest event that the release's embeddings learned from; None: unknown.
    """

    series: tuple[SeriesDrift, ...]
    viewers: tuple[float, float]
    embeddings_age_h: float | None = None

    @property
    def drifted(self) -> list[SeriesDrift]:
        return [one for one in self.series if one.is_drifted]

    @property
    def has_old_embeddings(self) -> bool:
        return self.embeddings_age_h is not None and self.embeddings_age_h > OLD_EMBEDDINGS_H

    @property
    def action(self) -> Action:
        """Returns what the policy says: block, retrain, warn, or nothing without drift.

        A score is made of all features, so a large shift of it blocks as one of all the gain does. Labels
        never block: the release before knows no more of them.
        """
        large = [one for one in self.drifted if one.distance.psi >= BLOCK_PSI]
        gains = [one.gain for one in large if one.kind in (Kind.FEATURES, Kind.SCORES)]
        if sum(gains) >= BLOCK_GAIN_SHARE:
            return Action.BLOCK
        if any(one.distance.psi >= RETRAIN_PSI for one in self.drifted):
            return Action.RETRAIN
        return Action.WARN if self.drifted or self.has_old_embeddings else Action.NONE

    def of_kind(self, kind: Kind) -> list[SeriesDrift]:
        return [one for one in self.series if one.kind is kind]

    def split_quiet_features(self) -> tuple[list[SeriesDrift], list[SeriesDrift]]:
        """Returns what tables always show (first what drifted), and the features that did not drift."""
        quiet = [one for one in self.series if not one.is_drifted]
        others = [one for one in quiet if one.kind is not Kind.FEATURES]
        return [*self.drifted, *others], [one for one in quiet if one.kind is Kind.FEATURES]

    def describe(self) -> str:
        """Returns one sentence that names what drifted."""
        counts = ", ".join(f"{len(self.of_kind(kind))} {kind}" for kind in Kind if self.of_kind(kind))
        if not self.drifted:
            return self._add_age(f"none of {len(self.series)} distributions drifted ({counts})")
        named = ", ".join(one.describe() for one in self.drifted[:3])
        more = f" and {len(self.drifted) - 3} more" if len(self.drifted) > 3 else ""
        return self._add_age(
            f"{len(self.drifted)} of {len(self.series)} distributions drifted: {named}{more}"
        )

    def _add_age(self, sentence: str) -> str:
        if not self.has_old_embeddings:
            return sentence
        return f"{sentence}; the embeddings learned from nothing of the last {self.embeddings_age_h:,.0f} h"


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
    return compare_kinds({Kind.FEATURES: (before, now)}, sizes, left_out)


def compare_kinds(
    profiles: Mapping[Kind, tuple[Profile, Profile]],
    viewers: tuple[float, float],
    left_out: frozenset[str] = CALENDAR_FEATURES,
    embeddings_age_h: float | None = None,
) -> DriftReport:
    """Compares what both profiles of each kind have; one false discovery rate holds for all together."""
    found = list[tuple[Kind, Distance, float]]()
    for kind, (before, now) in profiles.items():
        names = sorted((before.features.keys() & now.features.keys()) - left_out)
        gains = share_gains(before.gains, names) if kind is Kind.FEATURES else dict.fromkeys(names, 1.0)
        for name in names:
            distance = compare_histograms(name, before.features[name], now.features[name], viewers)
            found.append((kind, distance, gains[name]))
    q_values = adjust_p_values([distance.p_value for _, distance, _ in found])
    series = [
        SeriesDrift(kind, distance, float(q), gain)
        for (kind, distance, gain), q in zip(found, q_values, strict=True)
    ]
    series.sort(key=lambda one: (not one.is_drifted, -one.weight, -one.distance.psi))
    return DriftReport(tuple(series), viewers, embeddings_age_h)


def share_gains(gains: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Returns each feature's share of the gain, equal ones when the gains are not known."""
    total = sum(gains.values())
    if total <= 0:
        return dict.fromkeys(names, 1 / max(len(names), 1))
    return {name: gains.get(name, 0.0) / total for name in names}


def adjust_p_values(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Returns q-values (Benjamini & Hochberg 1995): the false discovery rate at which each one is found."""
    from scipy.stats import (
        false_discovery_control,
    )  # 0.8 s that a service, which reads reports, need not wait

    return np.asarray(false_discovery_control(p_values) if len(p_values) else [], np.float64)
