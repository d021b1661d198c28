"""What every place to compute must do: the same rows, an equal model, and errors that arrive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from reelrank.app.capacity.made_up_pages import DAY, PageSizes
from reelrank.app.capacity.measurement import write_made_up_pages
from reelrank.app.compute.backend import Compute, RankerTask
from reelrank.app.compute.local import LocalCompute
from reelrank.app.compute.logged_rows import LoggedRowOpener
from reelrank.app.jobs.logged_pages import list_spans
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.evaluation.intervals import bootstrap_difference
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.partitioned.fixed_rounds import compute_ndcgs
from reelrank.ranking.training.partitioned.partition_task import (
    PartitionSample,
    PartitionTask,
    merge_samples,
)

DAYS, SIZES = 3, PageSizes(40, shown=15, group=40)
ALL_ROWS, FEW_ROWS = 1_000_000, 500
NAMES = tuple("abcdef")
ROUNDS, MARGIN = 30, 0.02


def write_lake(directory: Path) -> LoggedRowOpener:
    """Writes three made-up days, and returns what opens them."""
    writer = LakeWriter(LakeStorage(str(directory / "lake")))
    for number in range(DAYS):
        write_made_up_pages(writer, SIZES, DAY + timedelta(days=number))
    return LoggedRowOpener(str(directory / "lake"), directory / "locks", directory / "cache", 10**9, 2**62)


def make_training_set(groups: int = 400, size: int = 20) -> TrainingSet:
    """Makes up groups whose gains follow from the features, with noise."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(groups * size, len(NAMES))).astype(np.float32)
    wanted = features @ rng.normal(size=len(NAMES)) + rng.normal(0, 1, len(features))
    gains = np.digitize(wanted, np.quantile(wanted, [0.9, 0.97])).astype(np.int32)
    return TrainingSet(features, gains, np.full(groups, size, np.int32))


def collect(compute: Compute, opener: LoggedRowOpener, max_rows: int, days: int = DAYS) -> PartitionSample:
    begin = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    lake = Lake(LakeStorage(opener.lake_url))
    spans = list_spans(lake, begin, begin + timedelta(days=days), compute.count_workers())
    assert len(spans) == max(days, compute.count_workers())
    samples = compute.map_partitions(PartitionTask(opener, Grader(), max_rows), spans)
    return merge_samples(samples, max_rows)


def measure(model_text: str, judged: TrainingSet) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    scores = lightgbm.Booster(model_str=model_text).predict(judged.features, raw_score=True)
    return compute_ndcgs(np.asarray(scores), judged)


def multiply(number: int) -> int:
    return 3 * number


def fail_on_two(number: int) -> int:
    if number == 2:
        raise ValueError("partition 2 is damaged")
    return number


def name_day(day: date) -> str:
    return day.isoformat()


class ComputeContract:
    """Inherited by the tests of each place; `compute` and `opener` are their fixtures."""

    def test_results_come_in_the_order_of_the_partitions(self, compute: Compute) -> None:
        assert list(compute.map_partitions(multiply, range(7))) == [0, 3, 6, 9, 12, 15, 18]
        assert list(compute.map_partitions(multiply, [])) == []
        assert list(compute.map_partitions(name_day, [DAY])) == [DAY.isoformat()]

    def test_the_error_of_a_partition_arrives(self, compute: Compute) -> None:
        with pytest.raises(Exception, match="partition 2 is damaged"):
            list(compute.map_partitions(fail_on_two, range(3)))

    @pytest.mark.parametrize("max_rows", [ALL_ROWS, FEW_ROWS])
    def test_the_training_set_is_that_of_this_process(
        self, compute: Compute, opener: LoggedRowOpener, max_rows: int
    ) -> None:
        expected, found = (collect(place, opener, max_rows) for place in (LocalCompute(), compute))
        assert expected.groups is not None
        assert found.groups is not None
        assert (found.share, found.requests, found.rows) == (
            expected.share,
            expected.requests,
            expected.rows,
        )
        assert (expected.share < 1) == (max_rows == FEW_ROWS)
        assert expected.groups.find_answered().any()
        assert found.groups.request_ids.tolist() == expected.groups.request_ids.tolist()
        compare_rows(found.groups.rows, expected.groups.rows)

    def test_a_large_date_is_several_tasks_with_the_same_rows(
        self, compute: Compute, opener: LoggedRowOpener, tmp_path: Path
    ) -> None:
        expected = collect(LocalCompute(), replace(opener, cache_dir=tmp_path / "whole"), ALL_ROWS, days=1)
        found = collect(compute, replace(opener, cache_dir=tmp_path / "parts"), ALL_ROWS, days=1)
        assert found.groups is not None
        assert expected.groups is not None
        assert (found.requests, found.hours) == (expected.requests, expected.hours)
        assert found.groups.request_ids.tolist() == expected.groups.request_ids.tolist()
        compare_rows(found.groups.rows, expected.groups.rows)
        again = collect(LocalCompute(), replace(opener, cache_dir=tmp_path / "parts"), ALL_ROWS, days=1)
        assert again.cached_hours == again.hours

    def test_the_model_is_as_good_as_that_of_this_process(self, compute: Compute) -> None:
        training = make_training_set()
        _, held_out = training.split()
        judged = held_out.drop_groups_without_relevant()
        models = [
            place.train_ranker(RankerTask(training, NAMES, ROUNDS), ignore_progress)
            for place in (LocalCompute(), compute)
        ]
        assert [model.rounds for model in models] == [ROUNDS, ROUNDS]
        mine, other = (measure(model.model_text, judged) for model in models)
        assert mine.mean() > 0.6
        difference = bootstrap_difference(other, mine)
        assert difference.low <= 0 <= difference.high or abs(difference.mean) < MARGIN


def compare_rows(found: TrainingSet, expected: TrainingSet) -> None:
    """Asserts that two training sets are equal, bit by bit."""
    columns: Sequence[str] = ("features", "gains", "groups", "weights")
    for name in columns:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
