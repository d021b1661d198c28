"""Computes on this machine: in this process, or in several."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from reelrank.app.compute.backend import DEFAULTS, Compute, Partition, Result
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult, train_ranker
from reelrank.ranking.training.partitioned.fixed_rounds import fit_rounds, train_rounds


@dataclass(frozen=True, slots=True)
class LocalCompute:
    """pool: None computes in this process."""

    pool: ProcessPoolExecutor | None = None

    def map_partitions(
        self, task: Callable[[Partition], Result], partitions: Sequence[Partition]
    ) -> Iterator[Result]:
        if self.pool is None:
            return map(task, partitions)
        return self.pool.map(task, partitions)

    def train_ranker(
        self,
        training: TrainingSet,
        feature_names: Sequence[str],
        progress: Progress,
        rounds: int | None = None,
        params: Mapping[str, Any] = DEFAULTS,
    ) -> TrainingResult:
        if rounds is None:
            return train_ranker(training, feature_names, progress, params)
        return train_rounds(training, feature_names, fit_rounds, rounds, params)


@contextmanager
def open_local(workers: int) -> Iterator[Compute]:
    """Opens worker processes, which start anew: LightGBM and DuckDB have threads that a fork would lose."""
    if workers == 1:
        yield LocalCompute()
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield LocalCompute(pool)
