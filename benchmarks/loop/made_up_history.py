"""A made-up history of requests that trains in a second: features, what was played, and whose it was."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.drift.histograms import Profile
from reelrank.ranking.gate.requests import GateRequests
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.training.profile import build_profile

FEATURES = 12
NAMES = tuple(f"feature_{n}" for n in range(FEATURES))
WEIGHTS = np.array([1.2, -1.0, 0.9, 0.7, -0.5, 0.3] + [0.0] * (FEATURES - 6))
"""What plays depend on: the first six features, on the log odds."""
BASE = -2.2
ITEMS, REQUESTS_PER_VIEWER = 15, 4
USELESS = FEATURES - 1
USEFUL = 0


@dataclass(frozen=True, slots=True, eq=False)
class MadeUpHistory:
    """rows: to learn from. newest: later requests, to judge on."""

    rows: TrainingSet
    newest: GateRequests


def make_history(seed: int, learned: int = 1500, judged: int = 1600) -> MadeUpHistory:
    """Draws requests of viewers. learned, judged: how many."""
    rng = np.random.default_rng(seed)
    features, gains = _draw(rng, learned)
    groups = np.full(learned, ITEMS, np.int32)
    newest, newest_gains = _draw(rng, judged)
    viewers = np.array([f"viewer-{n // REQUESTS_PER_VIEWER}" for n in range(judged)], np.str_)
    return MadeUpHistory(
        TrainingSet(features, gains, groups),
        GateRequests(NAMES, newest, newest_gains, np.full(judged, ITEMS, np.int32), viewers),
    )


def train(rows: TrainingSet, name: str, seed: int = 0) -> tuple[LambdaRank, Profile]:
    """Trains a model as the service does, in one thread and with larger steps."""
    params = {"seed": seed, "num_threads": 1, "learning_rate": 0.3, "num_leaves": 7}
    trained = train_ranker(rows, NAMES, params=params)
    ranker = LambdaRank(name, NAMES, trained.model_text)
    ranker.calibration = trained.calibration
    return ranker, build_profile(rows, NAMES, name, trained.gains)


def _draw(rng: np.random.Generator, requests: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    features = rng.normal(size=(requests * ITEMS, FEATURES))
    odds = features @ WEIGHTS + BASE + np.repeat(rng.normal(0, 0.5, requests), ITEMS)
    played = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    grades = rng.integers(1, 4, len(odds))
    return features.astype(np.float32), np.where(played, grades, 0).astype(np.int32)
