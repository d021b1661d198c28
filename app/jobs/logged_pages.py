"""What a training run learns from logged pages."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import structlog

from reelrank.app.clock import to_ms
from reelrank.app.compute.backend import Compute
from reelrank.app.compute.local import LocalCompute
from reelrank.app.compute.logged_rows import create_opener
from reelrank.app.jobs.lake import export_lake
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import (
    CANDIDATES,
    REQUESTS,
)
from reelrank.index_mappings.errors import NotFound
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.partitioned.partition_task import (
    PartitionSample,
    PartitionTask,
    Span,
    cut_spans,
    merge_samples,
    split_by_date,
)

log = structlog.get_logger("reelrank.learning")

TRAINING_DAYS = 28
VALIDATED = timedelta(days=1)
"""Of pages that stop the training early."""
MIN_ANSWERED, MIN_VALIDATION = 500, 50
"""Requests with something played that are the least to learn from, and to stop early by. A choice."""
IN_PROCESS = LocalCompute()
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


class TrainingSource(StrEnum):
    """What the ranker learns from. AUTO: logged pages when enough of them led to a play, else the history."""

    AUTO = "auto"
    LAKE = "lake"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class LoggedWindows:
    """Requests of [begin, validate) are learned from, those of [validate, test) stop the training early, and
    those of [test, end) are used by neither."""

    begin: datetime
    validate: datetime
    test: datetime
    end: datetime


@dataclass(frozen=True, slots=True, eq=False)
class LoggedTraining:
    """rows: of both windows, in the order of time; those of the first are fitted. requests: in the lake;
    sampled: the share of them that was kept; answered: of those, how many led to a play. hours: that were
    read, cached_hours: those of them whose rows came from the cache."""

    rows: TrainingSet
    windows: LoggedWindows
    requests: int
    sampled: float
    answered: int
    hours: int
    cached_hours: int

    def describe(self) -> str:
        """Returns what was learned from, in a sentence for people."""
        share = "" if self.sampled == 1 else f", of which {self.sampled:.1%} were sampled"
        return (
            f"{self.requests:,} logged requests from {self.windows.begin:%Y-%m-%d} to "
            f"{self.windows.test:%Y-%m-%d %H:%M}{share}; {self.answered:,} of them led to a play; "
            f"{self.cached_hours:,} of {self.hours:,} hours came from the cache"
        )


def choose_windows(lake: Lake, now: datetime, test_hours: float) -> LoggedWindows | None:
    """Returns the windows up to the newest page whose plays can be known; None for an empty lake.

    test_hours: how many of them are left for the gate (REELRANK_GATE_HOURS)."""
    settled = now - timedelta(milliseconds=PLAY_WINDOW_MS)
    partitions = lake.list_partitions(CANDIDATES, EARLIEST, settled)
    if not partitions:
        return None
    end = min(settled, max(partition.end for partition in partitions))
    test = end - timedelta(hours=test_hours)
    validate = test - VALIDATED
    return LoggedWindows(validate - timedelta(days=TRAINING_DAYS), validate, test, end)


def find_logged_training(
    container: Container,
    source: TrainingSource,
    grader: Grader,
    progress: Progress,
    compute: Compute = IN_PROCESS,
) -> LoggedTraining | None:
    """Collects rows of logged pages, unless the history is the source or there are too few.

    Raises NotFound for too few when the lake is the source.
    """
    logged = None
    if source is not TrainingSource.HISTORY:
        logged = collect_logged_training(container, grader, progress, compute)
    if logged is None and source is TrainingSource.LAKE:
        raise NotFound(
            f"too few logged pages led to a play: {MIN_ANSWERED} are the least, and {MIN_VALIDATION} on the "
            "day before the last; serve on, or learn from the history: reelrank train --from history",
            code="too_few_logged_pages",
        )
    return logged


def collect_logged_training(
    container: Container, grader: Grader, progress: Progress, compute: Compute = IN_PROCESS
) -> LoggedTraining | None:
    """Collects rows of logged pages; None when there are too few that led to a play.

    Each date is a partition, a large one is several. At most `training_rows` rows are kept: whole requests, a
    uniform sample.
    """
    lake = Lake(build_lake_storage(container.settings))
    windows = choose_windows(lake, container.clock.now(), container.settings.gate_hours)
    if windows is None or _count_requests(lake, windows) < MIN_ANSWERED + MIN_VALIDATION:
        return None  # the events need not be exported: a long history is thousands of dates
    sample = sample_logged_rows(container, grader, (windows.begin, windows.test), progress, compute)
    return _split(sample, windows)


def sample_logged_rows(
    container: Container, grader: Grader, span: Span, progress: Progress, compute: Compute = IN_PROCESS
) -> PartitionSample:
    """Exports the events, and samples at most `training_rows` rows of the pages of a span."""
    export_lake(container, progress)
    settings, now = container.settings, container.clock.now()
    opener = create_opener(settings, settings.training_cache_mb, to_ms(now))
    task = PartitionTask(opener, grader, settings.training_rows)
    spans = list_spans(Lake(build_lake_storage(settings)), *span, compute.count_workers())
    samples = _report(compute.map_partitions(task, spans), len(spans), progress)
    return merge_samples(samples, settings.training_rows)


def list_spans(lake: Lake, begin: datetime, end: datetime, workers: int) -> list[Span]:
    """Returns the spans of the dates that have candidates; one that is large for the workers is cut."""
    sizes = Counter[date]()
    for partition in lake.list_partitions(CANDIDATES, begin, end):
        sizes[partition.date] += sum(file.size for file in partition.files)
    spans = [span for span in split_by_date(begin, end) if span[0].date() in sizes]
    return cut_spans(spans, [sizes[span[0].date()] for span in spans], workers)


def _report(samples: Iterator[PartitionSample], count: int, progress: Progress) -> Iterator[PartitionSample]:
    """Yields the samples, and tells how many of them are there."""
    for done, sample in enumerate(samples, 1):
        progress("reading logged pages", done, count)
        yield sample


def _count_requests(lake: Lake, windows: LoggedWindows) -> int:
    return sum(batch.num_rows for batch in lake.scan(REQUESTS, windows.begin, windows.test, ["request_id"]))


def _split(sample: PartitionSample, windows: LoggedWindows) -> LoggedTraining | None:
    """Returns the training set; None when one of its windows has too few requests that led to a play."""
    groups = sample.groups
    if groups is None:
        return None
    is_earlier = groups.at_ms < to_ms(windows.validate)
    earlier = int(is_earlier.sum())
    answered = groups.find_answered()
    enough = answered[:earlier].sum() >= MIN_ANSWERED and answered[earlier:].sum() >= MIN_VALIDATION
    if not enough:
        log.info("too few logged pages led to a play to learn from them", answered=int(answered.sum()))
        return None
    held_out_ms = to_ms(windows.validate), to_ms(windows.test)
    rows = replace(groups.rows, fitted_share=(earlier + 0.5) / len(groups), held_out_ms=held_out_ms)
    counts = int(answered.sum()), sample.hours, sample.cached_hours
    return LoggedTraining(rows, windows, sample.requests, sample.share, *counts)
