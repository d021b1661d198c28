"""Computes on Dask: partitions are tasks of the cluster, and LightGBM trains on all of its workers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask
import dask.array
import numpy as np
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from reelrank.app.compute.backend import Compute, Partition, RankerTask, Result
from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult
from reelrank.ranking.training.partitioned.fixed_rounds import create_dask_ranker, train_rounds

CONNECT_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class DaskCompute:
    client: Client

    def count_workers(self) -> int:
        return max(sum(int(threads) for threads in self.client.nthreads().values()), 1)

    def map_partitions(
        self, task: Callable[[Partition], Result], partitions: Sequence[Partition]
    ) -> Iterator[Result]:
        futures = self.client.map(task, list(partitions), pure=False)
        for future in futures:
            yield future.result()
            future.release()

    def train_ranker(self, task: RankerTask, progress: Progress) -> TrainingResult:
        progress("training LambdaRank on Dask", 0, 1)
        trained = train_rounds(task.rows, task.feature_names, self._fit, task.rounds, task.params)
        progress("training LambdaRank on Dask", 1, 1)
        return trained

    def _fit(
        self, fitting: TrainingSet, feature_names: Sequence[str], rounds: int, params: Mapping[str, Any]
    ) -> Any:
        """Fits on all workers; each gets whole requests."""
        cuts = cut_groups(fitting.groups, len(self.client.scheduler_info()["workers"]))
        ends = np.concatenate([[0], np.cumsum(fitting.groups)])[cuts]
        features, gains = (
            self._scatter([column[begin:end] for begin, end in pairwise(ends)])
            for column in (fitting.features, fitting.gains)
        )
        groups = self._scatter([fitting.groups[a:b] for a, b in pairwise(cuts)])
        ranker = create_dask_ranker(self.client, feature_names, rounds, params)
        ranker.fit(features, gains, group=groups, feature_name=list(feature_names))
        return ranker.booster_

    def _scatter(self, parts: list[NDArray[Any]]) -> Any:
        """Returns a Dask array of parts that are sent to the workers, and are no part of the task graph."""
        sent = zip(self.client.scatter(parts), parts, strict=True)
        arrays = [
            dask.array.from_delayed(dask.delayed(future), part.shape, part.dtype) for future, part in sent
        ]
        return dask.array.concatenate(arrays)


@contextmanager
def open_dask(workers: int, address: str) -> Iterator[Compute]:
    """Connects to a scheduler, or starts one with `workers` processes here. Raises Unavailable."""
    if not address:
        quiet: dict[str, Any] = {"dashboard_address": None, "threads_per_worker": 1}
        with LocalCluster(n_workers=workers, processes=True, **quiet) as cluster, Client(cluster) as client:
            yield DaskCompute(client)
        return
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, ValueError) as error:
        message = f"the Dask scheduler at {address} does not answer: {error}"
        raise Unavailable(message, code="compute_failed") from error
    with client:
        yield DaskCompute(client)


def cut_groups(groups: NDArray[np.int32], parts: int) -> list[int]:
    """Returns where to cut groups [g] into at most `parts` parts with about as many rows, none empty."""
    ends = np.cumsum(groups)
    wanted = np.arange(1, parts) * ends[-1] / parts
    inner = np.searchsorted(ends, wanted, side="left") + 1
    return sorted({0, len(groups), *np.minimum(inner, len(groups)).tolist()})
