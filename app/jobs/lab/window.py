"""A backtested window whose features can be left out or changed, and rankers trained on what is left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.jobs.history import History
from reelrank.app.jobs.training import collect_judged_requests, collect_training_set
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.order_measures import MeasureMatrix, measure_model_order
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import PARAMS, train_ranker

ONE_THREAD = {"num_threads": 1}
SEEDS: tuple[int, ...] = (PARAMS["seed"], 17, 18)
"""Of LightGBM's sampling of rows and columns, the product's first. A system is measured by the mean over all
of them, because the difference between two seeds is as large as many effects."""
WITHOUT = "without"
GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES))


@dataclass(frozen=True, slots=True, eq=False)
class BacktestWindow:
    """The training set and judged requests of a backtest. names: of the features, in order."""

    training: TrainingSet
    judged: Sequence[JudgedRequest]
    names: tuple[str, ...] = FEATURE_NAMES

    def drop_features(self, left_out: Sequence[str]) -> "BacktestWindow":
        """Returns the same requests and candidates without these features."""
        kept = [index for index, name in enumerate(self.names) if name not in left_out]
        window = self.change_features(lambda features: features[:, kept])
        return replace(window, names=tuple(self.names[index] for index in kept))

    def change_features(
        self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> "BacktestWindow":
        """Returns the same requests and candidates with features [rows, F] that `change` returns."""
        judged = [replace(request, features=change(request.features)) for request in self.judged]
        return replace(
            self, training=replace(self.training, features=change(self.training.features)), judged=judged
        )

    def find_constant_features(self) -> tuple[str, ...]:
        """Returns features with one value in all rows, from which nothing can be learned."""
        columns = zip(self.names, self.training.features.T, strict=True)
        return tuple(name for name, column in columns if len(np.unique(column)) < 2)

    def measure_rankers(self, seeds: Sequence[int]) -> MeasureMatrix:
        """Trains a ranker with each seed and returns the mean of their measures by request."""
        measured: MeasureMatrix = np.mean([self._measure_ranker(seed) for seed in seeds], axis=0)
        return measured

    def _measure_ranker(self, seed: int) -> MeasureMatrix:
        text = train_ranker(self.training, self.names, params={**ONE_THREAD, "seed": seed}).model_text
        return measure_model_order(self.judged, LambdaRank("ablation", self.names, text))

    def list_kinds(self) -> NDArray[np.str_]:
        return np.array([request.kind for request in self.judged])


def run_backtest(
    history: History, training: int, judged: int, progress: Progress = ignore_progress
) -> BacktestWindow:
    """Backtests a history to get requests to train on and to judge: at most so many of each."""
    rows = collect_training_set(history, progress, training)
    return BacktestWindow(rows, collect_judged_requests(history, progress, judged))


def leave_out_features(
    full: BacktestWindow, parts: Mapping[str, Sequence[str]]
) -> dict[str, Callable[[], BacktestWindow]]:
    """Returns what builds the window without each part; a part of constant features has no effect to measure.

    parts: the features of each part, by what it is called.
    """
    unknown = set(full.find_constant_features())

    def drop(names: Sequence[str]) -> Callable[[], BacktestWindow]:
        return lambda: full.drop_features(names)

    return {f"{WITHOUT} {part}": drop(names) for part, names in parts.items() if not set(names) <= unknown}


def list_feature_groups(groups: Sequence[str] = GROUPS) -> dict[str, list[str]]:
    """Returns the features of each group, by "features: " and the group."""
    return {f"features: {group}": [f.name for f in FEATURES if f.group == group] for group in groups}
