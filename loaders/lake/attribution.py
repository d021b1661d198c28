"""Attribution of one span of pages by DuckDB: the lake's tables in, one row for each shown item out."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.dataset as ds

from reelrank.index_mappings.decision import (
    CANDIDATE_SCHEMA,
    CANDIDATES,
    EVENTS,
    LAKE_EVENT_SCHEMA,
    REQUEST_SCHEMA,
    REQUESTS,
)
from reelrank.index_mappings.event import HOUR_MS
from reelrank.loaders.lake.merge import BATCH_ROWS, QueryLimits, connect_duckdb
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.labels.attribution import (
    ATTRIBUTED_CANDIDATE,
    ATTRIBUTED_EVENT,
    ATTRIBUTED_REQUEST,
    ATTRIBUTION_SCHEMA,
    AttributionRules,
    AttributionSpan,
)
from reelrank.ranking.labels.attribution_sql import build_attribution_sql

DEFAULT_RULES, DEFAULT_LIMITS = AttributionRules(), QueryLimits()
HOURS, HOUR = 24, timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DatePart:
    """The hours from first_hour to the one before end_hour of a date in UTC; by default all of them."""

    day: date
    first_hour: int = 0
    end_hour: int = HOURS

    @property
    def begin(self) -> datetime:
        return self._find_time(self.first_hour)

    @property
    def end(self) -> datetime:
        return self._find_time(self.end_hour)

    def build_span(self, as_of_ms: int) -> AttributionSpan:
        """Builds the span of its pages, which sees the events around the whole date."""
        bounds = (self.begin, self.end, self._find_time(0), self._find_time(HOURS))
        first, last, *whole = (round(at.timestamp() * 1000) for at in bounds)
        return AttributionSpan(first, last, as_of_ms, (whole[0], whole[1]))

    def _find_time(self, hour: int) -> datetime:
        return datetime.combine(self.day, time(), UTC) + HOUR * hour


def cut_date(day: date, from_: datetime, to: datetime) -> DatePart:
    """Returns the hours of a date that have some of the time from_ <= t < to, which must be in that date."""
    midnight = DatePart(day).begin
    first = max((from_ - midnight) // HOUR, 0)
    return DatePart(day, first, min(-((midnight - to) // HOUR), HOURS))


@dataclass(frozen=True, slots=True)
class AttributionInputs:
    """The tables of the lake that attribution reads, with at least the columns that `attribution.py` names.

    They must hold the pages from the span's begin to its end and the look-ahead, and the events from the
    look-back before the span to the look-ahead after it; other rows are ignored.
    """

    requests: pa.Table | ds.Dataset
    candidates: pa.Table | ds.Dataset
    events: pa.Table | ds.Dataset


@contextmanager
def attribute(
    inputs: AttributionInputs,
    span: AttributionSpan,
    rules: AttributionRules,
    limits: QueryLimits = DEFAULT_LIMITS,
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Opens the batches of the result: ATTRIBUTION_SCHEMA, in the order of (request_id, position, item)."""
    with connect_duckdb(limits) as connection:
        for name in ("requests", "candidates", "events"):
            connection.register(name, getattr(inputs, name))
        reader = connection.sql(build_attribution_sql(span, rules)).to_arrow_reader(BATCH_ROWS)
        yield (batch.cast(ATTRIBUTION_SCHEMA) for batch in reader)


@contextmanager
def attribute_part(
    lake: Lake,
    part: DatePart,
    as_of_ms: int,
    rules: AttributionRules = DEFAULT_RULES,
    limits: QueryLimits = DEFAULT_LIMITS,
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Opens the result for the pages of one date in UTC, or of some hours of it, as known at `as_of_ms`.

    It reads the look-ahead after the date, too: what follows a page just before midnight comes after it. An
    event of a clock that is ahead by more than the look-ahead lies under another date and is not found. The
    parts of a date have together the rows of the whole date.
    """
    day = DatePart(part.day)
    inputs = open_inputs(lake, day.begin, day.end, rules)
    with attribute(inputs, part.build_span(as_of_ms), rules, limits) as batches:
        yield batches


def open_inputs(
    lake: Lake,
    begin: datetime,
    end: datetime,
    rules: AttributionRules,
    candidate_columns: Sequence[str] = ATTRIBUTED_CANDIDATE,
) -> AttributionInputs:
    """Opens what attribution reads for the pages of [begin, end), with look-back and look-ahead."""
    until = end + timedelta(milliseconds=rules.look_ahead_ms)
    since = begin - timedelta(milliseconds=rules.look_back_ms)
    return AttributionInputs(
        _open_table(lake, REQUESTS, (begin, until), REQUEST_SCHEMA, ATTRIBUTED_REQUEST),
        _open_table(lake, CANDIDATES, (begin, until), CANDIDATE_SCHEMA, candidate_columns),
        _open_table(lake, EVENTS, (since, until), LAKE_EVENT_SCHEMA, ATTRIBUTED_EVENT),
    )


def _open_table(
    lake: Lake, table: str, times: tuple[datetime, datetime], schema: pa.Schema, columns: Sequence[str]
) -> pa.Table | ds.Dataset:
    """Opens some columns of the files that count. A row may be in two of them: the query takes it once."""
    selected = pa.schema([schema.field(name) for name in columns])
    files = [file.path for partition in lake.list_partitions(table, *times) for file in partition.files]
    if not files:
        return selected.empty_table()
    paths = [f"{lake.storage.root}/{path}" for path in files]
    return ds.dataset(paths, schema=selected, format="parquet", filesystem=lake.storage.system)


def attribute_whole(
    inputs: AttributionInputs, span: AttributionSpan, rules: AttributionRules = DEFAULT_RULES
) -> pa.Table:
    """Returns the whole result as one table; for spans that fit in memory."""
    with attribute(inputs, span, rules) as batches:
        return pa.Table.from_batches(batches, ATTRIBUTION_SCHEMA)


def hash_hours(tables: Sequence[pa.Table | ds.Dataset]) -> dict[int, str]:
    """Returns a text for each hour since 1970 that has rows, which changes when any of its rows does.

    Each table has `at_ms`; the order of rows and how they are cut into files do not matter.
    """
    parts = dict[int, list[str]]()
    with connect_duckdb(DEFAULT_LIMITS) as connection:
        for number, table in enumerate(tables):
            connection.register("hashed", table)
            columns = ", ".join(f'"{name}"' for name in table.schema.names)
            query = f"""select at_ms // {HOUR_MS}, count(*), bit_xor(value), sum(value::hugeint)::varchar
                from (select at_ms, hash({columns}) as value from hashed) group by 1"""
            for hour, *figures in connection.sql(query).fetchall():
                parts.setdefault(int(hour), []).append(f"{number}: {figures}")
    return {hour: hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32] for hour, texts in parts.items()}
