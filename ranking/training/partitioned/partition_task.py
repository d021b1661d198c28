"""The task of one partition of the log: a bounded sample of its labelled rows, wherever it is computed.

Samples of partitions make the same sample of the whole log as reading it in one go: which requests are kept
depends on their ids and on the share alone, and the share is the largest that fits.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

import pyarrow as pa

from reelrank.ranking.labels.grades import Grader, grade_shown_items
from reelrank.ranking.training.logged import GroupSample, LoggedGroups, grade_logged_rows

DAY = timedelta(days=1)
Span = tuple[datetime, datetime]


class RowSource(Protocol):
    """Reads the labelled rows of logged requests. hours, cached_hours: that were read, and from a cache."""

    hours: int
    cached_hours: int

    def read(self, from_: datetime, to: datetime) -> Iterator[pa.RecordBatch]:
        """Yields rows of `build_row_schema`, whole requests in a batch."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PartitionSample:
    """groups: None where there is none. share: of the requests, those that were kept. requests: that were
    read, with `rows` rows. hours, cached_hours: see RowSource."""

    groups: LoggedGroups | None
    share: float
    requests: int
    rows: int
    hours: int
    cached_hours: int


@dataclass(frozen=True, slots=True)
class PartitionTask:
    """Samples one span of the log. It can be pickled, if `open_rows` can: it is sent to where it runs."""

    open_rows: Callable[[], RowSource]
    grader: Grader
    max_rows: int

    def __call__(self, span: Span) -> PartitionSample:
        source, sample, requests = self.open_rows(), GroupSample(self.max_rows), 0
        for rows in source.read(*span):
            if rows.num_rows:
                groups = grade_logged_rows(rows, lambda outcomes: grade_shown_items(outcomes, self.grader))
                sample.add(groups)
                requests += len(groups)
        kept = sample.collect() if sample.has_groups else None
        return PartitionSample(
            kept, sample.share, requests, sample.seen_rows, source.hours, source.cached_hours
        )


def split_by_date(from_: datetime, to: datetime) -> list[Span]:
    """Returns the span of each date (UTC): attribution looks at a date as a whole."""
    first, spans = datetime.combine(from_.astimezone(UTC).date(), time(), UTC), list[Span]()
    while first < to:
        spans.append((max(first, from_), min(first + DAY, to)))
        first += DAY
    return spans


def merge_samples(samples: Iterable[PartitionSample], max_rows: int) -> PartitionSample:
    """Returns the sample of all partitions, in the order of time; memory is that of two samples."""
    whole = GroupSample(max_rows)
    requests = rows = hours = cached_hours = 0
    for sample in samples:
        whole.add_sample(sample.groups, sample.share)
        requests, rows = requests + sample.requests, rows + sample.rows
        hours, cached_hours = hours + sample.hours, cached_hours + sample.cached_hours
    groups = whole.collect() if whole.has_groups else None
    return PartitionSample(groups, whole.share, requests, rows, hours, cached_hours)
