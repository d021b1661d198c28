"""Reads the lake partition by partition: an hour of an open date, or a whole compacted date."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from reelrank.index_mappings.decision import CANDIDATES, REQUESTS, TABLES
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.loaders.lake.compaction import group_by_date
from reelrank.loaders.lake.manifest import (
    DateManifest,
    Folder,
    compute_revision,
    format_date_folder,
    parse_folder,
    read_manifest,
    read_position,
    select_committed,
)
from reelrank.loaders.lake.merge import open_files
from reelrank.loaders.lake.storage import LakeStorage, StoredFile

TRIES = 5
"""A compaction may replace the files of a partition between listing and opening; twice in a row is rare."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A unit of reading. hour: None for a whole date. revision: changes when other files count.

    is_compacted: all of its files are; they have no row in common.
    """

    table: str
    date: date
    hour: int | None
    files: tuple[StoredFile, ...]
    is_compacted: bool

    @property
    def revision(self) -> str:
        return compute_revision(self.files)

    @property
    def begin(self) -> datetime:
        return datetime(self.date.year, self.date.month, self.date.day, self.hour or 0, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Returns the end of its times. Late rows of a whole date are in the folder of its hour 0."""
        return self.begin + (timedelta(hours=1) if self.hour else timedelta(days=1))


class Lake:
    """The lake, to read. Everything is read as it is committed at that moment."""

    def __init__(self, storage: LakeStorage) -> None:
        self.storage = storage

    def list_partitions(self, table: str, from_: datetime, to: datetime) -> list[Partition]:
        """Returns the partitions of a table with times in [from_, to), aware, in the order of time.

        Raises BadRequest for a table that the lake does not have.
        """
        if table not in TABLES:
            raise BadRequest(
                f"the lake has no table {table!r}; it has {', '.join(TABLES)}", code="lake_table_unknown"
            )
        partitions = list[Partition]()
        for day in self._list_dates(table, from_, to):
            partitions += self._list_date(table, day)
        return [one for one in partitions if one.begin < to and from_ < one.end]

    def list_urls(self, table: str, from_: datetime, to: datetime) -> list[str]:
        """Returns the addresses of the files that count, for DuckDB, pandas, Polars or Spark.

        Until a date is compacted, a row can be in two of them (see docs/data.md).
        """
        partitions = self.list_partitions(table, from_, to)
        return [self.storage.to_url(file.path) for partition in partitions for file in partition.files]

    def scan(
        self, table: str, from_: datetime, to: datetime, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields rows of [from_, to), partition by partition, sorted within one, each row once.

        A candidate has the time of its request. columns: None for all of a partition. Memory is bounded by
        one batch, or by a sort of one partition that spills to the disk, and by the ids of the requests of
        a partition that is read in part. Raises BadRequest for an unknown column.
        """
        for partition in self.list_partitions(table, from_, to):
            yield from self.read(partition, columns, max(from_, partition.begin), min(to, partition.end))

    def read(
        self, partition: Partition, columns: Sequence[str] | None, from_: datetime, to: datetime
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows of [from_, to) in a partition, as it is when it is opened."""
        for attempt in range(1, TRIES + 1):
            is_begun = False
            try:
                for batch in self._read_files(partition, columns, from_, to):
                    is_begun = True
                    yield batch
                return
            except FileNotFoundError as error:
                if attempt == TRIES or is_begun:
                    raise Unavailable(
                        f"{error} of the lake at {self.storage.url} is gone; run: reelrank lake check",
                        code="lake_damaged",
                    ) from error
                partition = self._find_again(partition)

    def _read_files(
        self, partition: Partition, columns: Sequence[str] | None, from_: datetime, to: datetime
    ) -> Iterator[pa.RecordBatch]:
        is_whole = from_ <= partition.begin and partition.end <= to
        with open_files(self.storage, partition.files, partition.table) as opened:
            wanted = _select_columns(opened.schema, columns, partition.table)
            select, key = self._build_filter(partition.table, from_, to, is_whole)
            names = wanted if key in (*wanted, "") else [*wanted, key]
            for batch in opened.chain(names) if partition.is_compacted else opened.merge(names):
                yield select(batch).select(wanted)

    def _build_filter(
        self, table: str, from_: datetime, to: datetime, is_whole: bool
    ) -> tuple[Callable[[pa.RecordBatch], pa.RecordBatch], str]:
        """Returns what selects rows by time, and the column it needs; empty for a partition read whole."""
        if is_whole:
            return (lambda batch: batch), ""
        if table != CANDIDATES:
            return partial(_select_times, from_=from_, to=to), "at_ms"
        ids = [batch["request_id"] for batch in self.scan(REQUESTS, from_, to, ("request_id",))]
        known = pa.chunked_array(ids, pa.string())
        return (lambda batch: batch.filter(pc.is_in(batch["request_id"], known))), "request_id"

    def _find_again(self, partition: Partition) -> Partition:
        """Returns what holds the rows of the partition now; a compacted date holds those of its hours."""
        found = self._list_date(partition.table, partition.date)
        same = [one for one in found if one.hour == partition.hour]
        return same[0] if same else found[0] if found else partition

    def _find_committed(self, table: str, day: date) -> tuple[list[StoredFile], DateManifest]:
        """Returns the files of a date that count.

        The manifest is read after the files are listed: if a compaction comes between, a file that it names
        is not in the list, and both are read again.
        """
        for _ in range(TRIES):
            groups = group_by_date(self.storage.list_files(format_date_folder(table, day)))
            manifest, position = read_manifest(self.storage, table, day), read_position(self.storage)
            files = select_committed(groups.get((table, day), []), manifest, position)
            missing = manifest.files.keys() - {file.name for file in files}
            if not missing:
                return files, manifest
        raise Unavailable(
            f"{format_date_folder(table, day)}/hour=00/{min(missing)} of the lake at {self.storage.url} is "
            "gone; run: reelrank lake check",
            code="lake_damaged",
        )

    def _list_dates(self, table: str, from_: datetime, to: datetime) -> list[date]:
        first, last = from_.astimezone(UTC).date(), to.astimezone(UTC).date()
        names = self.storage.list_folders(table)
        found = (folder.date for name in names if (folder := parse_folder(f"{table}/{name}/hour=00")))
        return sorted(day for day in found if first <= day <= last)

    def _list_date(self, table: str, day: date) -> list[Partition]:
        files, manifest = self._find_committed(table, day)
        if not files:
            return []
        if manifest.revision:
            is_compacted = all(file.name in manifest.files for file in files)
            return [Partition(table, day, None, tuple(files), is_compacted)]
        by_hour = dict[int, list[StoredFile]]()
        for file in files:
            folder = parse_folder(file.folder) or Folder(table, day)
            by_hour.setdefault(folder.hour, []).append(file)
        if len(by_hour) == 1 and 0 in by_hour:
            return [Partition(table, day, None, tuple(files), False)]
        return [Partition(table, day, hour, tuple(part), False) for hour, part in sorted(by_hour.items())]


def open_lake(url: str) -> Lake:
    """Opens a lake to read: a directory or a URL that pyarrow.fs takes. Raises Unavailable."""
    return Lake(LakeStorage(url))


def _select_columns(schema: pa.Schema, columns: Sequence[str] | None, table: str) -> list[str]:
    if columns is None:
        return list(schema.names)
    if unknown := [name for name in columns if name not in schema.names]:
        raise BadRequest(
            f"{table} of the lake has no column {', '.join(unknown)}; it has {', '.join(schema.names)}",
            code="lake_column_unknown",
        )
    return list(columns)


def _select_times(batch: pa.RecordBatch, from_: datetime, to: datetime) -> pa.RecordBatch:
    begins = pc.greater_equal(batch["at_ms"], round(from_.timestamp() * 1000))
    return batch.filter(pc.and_(begins, pc.less(batch["at_ms"], round(to.timestamp() * 1000))))
