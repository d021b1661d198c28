"""Reads logged pages with their outcomes, partition by partition, in parts of bounded size."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelrank.index_mappings.decision import CANDIDATES, REQUEST_SCHEMA, REQUESTS
from reelrank.index_mappings.errors import BadRequest
from reelrank.loaders.lake.attribution import DatePart, attribute_part, cut_date
from reelrank.loaders.lake.merge import QueryLimits, cut_batches
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.loaders.logged.request_cursor import RequestCursor
from reelrank.ranking.labels.attribution import (
    ATTRIBUTED_CANDIDATE,
    ATTRIBUTED_REQUEST,
    ATTRIBUTION_SCHEMA,
    AttributionRules,
)
from reelrank.ranking.training.logged_rows import LoggedPages

ROWS_PER_PART = 50_000
"""Candidates in memory at a time: 50,000 of 70 signals are 14 MB, of which joining and labelling make several
copies. With 200,000 the rows of a date of 785,820 candidates took a quarter more memory and as much time."""
_REQUEST_SCHEMA = pa.schema([REQUEST_SCHEMA.field(name) for name in ATTRIBUTED_REQUEST])


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What to read of logged pages.

    columns: of the candidates, beside ATTRIBUTED_CANDIDATE and `is_whole_group`. as_of_ms: events received
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

    Hours are attributed with the events around their date: an event without a page belongs to the latest page
    before it, in whatever partition that is. Memory is bounded by one part, one query of DuckDB and the
    requests of one partition.
    """
    partitions = lake.list_partitions(CANDIDATES, from_, to)
    for day, of_day in groupby(partitions, lambda partition: partition.date):
        with tempfile.TemporaryDirectory(prefix="reelrank-pages-") as directory:
            part = cut_date(day, from_, to)
            outcomes = attribute_to_file(lake, part, options, Path(directory) / "outcomes.parquet")
            for partition in of_day:
                span = max(from_, partition.begin), min(to, partition.end)
                try:
                    yield from _read_partition(lake, partition, span, outcomes, options)
                except BadRequest as error:
                    options.on_skipped(f"{partition.date} {partition.hour}: {error}")


def attribute_to_file(lake: Lake, part: DatePart, options: ReadOptions, path: Path) -> pq.ParquetFile:
    """Writes the outcomes of a part of a date, sorted by request, into a file that is read once a partition.

    What does not fit into memory is spilled beside the file, unless the options name a place.
    """
    limits = options.limits
    if limits.spill_dir is None:
        limits = replace(limits, spill_dir=path.parent)
    with (
        pq.ParquetWriter(path, ATTRIBUTION_SCHEMA, compression="lz4", use_dictionary=False) as writer,
        attribute_part(lake, part, options.as_of_ms, options.rules, limits) as batches,
    ):
        for batch in batches:
            writer.write_batch(batch)
    return pq.ParquetFile(path)


def _read_partition(
    lake: Lake,
    partition: Partition,
    span: tuple[datetime, datetime],
    outcomes: pq.ParquetFile,
    options: ReadOptions,
) -> Iterator[LoggedPages]:
    requests = read_requests(lake, *span)
    batches = lake.read(partition, list_columns(options), *span)
    yield from join_pages(batches, requests, outcomes, options.rows)


def list_columns(options: ReadOptions) -> list[str]:
    """Returns the columns of candidates that pages have."""
    return [*ATTRIBUTED_CANDIDATE, "is_whole_group", *options.columns]


def read_requests(lake: Lake, from_: datetime, to: datetime) -> pa.Table:
    """Returns the requests of a span, sorted by `request_id`, with the columns of ATTRIBUTED_REQUEST."""
    batches = lake.scan(REQUESTS, from_, to, ATTRIBUTED_REQUEST)
    return pa.Table.from_batches(batches, _REQUEST_SCHEMA).sort_by("request_id")


def join_pages(
    batches: Iterable[pa.RecordBatch], requests: pa.Table, outcomes: pq.ParquetFile, rows: int
) -> Iterator[LoggedPages]:
    """Yields pages of about `rows` candidates. All three are sorted by request; batches: of candidates."""
    asked = RequestCursor(requests.to_batches(), _REQUEST_SCHEMA)
    followed = RequestCursor(outcomes.iter_batches(), ATTRIBUTION_SCHEMA)
    for candidates in cut_batches(batches, rows, "request_id"):
        ids = pc.unique(candidates["request_id"])
        tables = (cursor.read_until(ids[-1].as_py()) for cursor in (asked, followed))
        of_part, outcomes_of_part = (table.filter(pc.is_in(table["request_id"], ids)) for table in tables)
        yield LoggedPages(of_part, candidates, outcomes_of_part)
