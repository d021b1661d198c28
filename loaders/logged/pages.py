"""Reads logged pages with their outcomes, partition by partition, in parts of bounded size."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from reelrank.index_mappings.decision import CANDIDATE_SCHEMA, CANDIDATES, REQUEST_SCHEMA, REQUESTS
from reelrank.index_mappings.errors import BadRequest
from reelrank.loaders.lake.attribution import AttributionInputs, attribute
from reelrank.loaders.lake.merge import QueryLimits, cut_batches
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.loaders.logged.event_spool import spool_events
from reelrank.loaders.logged.request_cursor import RequestCursor
from reelrank.ranking.labels.attribution import (
    ATTRIBUTION_SCHEMA,
    CANDIDATE_COLUMNS,
    REQUEST_COLUMNS,
    AttributionRules,
    AttributionSpan,
)
from reelrank.ranking.training.logged import LoggedPages

ROWS_PER_PART = 200_000
"""Candidates in memory at a time: 200,000 of 70 signals are 56 MB."""


_REQUEST_SCHEMA = pa.schema([REQUEST_SCHEMA.field(name) for name in REQUEST_COLUMNS])
_SHOWN_SCHEMA = pa.schema([CANDIDATE_SCHEMA.field(name) for name in CANDIDATE_COLUMNS])


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What to read of logged pages.

    columns: of the candidates, beside CANDIDATE_COLUMNS and `is_whole_group`. as_of_ms: events received
    later do not count. on_skipped: called with the reason for each partition that lacks a column.
    """

    as_of_ms: int
    columns: Sequence[str] = ()
    rules: AttributionRules = field(default_factory=AttributionRules)
    limits: QueryLimits = field(default_factory=QueryLimits)
    rows: int = ROWS_PER_PART
    on_skipped: Callable[[str], None] = lambda _reason: None


def read_logged_pages(
    lake: Lake, from_: datetime, to: datetime, options: ReadOptions
) -> Iterator[LoggedPages]:
    """Yields the pages with from_ <= time < to that have candidates, whole requests at a time.

    Memory is bounded by one part, one query of DuckDB and the requests of one partition.
    """
    partitions = lake.list_partitions(CANDIDATES, from_, to)
    for day, of_day in groupby(partitions, lambda partition: partition.date):
        with tempfile.TemporaryDirectory(prefix="reelrank-pages-") as directory:
            events = spool_events(lake, day, options.rules, Path(directory))
            for partition in of_day:
                span = max(from_, partition.begin), min(to, partition.end)
                try:
                    yield from _read_partition(lake, partition, span, (events, Path(directory)), options)
                except BadRequest as error:
                    options.on_skipped(f"{partition.date} {partition.hour}: {error}")


def _read_partition(
    lake: Lake,
    partition: Partition,
    span: tuple[datetime, datetime],
    spooled: tuple[ds.Dataset, Path],
    options: ReadOptions,
) -> Iterator[LoggedPages]:
    events, directory = spooled
    requests = pa.Table.from_batches(lake.scan(REQUESTS, *span, REQUEST_COLUMNS), _REQUEST_SCHEMA)
    if not len(requests):
        return
    shown = _spool_shown(lake, partition, span, directory)
    from_ms, to_ms = (round(time.timestamp() * 1000) for time in span)
    inputs = AttributionInputs(requests, shown, events)
    known = AttributionSpan(from_ms, to_ms, options.as_of_ms)
    names = [*CANDIDATE_COLUMNS, "is_whole_group", *options.columns]
    of_part = RequestCursor(requests.sort_by("request_id").to_batches(), _REQUEST_SCHEMA)
    with attribute(inputs, known, options.rules, options.limits) as batches:
        outcomes = RequestCursor(batches, ATTRIBUTION_SCHEMA)
        for candidates in cut_batches(lake.read(partition, names, *span), options.rows, "request_id"):
            last = candidates["request_id"][-1].as_py()
            found = of_part.read_until(last)
            found = found.filter(pc.is_in(found["request_id"], pc.unique(candidates["request_id"])))
            yield LoggedPages(found, candidates, outcomes.read_until(last))


def _spool_shown(
    lake: Lake, partition: Partition, span: tuple[datetime, datetime], directory: Path
) -> ds.Dataset:
    """Copies what attribution reads of the candidates, which are as many as the impressions."""
    path = directory / f"candidates-{partition.begin:%H}.parquet"
    with pq.ParquetWriter(path, _SHOWN_SCHEMA, compression="zstd", compression_level=1) as writer:
        for batch in lake.read(partition, CANDIDATE_COLUMNS, *span):
            shown = batch.filter(batch["shown"])
            if shown.num_rows:
                writer.write_batch(shown.cast(_SHOWN_SCHEMA))
    return ds.dataset(path)
