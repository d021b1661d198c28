"""The protocol of a place to compute, and the choice of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from reelrank.index_mappings.errors import BadRequest
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult

Partition = TypeVar("Partition")
Result = TypeVar("Result")


class Place(StrEnum):
    """Where a training run computes."""

    LOCAL = "local"
    DASK = "dask"
    SPARK = "spark"


@dataclass(frozen=True, slots=True, eq=False)
class RankerTask:
    """What LambdaRank is trained from. rounds: None: as many as the validation requests say.

    params: those that differ from the defaults.
    """

    rows: TrainingSet
    feature_names: Sequence[str]
    rounds: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


class Compute(Protocol):
    """Computes partitions, and trains from what they made."""

    def count_workers(self) -> int:
        """Returns how many partitions are computed at a time."""
        ...

    def map_partitions(
        self, task: Callable[[Partition], Result], partitions: Sequence[Partition]
    ) -> Iterator[Result]:
        """Yields the result of the task for each partition, in their order.

        task and partitions are pickled; the task must find its data from where it runs.
        """
        ...

    def train_ranker(self, task: RankerTask, progress: Progress) -> TrainingResult:
        """Trains LambdaRank."""
        ...


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """workers: processes on this machine. cluster: the address of Dask's scheduler or Spark's master; empty:
    workers of this machine."""

    place: Place = Place.LOCAL
    workers: int = 1
    cluster: str = ""


LOCAL = ComputeOptions()


def open_compute(options: ComputeOptions) -> AbstractContextManager[Compute]:
    """Opens a place to compute; it is closed when the block ends. Raises BadRequest when its extra lacks."""
    if options.place is Place.DASK:
        require_extra("distributed", "dask")
        from reelrank.app.compute.dask import open_dask

        return open_dask(options.workers, options.cluster)
    if options.place is Place.SPARK:
        require_extra("pyspark", "spark")
        from reelrank.app.compute.spark import open_spark

        return open_spark(options.workers, options.cluster)
    if options.cluster:
        raise BadRequest("--cluster needs --on dask or --on spark")
    from reelrank.app.compute.local import open_local

    return open_local(options.workers)


def require_extra(module: str, extra: str) -> None:
    """Raises BadRequest with the command that installs the extra, when its module is not there."""
    if find_spec(module) is None:
        message = f"{module} is not installed; run: pip install 'reelrank[{extra}]'"
        raise BadRequest(message, code="extra_not_installed")
