"""Reads from the lake what viewers used on interleaved pages, by the team that showed it."""

from dataclasses import replace

import numpy as np

from reelrank.index_mappings.event import DAY_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.experiment_pages import (
    LogSpan,
    create_units,
    group_dates,
    has_units,
    open_duckdb,
    open_outcomes,
)
from reelrank.ranking.arrow_columns import to_array, to_floats
from reelrank.ranking.experiments.measurement.interleaving import TEAM_TOTALS, InterleavingLog
from reelrank.ranking.progress import Progress, ignore_progress

TEAMS = ("first", "second")
_CREATE_DAYS = "create table team_days (code bigint, day bigint, pages double, {columns})"
_ADD_DAYS = """
insert into team_days
with teams as (select distinct request_id, item, team from candidates where shown and team is not null),
pages as (
    select p.code, p.at_ms // $day as day, p.request_id,
        count(*) filter (t.team = $first) as shown_first,
        count(*) filter (t.team = $second) as shown_second,
        count(*) filter (t.team = $first and (a.clicked or a.played)) as used_first,
        count(*) filter (t.team = $second and (a.clicked or a.played)) as used_second,
        coalesce(sum(a.watched_ms) filter (t.team = $first), 0) / 1000 as watched_s_first,
        coalesce(sum(a.watched_ms) filter (t.team = $second), 0) / 1000 as watched_s_second
    from unit_pages p join teams t on t.request_id = p.request_id
        left join ($outcomes) a on a.request_id = t.request_id and a.item = t.item
    where p.counts and not p.is_past and p.at_ms >= $from and p.at_ms < $to
    group by 1, 2, 3
)
select code, day, count(*), sum(shown_first), sum(shown_second), sum(used_first), sum(used_second),
    sum(watched_s_first), sum(watched_s_second),
    count(*) filter (used_first > used_second), count(*) filter (used_second > used_first)
from pages group by 1, 2"""


def read_interleaving_log(lake: Lake, span: LogSpan, progress: Progress = ignore_progress) -> InterleavingLog:
    """Reads the interleaved pages of the span, and what followed them by the rules of attribution.

    No days before: a viewer's pages have both arms, so no past narrows what they prefer.
    """
    span = replace(span, past_days=0)
    parameters = span.to_parameters()
    columns = ", ".join(f"{name}_{team} double" for name in TEAM_TOTALS for team in TEAMS)
    with open_duckdb(span.limits) as connection:
        create_units(connection, lake, span, parameters)
        connection.execute(_CREATE_DAYS.format(columns=columns))
        groups = group_dates(lake, span) if has_units(connection) else []
        for number, dates in enumerate(groups, 1):
            with open_outcomes(connection, lake, dates, parameters["known"]) as (times, outcomes):
                known = {"day": DAY_MS, "from": times.from_ms, "to": times.to_ms}
                query = _ADD_DAYS.replace("$outcomes", outcomes)
                connection.execute(query, {**known, "first": span.arms[0], "second": span.arms[1]})
            progress("parts of the experiment", number, len(groups))
        rows = connection.sql("select * from team_days order by code, day").to_arrow_table()
    totals = {
        name: np.stack([to_floats(rows[f"{name}_{team}"]) for team in TEAMS], axis=1) for name in TEAM_TOTALS
    }
    viewer, day = (to_array(rows[name], np.int64) for name in ("code", "day"))
    return InterleavingLog(viewer, day, to_floats(rows["pages"]), totals)
