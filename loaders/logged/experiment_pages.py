"""The pages of an experiment with their viewers, in DuckDB: what reading its log starts from."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from reelrank.index_mappings.decision import REQUEST_SCHEMA, REQUESTS
from reelrank.index_mappings.event import DAY_MS, HOUR_MS, MAX_TIME_MS, EventKind
from reelrank.loaders.lake.attribution import open_inputs
from reelrank.loaders.lake.merge import QueryLimits, connect_duckdb
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.experiment_sql import EXPOSED_PAGES, UNIT_PAGES, UNITS
from reelrank.ranking.labels.attribution import (
    ATTRIBUTED_CANDIDATE,
    PLAY_WINDOW_MS,
    WINDOWS_MS,
    AttributionRules,
    AttributionSpan,
)
from reelrank.ranking.labels.attribution_sql import build_attribution_sql

PAST_DAYS = 14
"""Days before the experiment that narrow its intervals."""
DAYS_AT_ONCE = 3
"""Dates of one query: each reads a day of look-ahead, too. Of 5 million events in 14 days, 7 at once took
42 CPU seconds, 3 took 36, and 1 took 44."""
RULES = AttributionRules({kind: WINDOWS_MS[kind] for kind in ("viewed", "click", "watch")})
"""No measure rests on opinions."""
PAGE_COLUMNS = ("request_id", "at_ms", "user_key", "session", "surface", "experiment", "variant")
CANDIDATE_COLUMNS = (*ATTRIBUTED_CANDIDATE, "team")
ALL_VIEWERS = "all"
"""The arm of all viewers where no experiment is named."""


@dataclass(frozen=True, slots=True)
class LogSpan:
    """What to read. experiment: empty for all pages of the span, as one arm. begin, end: of the pages.

    known_until: later pages and events are not known yet. arms: names, the control first. surfaces: that are
    left out. convert_kind, convert_hours: what a conversion is. past_days: read before `begin`, too.
    """

    experiment: str
    begin: datetime
    end: datetime
    known_until: datetime
    arms: tuple[str, ...] = (ALL_VIEWERS,)
    surfaces: tuple[str, ...] = ()
    convert_kind: EventKind = "like"
    convert_hours: float = 24.0
    past_days: int = PAST_DAYS
    limits: QueryLimits = field(default_factory=QueryLimits)

    @property
    def past_begin(self) -> datetime:
        return self.begin - timedelta(days=self.past_days)

    @property
    def settled(self) -> datetime:
        """Returns the end of the pages whose plays are known: younger ones are left out."""
        return min(self.end, self.known_until - timedelta(milliseconds=PLAY_WINDOW_MS))

    def to_parameters(self) -> dict[str, Any]:
        """Returns the values that the queries name. Times are ms since 1970."""
        begin, end, known = (to_ms(at) for at in (self.begin, self.settled, self.known_until))
        return {
            "experiment": self.experiment, "begin": begin, "end": end, "known": known,
            "surfaces": ["rank", *self.surfaces],
            "kind": self.convert_kind, "window": round(self.convert_hours * HOUR_MS), "day": DAY_MS,
        }  # fmt: skip


@contextmanager
def open_duckdb(limits: QueryLimits) -> Iterator[Any]:
    """Opens DuckDB; what does not fit into its memory spills into a temporary directory."""
    with (
        tempfile.TemporaryDirectory(prefix="reelrank-experiment-") as spill,
        connect_duckdb(replace(limits, spill_dir=limits.spill_dir or Path(spill))) as connection,
    ):
        yield connection


def create_units(connection: Any, lake: Lake, span: LogSpan, parameters: dict[str, Any]) -> None:
    """Finds the viewers of the experiment, numbers them, and keeps their pages."""
    end = min(span.known_until, span.end + timedelta(days=2))
    with stream_rows(lake, REQUESTS, (span.past_begin, end), PAGE_COLUMNS, REQUEST_SCHEMA) as pages:
        connection.register("lake_pages", pages)
        connection.execute(
            f"create table pages as {EXPOSED_PAGES}", select_parameters(parameters, EXPOSED_PAGES)
        )
        connection.unregister("lake_pages")
    connection.execute(f"create table units as {UNITS}", select_parameters(parameters, UNITS))
    connection.execute(f"create table unit_pages as {UNIT_PAGES}", select_parameters(parameters, UNIT_PAGES))
    connection.execute("drop table pages")


@contextmanager
def stream_rows(
    lake: Lake, table: str, times: tuple[datetime, datetime], columns: tuple[str, ...], schema: pa.Schema
) -> Iterator[pa.RecordBatchReader]:
    """Opens the rows of a table as a stream that DuckDB reads once."""
    selected = pa.schema([schema.field(name) for name in columns])
    batches = (batch.cast(selected) for batch in lake.scan(table, *times, columns))
    yield pa.RecordBatchReader.from_batches(selected, batches)


def group_dates(lake: Lake, span: LogSpan) -> list[tuple[date, date]]:
    """Returns the dates that have pages in groups of DAYS_AT_ONCE: first date, and the one after the last."""
    partitions = lake.list_partitions(REQUESTS, span.past_begin, span.settled)
    dates = sorted({partition.date for partition in partitions})
    groups = list[tuple[date, date]]()
    while dates:
        end = min(dates[0] + timedelta(days=DAYS_AT_ONCE), dates[-1] + timedelta(days=1))
        groups.append((dates[0], end))
        dates = [day for day in dates if day >= end]
    return groups


@contextmanager
def open_outcomes(
    connection: Any, lake: Lake, dates: tuple[date, date], known_ms: int
) -> Iterator[tuple[AttributionSpan, str]]:
    """Opens what followed the pages of the dates from the first to the one before the second.

    Yields their times and a query with one row for each shown item; `candidates` has the teams, too.
    """
    begin, end = (datetime.combine(day, datetime.min.time(), UTC) for day in dates)
    inputs = open_inputs(lake, begin, end, RULES, CANDIDATE_COLUMNS)
    tables = ("requests", "candidates", "events")
    for name in tables:
        connection.register(name, getattr(inputs, name))
    span = AttributionSpan(to_ms(begin), to_ms(end), known_ms)
    yield span, build_attribution_sql(span, RULES, is_sorted=False)
    for name in tables:
        connection.unregister(name)


def has_units(connection: Any) -> bool:
    return bool(connection.sql("select count(*) from units").fetchall()[0][0])


def select_parameters(parameters: dict[str, Any], query: str) -> dict[str, Any]:
    """Returns the parameters that a query names: DuckDB refuses others."""
    return {name: value for name, value in parameters.items() if f"${name}" in query}


def to_ms(at: datetime) -> int:
    return min(round(at.timestamp() * 1000), MAX_TIME_MS)
