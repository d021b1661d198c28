"""Reads training rows of logged pages hour by hour: from the cache where nothing has changed, else built.

Two checks decide, the cheap one first. If the names of all files that a date depends on are those of the last
run, nothing is read but the cached rows. Else the date is attributed again, and those hours are built again
whose requests or outcomes are not the same: an event that comes later changes the hour of its page only, and
compaction changes none.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.loaders.lake.attribution import DatePart, cut_date
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.loaders.logged.date_build import DateBuild, RowOptions
from reelrank.loaders.logged.row_cache import CachedHour, RowCache, read_rows
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.training.logged_rows import ROWS_VERSION

DAY = timedelta(days=1)


def name_config(options: RowOptions) -> str:
    """Returns the name of the cached rows that these options make: a hash of all but the log."""
    parts = (ROWS_VERSION, compute_feature_fingerprint(options.features), options.group_size)
    return hashlib.sha256(repr((*parts, options.reading.rules)).encode()).hexdigest()[:16]


class RowReader:
    """Reads rows of `build_row_schema`. hours, cached_hours: that were read, and those of them not built.

    A request is whole within a batch. Memory is bounded by one part of a partition, one hour as it is
    cached, the requests of one date, and one query of DuckDB.
    """

    def __init__(self, lake: Lake, cache: RowCache, options: RowOptions) -> None:
        self.hours = self.cached_hours = 0
        self._lake, self._cache, self._options = lake, cache, options

    def read(self, from_: datetime, to: datetime) -> Iterator[pa.RecordBatch]:
        """Yields the rows of requests with from_ <= time < to, the hours in the order of time."""
        self._cache.open()
        tables = {table: self._list_partitions(table, from_, to) for table in (REQUESTS, CANDIDATES, EVENTS)}
        for day in sorted({partition.date for partition in tables[CANDIDATES]}):
            begin = datetime.combine(day, time(), UTC)
            if not from_ - DAY < begin < to:
                continue
            inputs = _hash_inputs(tables, begin, self._options)
            part = cut_date(day, from_, to)
            with self._cache.open_scratch() as scratch:
                build = DateBuild(self._lake, part, self._options, scratch)
                for rows in self._read_part(part, inputs, build):
                    yield _select_times(rows, from_, to)

    def _list_partitions(self, table: str, from_: datetime, to: datetime) -> list[Partition]:
        rules = self._options.reading.rules
        since = from_ - DAY - timedelta(milliseconds=rules.look_back_ms)
        until = to + DAY + timedelta(milliseconds=rules.look_ahead_ms)
        return self._lake.list_partitions(table, since, until)

    def _read_part(self, part: DatePart, inputs: str, build: DateBuild) -> Iterator[pa.RecordBatch]:
        known = self._find_hours(part, inputs, build)
        stale = {hour for hour, entry in known.items() if not entry.file}
        unkept = self._build(part, known, stale, build)
        for hour in known:
            batches = self._cache.read_hour(known[hour])
            if batches is None and hour not in stale:
                stale.add(hour)
                unkept |= self._build(part, known, {hour}, build)
                batches = self._cache.read_hour(known[hour])
            self.hours += 1
            self.cached_hours += hour not in stale
            yield from batches or (read_rows(unkept[hour]) if hour in unkept else ())

    def _find_hours(self, part: DatePart, inputs: str, build: DateBuild) -> dict[int, CachedHour]:
        """Returns what is known of the hours that have requests, as of these inputs.

        Rows of an hour whose content has changed are not named any more.
        """
        hours = range(part.first_hour, part.end_hour)
        known = {hour: self._cache.find_hour(part.day, hour) for hour in hours}
        if any(entry.inputs != inputs for entry in known.values()):
            contents = build.hash_contents()
            for hour, entry in known.items():
                content = contents.get(hour, "")
                file = entry.file if entry.content == content else ""
                self._keep(part, known, hour, CachedHour(inputs, content, file))
        return {hour: entry for hour, entry in known.items() if entry.content}

    def _build(
        self, part: DatePart, known: dict[int, CachedHour], stale: set[int], build: DateBuild
    ) -> dict[int, Path]:
        """Builds hours and keeps them; `known` has them afterwards. Returns the files that are not kept."""
        unkept = dict[int, Path]()
        for hour, path in (build.build(stale) if stale else {}).items():
            file = self._cache.keep(path, part.day, hour)
            if file is None:
                unkept[hour] = path
            self._keep(part, known, hour, replace(known[hour], file=file or ""))
        return unkept

    def _keep(self, part: DatePart, known: dict[int, CachedHour], hour: int, entry: CachedHour) -> None:
        """Notes what is known of an hour now, here and in the cache."""
        if known[hour] != entry:
            self._cache.write_hour(part.day, hour, entry)
        known[hour] = entry


def _hash_inputs(tables: dict[str, list[Partition]], begin: datetime, options: RowOptions) -> str:
    """Returns a hash of the files that the rows of a date depend on."""
    rules = options.reading.rules
    until = begin + DAY + timedelta(milliseconds=rules.look_ahead_ms)
    since = {EVENTS: begin - timedelta(milliseconds=rules.look_back_ms)}
    revisions = [
        f"{table} {partition.date} {partition.hour} {partition.revision}"
        for table, partitions in tables.items()
        for partition in partitions
        if partition.begin < until and since.get(table, begin) < partition.end
    ]
    return hashlib.sha256("\n".join(revisions).encode()).hexdigest()[:32]


def _select_times(rows: pa.RecordBatch, from_: datetime, to: datetime) -> pa.RecordBatch:
    first, last = (round(at.timestamp() * 1000) for at in (from_, to))
    at_ms = rows["at_ms"]
    bounds = pc.min_max(at_ms).as_py()
    if not rows.num_rows or (first <= bounds["min"] and bounds["max"] < last):
        return rows
    return rows.filter(pc.and_(pc.greater_equal(at_ms, first), pc.less(at_ms, last)))
