"""Computes on this machine: in this process, or in several."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from reelrank.app.compute.backend import Compute, Partition, RankerTask, Result
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.lambdarank import TrainingResult, train_ranker
from reelrank.ranking.training.partitioned.fixed_rounds import fit_rounds, train_rounds


@dataclass(frozen=True, slots=True)
class LocalCompute:
    """pool: None computes in this process. workers: processes of the pool."""

    pool: ProcessPoolExecutor | None = None
    workers: int = 1

    def count_workers(self) -> int:
        return self.workers

    def map_partitions(
        self, task: Callable[[Partition], Result], partitions: Sequence[Partition]
    ) -> Iterator[Result]:
        if self.pool is None:
            return map(task, partitions)
        return self.pool.map(task, partitions)

    def train_ranker(self, task: RankerTask, progress: Progress) -> TrainingResult:
        if task.rounds is None:
            return train_ranker(task.rows, task.feature_names, progress, task.params)
        return train_rounds(task.rows, task.feature_names, fit_rounds, task.rounds, task.params)


@contextmanager
def open_local(workers: int) -> Iterator[Compute]:
    """Opens worker processes, which start anew: LightGBM and DuckDB have threads that a fork would lose."""
    if workers == 1:
        yield LocalCompute()
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield LocalCompute(pool, workers)
