"""Builds the training rows of some hours of one date, each into a file, in bounded memory."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from reelrank.index_mappings.decision import CANDIDATES
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.event import HOUR_MS
from reelrank.loaders.lake.attribution import DatePart, hash_hours
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.loaders.logged.pages import (
    ReadOptions,
    attribute_to_file,
    join_pages,
    list_columns,
    read_requests,
)
from reelrank.loaders.logged.row_cache import open_rows
from reelrank.ranking.arrow_columns import to_array
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA
from reelrank.ranking.training.logged_rows import GRADED, build_logged_rows, build_row_schema

_HASHED = pa.schema(
    [ATTRIBUTION_SCHEMA.field(name) for name in ("request_id", "at_ms", "item", "position", "seen", *GRADED)]
)
"""The columns of outcomes that rows are made of."""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What rows are made of. reading: its columns are the signals of the features."""

    features: Sequence[str]
    group_size: int
    reading: ReadOptions


class DateBuild:
    """The rows of a part of one date. Nothing is read before it is asked for. scratch: for its files."""

    def __init__(self, lake: Lake, part: DatePart, options: RowOptions, scratch: Path) -> None:
        self._lake, self._part, self._options, self._scratch = lake, part, options, scratch
        self._midnight_hour = round(DatePart(part.day).begin.timestamp() * 1000) // HOUR_MS

    def hash_contents(self) -> dict[int, str]:
        """Returns, for each hour (0 to 23) of the part that has requests, a hash of its rows' sources."""
        outcomes = ds.dataset(str(self._outcomes), format="parquet", schema=_HASHED)
        hashes = hash_hours([self._requests, outcomes])
        return {hour - self._midnight_hour: content for hour, content in hashes.items()}

    def build(self, hours: Collection[int]) -> dict[int, Path]:
        """Writes the rows of these hours, and returns their files.

        An hour in a partition that lacks a signal has no file; that is reported to `on_skipped`.
        """
        schema = build_row_schema(self._options.features)
        built = {hour: self._scratch / f"{hour:02d}.rows" for hour in hours}
        requests = self._select_requests(hours)
        outcomes = pq.ParquetFile(self._outcomes)
        with ExitStack() as stack:
            writers = {hour: stack.enter_context(open_rows(built[hour], schema)) for hour in hours}
            for partition in self._lake.list_partitions(CANDIDATES, self._part.begin, self._part.end):
                inside = {hour for hour in hours if partition.hour in (None, 0, hour)}
                try:
                    for rows in self._build_partition(partition, requests, outcomes) if inside else ():
                        self._write(rows, writers)
                except BadRequest as error:
                    self._options.reading.on_skipped(f"{partition.date} {partition.hour}: {error}")
                    built = {hour: path for hour, path in built.items() if hour not in inside}
        return built

    def _build_partition(
        self, partition: Partition, requests: pa.Table, outcomes: pq.ParquetFile
    ) -> Iterator[pa.Table]:
        reading, known = self._options.reading, requests["request_id"]
        found = self._lake.read(partition, list_columns(reading), partition.begin, partition.end)
        is_whole = self._part == DatePart(self._part.day) and len(requests) == len(self._requests)
        batches = found if is_whole else (_select_requests(batch, known) for batch in found)
        for pages in join_pages(batches, requests, outcomes, reading.rows):
            yield build_logged_rows(pages, self._options.features, self._options.group_size)

    def _write(self, rows: pa.Table, writers: dict[int, object]) -> None:
        """Writes rows, which are in the order of time, into the files of their hours."""
        hour_of_row = to_array(rows["at_ms"], np.int64) // HOUR_MS - self._midnight_hour
        hours, starts = np.unique(hour_of_row, return_index=True)
        for hour, start, end in zip(hours.tolist(), starts, [*starts[1:], len(rows)], strict=True):
            writers[hour].write_table(rows.slice(start, end - start))  # type: ignore[attr-defined]

    def _select_requests(self, hours: Collection[int]) -> pa.Table:
        hour_of_request = pc.subtract(pc.divide(self._requests["at_ms"], HOUR_MS), self._midnight_hour)
        return self._requests.filter(pc.is_in(hour_of_request, pa.array(sorted(hours), pa.int64())))

    @cached_property
    def _requests(self) -> pa.Table:
        return read_requests(self._lake, self._part.begin, self._part.end)

    @cached_property
    def _outcomes(self) -> Path:
        path = self._scratch / "outcomes.parquet"
        attribute_to_file(self._lake, self._part, self._options.reading, path).close()
        return path


def _select_requests(batch: pa.RecordBatch, known: pa.ChunkedArray) -> pa.RecordBatch:
    is_known = pc.is_in(batch["request_id"], known)
    return batch if pc.all(is_known).as_py() else batch.filter(is_known)
