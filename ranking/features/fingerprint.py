"""The feature fingerprint: a hash of the values of the features on a fixed probe table."""

import hashlib
from collections.abc import Sequence

import numpy as np

from reelrank.ranking.column import find_best
from reelrank.ranking.features.compute import FEATURES_BY_NAME, compute_features
from reelrank.ranking.signals.observe import Signals

PROBE_ROWS = 64
BEST_PREFIX = "best_"
"""Begins a signal that is the best of another: `best_score_bm25` of `score_bm25`, in the probe too."""


def compute_feature_fingerprint(names: Sequence[str]) -> str:
    """Returns twelve hex digits that change when the formula of any of these features changes.

    Values are rounded to six significant digits, so that another CPU gives the same.
    """
    reads = {signal for name in names for signal in FEATURES_BY_NAME[name].reads}
    bests = {signal for signal in reads if signal.startswith(BEST_PREFIX)}
    rng = np.random.default_rng(20261124)
    columns = {signal: _generate_probe(rng) for signal in sorted(reads - bests)}
    columns |= {signal: find_best(columns[signal.removeprefix(BEST_PREFIX)]) for signal in bests}
    values = compute_features(Signals(columns), names) if reads else np.zeros((0, 0), np.float32)
    text = ",".join(f"{value:.5e}" for value in values.ravel())
    return hashlib.sha256(f"{'|'.join(names)}:{text}".encode()).hexdigest()[:12]


def _generate_probe(rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Generates small and large positive values; one in eight is missing."""
    values = np.exp(rng.uniform(-3, 8, PROBE_ROWS))
    return np.where(rng.random(PROBE_ROWS) < 1 / 8, np.nan, values).astype(np.float32)
