"""Reads from the lake what the viewers of an experiment did: one row a viewer, day and surface, in columns.

DuckDB joins pages with what followed, date by date, by the rules of attribution; numpy gets the sums.
"""

from datetime import timedelta
from typing import Any

import numpy as np

from reelrank.index_mappings.decision import EVENTS, LAKE_EVENT_SCHEMA
from reelrank.index_mappings.event import DAY_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.experiment_pages import (
    LogSpan,
    create_units,
    group_dates,
    has_units,
    open_duckdb,
    open_outcomes,
    select_parameters,
    stream_rows,
)
from reelrank.loaders.logged.experiment_sql import (
    ADD_DAYS,
    CHOSEN_EVENTS,
    CONVERTED,
    build_facts_sql,
)
from reelrank.ranking.arrow_columns import to_array, to_floats, to_texts
from reelrank.ranking.experiments.measurement.outcomes import ACTIONS, ExperimentLog, ViewerDays
from reelrank.ranking.progress import Progress, ignore_progress

EVENT_COLUMNS = ("kind", "at_ms", "user_key", "request_id")
FACTS = ("converted", "convertible", "returned", "returnable")


def read_experiment_log(lake: Lake, span: LogSpan, progress: Progress = ignore_progress) -> ExperimentLog:
    """Reads pages, what followed them, and what the same viewers did in the days before.

    Memory: the pages of the span as rows of DuckDB, which spill where the limits name a place.
    """
    parameters = span.to_parameters()
    with open_duckdb(span.limits) as connection:
        create_units(connection, lake, span, parameters)
        connection.execute(_CREATE_DAYS)
        groups = group_dates(lake, span) if has_units(connection) else []
        for number, dates in enumerate(groups, 1):
            with open_outcomes(connection, lake, dates, parameters["known"]) as (times, outcomes):
                known = {"day": DAY_MS, "from": times.from_ms, "to": times.to_ms}
                connection.execute(ADD_DAYS.replace("$outcomes", outcomes), known)
            progress("parts of the experiment", number, len(groups))
        _find_converted(connection, lake, span, parameters)
        return _collect(connection, span, parameters)


_CREATE_DAYS = (
    "create table viewer_days (code bigint, day bigint, surface varchar, is_past boolean, "
    + ", ".join(f"{name} double" for name in ACTIONS)
    + ")"
)


def _find_converted(connection: Any, lake: Lake, span: LogSpan, parameters: dict[str, Any]) -> None:
    end = min(span.known_until, span.end + timedelta(hours=span.convert_hours))
    with stream_rows(lake, EVENTS, (span.begin, end), EVENT_COLUMNS, LAKE_EVENT_SCHEMA) as events:
        connection.register("lake_events", events)
        connection.execute(f"create table chosen_events as {CHOSEN_EVENTS}", {"kind": span.convert_kind})
        connection.unregister("lake_events")
    connection.execute(f"create table converted as {CONVERTED}", select_parameters(parameters, CONVERTED))


def _collect(connection: Any, span: LogSpan, parameters: dict[str, Any]) -> ExperimentLog:
    query = build_facts_sql()
    viewers = connection.sql(query, params=select_parameters(parameters, query)).to_arrow_table()
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
