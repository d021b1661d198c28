"""The queries of an experiment's log, in DuckDB's SQL. `experiment_log.py` says what runs when."""

from reelrank.ranking.experiments.measurement.outcomes import ACTIONS

EXPOSED_PAGES = """
select request_id, at_ms, surface, unit,
    case when $experiment = '' then 'all' else coalesce(arm, '') end as variant
from (
    select request_id, at_ms, surface,
        case when user_key <> '' then user_key else session end as unit,
        list_extract(
            string_split(variant, ' '), list_position(string_split(experiment, ' '), $experiment)
        ) as arm
    from lake_pages where surface not in (select unnest($surfaces))
) where unit <> ''"""
"""Pages with their viewer or session, and their arm; empty for pages that are not in the experiment."""
UNITS = """
select unit, row_number() over (order by unit) - 1 as code, variant, arms > 1 as has_crossed, first_ms
from (
    select unit, arg_min(variant, at_ms) as variant, count(distinct variant) as arms, min(at_ms) as first_ms
    from pages where variant <> '' and at_ms >= $begin and at_ms < $end group by unit
)"""
UNIT_PAGES = """
select p.request_id, u.code, p.at_ms, p.surface, p.at_ms < $begin as is_past,
    p.at_ms < $begin or (p.variant <> '' and p.at_ms < $end) as counts
from pages p join units u on u.unit = p.unit"""
"""counts: whether what followed is measured; a page after the end only says that its viewer came back."""
ADD_DAYS = """
insert into viewer_days
select p.code, p.at_ms // $day, p.surface, p.is_past, count(distinct p.request_id),
    sum(case when a.seen then 1 else 0 end),
    sum(case when a.seen and (a.clicked or a.played) then 1 else 0 end),
    sum(case when a.played then 1 else 0 end),
    sum(case when a.completed then 1 else 0 end),
    coalesce(sum(a.watched_ms), 0) / 1000
from unit_pages p left join ($outcomes) a on a.request_id = p.request_id
where p.counts and p.at_ms >= $from and p.at_ms < $to
group by 1, 2, 3, 4"""
CHOSEN_EVENTS = "select user_key, request_id, at_ms from lake_events where kind = $kind"
CONVERTED = """
select u.code from chosen_events e join units u on u.unit = e.user_key
where e.at_ms >= u.first_ms and e.at_ms <= u.first_ms + $window
union
select u.code
from chosen_events e join unit_pages p on p.request_id = e.request_id join units u on u.code = p.code
where e.at_ms >= u.first_ms and e.at_ms <= u.first_ms + $window"""
"""Viewers with an event of the kind in the window from their first page on, of theirs or of their pages."""


def build_facts_sql() -> str:
    """Builds the query of one row a viewer: arm, facts, and totals of the days before."""
    past = ", ".join(f"coalesce(p.{name}, 0) as past_{name}" for name in ACTIONS)
    sums = ", ".join(f"sum({name}) as {name}" for name in ACTIONS)
    return f"""
with past as (select code, {sums} from viewer_days where is_past group by code),
returned as (
    select distinct p.code from unit_pages p join units u on u.code = p.code
    where p.at_ms // $day = u.first_ms // $day + 1
)
select u.variant, u.has_crossed, {past},
    case when c.code is null then 0.0 else 1.0 end as converted,
    case when u.first_ms + $window <= $known then 1.0 else 0.0 end as convertible,
    case when r.code is null then 0.0 else 1.0 end as returned,
    case when (u.first_ms // $day + 2) * $day <= $known then 1.0 else 0.0 end as returnable
from units u left join past p on p.code = u.code left join converted c on c.code = u.code
    left join returned r on r.code = u.code
order by u.code"""
