"""The task of one partition of the log: a bounded sample of its labelled rows, wherever it is computed.

Samples of partitions make the same sample of the whole log as reading it in one go: which requests are kept
depends on their ids and on the share alone, and the share is the largest that fits.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Protocol

import pyarrow as pa

from reelrank.ranking.labels.grades import Grader, grade_shown_items
from reelrank.ranking.training.logged import GroupSample, LoggedGroups, grade_logged_rows

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
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
    """Returns the span of each date in UTC."""
    first, spans = datetime.combine(from_.astimezone(UTC).date(), time(), UTC), list[Span]()
    while first < to:
        spans.append((max(first, from_), min(first + DAY, to)))
        first += DAY
    return spans


def cut_spans(spans: Sequence[Span], sizes: Sequence[int], workers: int) -> list[Span]:
    """Returns the spans, with those that are too large for one of several workers cut at whole hours.

    sizes: of each span, in bytes. A part has about as much as each worker gets of all spans. Every part of a
    compacted date reads the files of the whole date, so no more are cut than keep the workers busy.
    """
    share = max(sum(sizes) / workers, 1.0)
    return [
        part
        for span, size in zip(spans, sizes, strict=True)
        for part in _cut_hours(span, round(size / share))
    ]


def _cut_hours(span: Span, parts: int) -> list[Span]:
    """Returns a span as at most so many spans of whole hours; the first and the last may be shorter."""
    begin, end = span
    first = begin.replace(minute=0, second=0, microsecond=0)
    hours = math.ceil((end - first) / HOUR)
    parts = min(max(parts, 1), hours)
    inner = [first + HOUR * (hours * part // parts) for part in range(1, parts)]
    return list(pairwise([begin, *inner, end]))


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
