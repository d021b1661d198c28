"""Reads from the lake what the viewers of an experiment did: one row a viewer, day and surface, in columns.

DuckDB joins pages with what followed, date by date, by the rules of attribution; numpy gets the sums.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.decision import EVENTS, LAKE_EVENT_SCHEMA, REQUEST_SCHEMA, REQUESTS
from reelrank.index_mappings.event import DAY_MS, HOUR_MS, MAX_TIME_MS, EventKind
from reelrank.loaders.lake.attribution import open_inputs
from reelrank.loaders.lake.merge import QueryLimits, connect_duckdb
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.experiment_sql import (
    ADD_DAYS,
    CHOSEN_EVENTS,
    CONVERTED,
    EXPOSED_PAGES,
    UNIT_PAGES,
    UNITS,
    build_facts_sql,
)
from reelrank.ranking.arrow_columns import to_array, to_floats, to_texts
from reelrank.ranking.experiments.measurement.outcomes import ACTIONS, ExperimentLog, ViewerDays
from reelrank.ranking.labels.attribution import (
    PLAY_WINDOW_MS,
    WINDOWS_MS,
    AttributionRules,
    AttributionSpan,
)
from reelrank.ranking.labels.attribution_sql import build_attribution_sql
from reelrank.ranking.progress import Progress, ignore_progress

PAST_DAYS = 14
"""Days before the experiment that narrow its intervals."""
DAYS_AT_ONCE = 7
"""Dates of one query: each reads a day of look-ahead, too."""
RULES = AttributionRules({kind: WINDOWS_MS[kind] for kind in ("viewed", "click", "watch")})
"""No measure rests on opinions."""
PAGE_COLUMNS = ("request_id", "at_ms", "user_key", "session", "surface", "experiment", "variant")
EVENT_COLUMNS = ("kind", "at_ms", "user_key", "request_id")
FACTS = ("converted", "convertible", "returned", "returnable")
ALL_VIEWERS = "all"
"""The arm of all viewers where no experiment is named."""


@dataclass(frozen=True, slots=True)
class LogSpan:
    """What to read. experiment: empty for all pages of the span, as one arm. begin, end: of the pages.

    known_until: later pages and events are not known yet. arms: names, the control first. surfaces: that are
    left out. convert_kind, convert_hours: what a conversion is.
    """

    experiment: str
    begin: datetime
    end: datetime
    known_until: datetime
    arms: tuple[str, ...] = (ALL_VIEWERS,)
    surfaces: tuple[str, ...] = ()
    convert_kind: EventKind = "like"
    convert_hours: float = 24.0
    limits: QueryLimits = field(default_factory=QueryLimits)

    @property
    def settled(self) -> datetime:
        """Returns the end of the pages whose plays are known: younger ones are left out."""
        return min(self.end, self.known_until - timedelta(milliseconds=PLAY_WINDOW_MS))

    def to_parameters(self) -> dict[str, Any]:
        """Returns the values that the queries name. Times are ms since 1970."""
        begin, end, known = (_to_ms(at) for at in (self.begin, self.settled, self.known_until))
        return {
            "experiment": self.experiment, "begin": begin, "end": end, "known": known,
            "past": begin - PAST_DAYS * DAY_MS, "surfaces": ["rank", *self.surfaces],
            "kind": self.convert_kind, "window": round(self.convert_hours * HOUR_MS), "day": DAY_MS,
        }  # fmt: skip


def read_experiment_log(lake: Lake, span: LogSpan, progress: Progress = ignore_progress) -> ExperimentLog:
    """Reads pages, what followed them, and what the same viewers did in the PAST_DAYS days before.

    Memory: the pages of the span as rows of DuckDB, which spill where the limits name a place.
    """
    parameters = span.to_parameters()
    with _connect(span.limits) as connection:
        _create_units(connection, lake, span, parameters)
        connection.execute(_CREATE_DAYS)
        dates = _list_dates(lake, span) if _has_units(connection) else []
        while dates:
            end = min(dates[0] + timedelta(days=DAYS_AT_ONCE), dates[-1] + timedelta(days=1))
            _add_dates(connection, lake, (dates[0], end), parameters)
            dates = [day for day in dates if day >= end]
            progress("days of the experiment that are left", len(dates), None)
        _find_converted(connection, lake, span, parameters)
        return _collect(connection, span, parameters)


@contextmanager
def _connect(limits: QueryLimits) -> Iterator[Any]:
    """Opens DuckDB; what does not fit into its memory spills into a temporary directory."""
    with (
        tempfile.TemporaryDirectory(prefix="reelrank-experiment-") as spill,
        connect_duckdb(replace(limits, spill_dir=limits.spill_dir or Path(spill))) as connection,
    ):
        yield connection


_CREATE_DAYS = (
    "create table viewer_days (code bigint, day bigint, surface varchar, is_past boolean, "
    + ", ".join(f"{name} double" for name in ACTIONS)
    + ")"
)


def _create_units(connection: Any, lake: Lake, span: LogSpan, parameters: dict[str, Any]) -> None:
    """Finds the viewers of the experiment, numbers them, and keeps their pages."""
    begin = span.begin - timedelta(days=PAST_DAYS)
    end = min(span.known_until, span.end + timedelta(days=2))
    with _stream(lake, REQUESTS, (begin, end), PAGE_COLUMNS, REQUEST_SCHEMA) as pages:
        connection.register("lake_pages", pages)
        connection.execute(f"create table pages as {EXPOSED_PAGES}", _select(parameters, EXPOSED_PAGES))
        connection.unregister("lake_pages")
    connection.execute(f"create table units as {UNITS}", _select(parameters, UNITS))
    connection.execute(f"create table unit_pages as {UNIT_PAGES}", _select(parameters, UNIT_PAGES))
    connection.execute("drop table pages")


def _add_dates(connection: Any, lake: Lake, dates: tuple[date, date], parameters: dict[str, Any]) -> None:
    """Adds what followed the pages of the dates from the first to the one before the second."""
    begin, end = (datetime.combine(day, datetime.min.time(), UTC) for day in dates)
    inputs = open_inputs(lake, begin, end, RULES)
    for name in ("requests", "candidates", "events"):
        connection.register(name, getattr(inputs, name))
    span = AttributionSpan(_to_ms(begin), _to_ms(end), parameters["known"])
    query = ADD_DAYS.replace("$outcomes", build_attribution_sql(span, RULES, is_sorted=False))
    connection.execute(query, {"day": DAY_MS, "from": span.from_ms, "to": span.to_ms})
    for name in ("requests", "candidates", "events"):
        connection.unregister(name)


def _find_converted(connection: Any, lake: Lake, span: LogSpan, parameters: dict[str, Any]) -> None:
    end = min(span.known_until, span.end + timedelta(hours=span.convert_hours))
    with _stream(lake, EVENTS, (span.begin, end), EVENT_COLUMNS, LAKE_EVENT_SCHEMA) as events:
        connection.register("lake_events", events)
        connection.execute(f"create table chosen_events as {CHOSEN_EVENTS}", {"kind": span.convert_kind})
        connection.unregister("lake_events")
    connection.execute(f"create table converted as {CONVERTED}", _select(parameters, CONVERTED))


def _collect(connection: Any, span: LogSpan, parameters: dict[str, Any]) -> ExperimentLog:
    query = build_facts_sql()
    viewers = connection.sql(query, params=_select(parameters, query)).to_arrow_table()
    names = to_texts(viewers["variant"])
    arms = np.full(len(viewers), -1, np.int64)
    for index, name in enumerate(span.arms):
        arms[names == name] = index
    rows = connection.sql("select * from viewer_days where not is_past order by code, day, surface")
    rows = rows.to_arrow_table()
    columns = {name: to_floats(rows[name]) for name in ACTIONS}
    days = ViewerDays(
        to_array(rows["code"], np.int64), to_array(rows["day"], np.int64), to_texts(rows["surface"]), columns
    )
    facts = {name: to_floats(viewers[name]) for name in FACTS}
    past = {name: to_floats(viewers[f"past_{name}"]) for name in ACTIONS}
    crossed = to_array(viewers["has_crossed"], np.bool_)
    log = ExperimentLog(arms, past["pages"] == 0, facts, past, days, int(crossed.sum()))
    return log.select((arms >= 0) & ~crossed)


@contextmanager
def _stream(
    lake: Lake, table: str, times: tuple[datetime, datetime], columns: tuple[str, ...], schema: pa.Schema
) -> Iterator[pa.RecordBatchReader]:
    """Opens the rows of a table as a stream that DuckDB reads once."""
    selected = pa.schema([schema.field(name) for name in columns])
    batches = (batch.cast(selected) for batch in lake.scan(table, *times, columns))
    yield pa.RecordBatchReader.from_batches(selected, batches)


def _list_dates(lake: Lake, span: LogSpan) -> list[date]:
    """Returns the dates that have pages."""
    partitions = lake.list_partitions(REQUESTS, span.begin - timedelta(days=PAST_DAYS), span.settled)
    return sorted({partition.date for partition in partitions})


def _has_units(connection: Any) -> bool:
    return bool(connection.sql("select count(*) from units").fetchall()[0][0])


def _select(parameters: dict[str, Any], query: str) -> dict[str, Any]:
    """Returns the parameters that a query names: DuckDB refuses others."""
    return {name: value for name, value in parameters.items() if f"${name}" in query}


def _to_ms(at: datetime) -> int:
    return min(round(at.timestamp() * 1000), MAX_TIME_MS)
