"""The rules of attribution as one SQL query, for any engine that has window functions.

DuckDB and Spark SQL both run it: equi-joins, `ROW_NUMBER`, `LAG` and sums over windows, CASE in place of
functions that differ between engines, no ASOF JOIN. The tables or views `requests`, `candidates` and `events`
must exist.
"""

from string import Template

from reelrank.index_mappings.event import DISLIKE_KINDS, LIKE_KINDS, OPINION_KINDS, EventKind
from reelrank.ranking.labels.attribution import (
    ACTION_KINDS,
    AttributionRules,
    AttributionSpan,
)

_EVENTS = """
WITH ranked_events AS (
    SELECT id, kind, user_key, item, request_id, position, play_id, started_ms, duration_ms, at_ms,
        CASE WHEN watched_ms < 0 THEN 0 ELSE watched_ms END AS watched_ms,
        CASE WHEN received_ms < at_ms THEN received_ms ELSE at_ms END AS when_ms,
        ROW_NUMBER() OVER (
            PARTITION BY id
            ORDER BY COALESCE(received_ms, at_ms), at_ms, kind, user_key, item, request_id, play_id,
                started_ms NULLS FIRST, watched_ms NULLS FIRST, duration_ms NULLS FIRST, position NULLS FIRST
        ) AS copy
    FROM events WHERE kind IN ($kinds) AND COALESCE(received_ms, at_ms) <= $as_of
),
timed_events AS (
    SELECT id, kind, user_key, item, request_id, position, play_id, started_ms, duration_ms, watched_ms,
        when_ms, at_ms - when_ms AS ahead_ms,
        CASE WHEN started_ms IS NULL THEN at_ms - COALESCE(watched_ms, 0)
            WHEN started_ms < at_ms THEN started_ms ELSE at_ms END AS began_ms
    FROM ranked_events
    WHERE copy = 1 AND item <> '' AND when_ms >= $events_from AND when_ms < $events_to
),"""

_PAGES = """
unplaced_viewers AS (
    SELECT DISTINCT user_key FROM timed_events WHERE request_id = '' AND user_key <> ''
),
ranked_requests AS (
    SELECT request_id, at_ms, user_key, surface,
        ROW_NUMBER() OVER (PARTITION BY request_id ORDER BY at_ms, user_key, surface) AS copy
    FROM requests WHERE at_ms >= $from AND at_ms < $pages_to AND at_ms <= $as_of
),
pages AS (
    SELECT request_id, at_ms, user_key, surface FROM ranked_requests
    WHERE copy = 1 AND (at_ms < $to OR user_key IN (SELECT user_key FROM unplaced_viewers))
),
shown_candidates AS (
    SELECT request_id, item, MIN(position) AS position FROM candidates
    WHERE shown AND request_id IN (SELECT request_id FROM pages) GROUP BY request_id, item
),
shown_items AS (
    SELECT p.request_id, p.at_ms, p.user_key, p.surface, c.item, c.position
    FROM pages p JOIN shown_candidates c ON c.request_id = p.request_id
),"""
"""Later pages can only take events without a request from pages of the span: others are left out."""

_PLAYS = """
watch_parts AS (
    SELECT id, user_key, item, position, play_id, watched_ms, began_ms, began_ms - ahead_ms AS start_ms,
        CASE WHEN duration_ms > 0 THEN duration_ms END AS duration_ms,
        CASE WHEN play_id = '' THEN started_ms END AS started_ms,
        CASE WHEN request_id = '' AND play_id <> ''
            THEN MAX(request_id) OVER (PARTITION BY user_key, item, play_id)
            ELSE request_id END AS request_id,
        CASE WHEN play_id <> '' THEN 'id' WHEN started_ms IS NOT NULL THEN 'start' ELSE 'guess' END AS told_by
    FROM timed_events WHERE kind = 'watch'
),
compared_parts AS (
    SELECT *, LAG(began_ms) OVER (
            PARTITION BY told_by, user_key, item, request_id, play_id, started_ms ORDER BY began_ms, id
        ) AS previous_ms
    FROM watch_parts
),
numbered_parts AS (
    SELECT *,
        SUM(CASE WHEN told_by = 'guess' AND began_ms > previous_ms + $same_play THEN 1 ELSE 0 END) OVER (
            PARTITION BY told_by, user_key, item, request_id, play_id, started_ms ORDER BY began_ms, id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS play
    FROM compared_parts
),
actions AS (
    SELECT kind, id, user_key, item, request_id, when_ms AS time_ms, position,
        CAST(NULL AS BIGINT) AS watched_ms, CAST(NULL AS BIGINT) AS duration_ms, $window AS window_ms
    FROM timed_events WHERE kind <> 'watch'
    UNION ALL
    SELECT 'watch' AS kind, MIN(id) AS id, user_key, item, request_id, MIN(start_ms) AS time_ms,
        MIN(position) AS position, MAX(watched_ms) AS watched_ms, MAX(duration_ms) AS duration_ms,
        $watch_window AS window_ms
    FROM numbered_parts GROUP BY told_by, user_key, item, request_id, play_id, started_ms, play
),"""

_MATCHES = """
guessed AS (
    SELECT a.kind, a.id, s.request_id, a.item, a.time_ms, a.position, a.watched_ms, a.duration_ms,
        ROW_NUMBER() OVER (PARTITION BY a.kind, a.id ORDER BY s.at_ms DESC, s.request_id DESC) AS latest
    FROM actions a JOIN shown_items s ON s.user_key = a.user_key AND s.item = a.item
    WHERE a.request_id = '' AND a.user_key <> ''
        AND s.at_ms <= a.time_ms AND a.time_ms <= s.at_ms + a.window_ms
),
matched AS (
    SELECT a.kind, a.id, s.request_id, a.item, a.position, a.watched_ms, a.duration_ms,
        CASE WHEN a.time_ms < s.at_ms THEN s.at_ms ELSE a.time_ms END AS time_ms
    FROM actions a JOIN shown_items s ON s.request_id = a.request_id AND s.item = a.item
    WHERE a.time_ms >= s.at_ms - $skew AND a.time_ms <= s.at_ms + a.window_ms
    UNION ALL
    SELECT kind, id, request_id, item, position, watched_ms, duration_ms, time_ms
    FROM guessed WHERE latest = 1
),
ordered AS (
    SELECT *,
        ROW_NUMBER() OVER (
            PARTITION BY request_id, item ORDER BY CASE WHEN kind = 'viewed' THEN 1 ELSE 0 END, time_ms, id
        ) AS first_rank,
        ROW_NUMBER() OVER (
            PARTITION BY request_id, item
            ORDER BY CASE WHEN kind IN ($opinions) THEN 0 ELSE 1 END, time_ms DESC, id
        ) AS opinion_rank
    FROM matched
),
followed AS (
    SELECT request_id, item,
$has_kinds,
        MAX(watched_ms) AS watched_ms, MAX(duration_ms) AS duration_ms,
        MAX(CASE WHEN opinion_rank = 1 AND kind IN ($likes) THEN 1 ELSE 0 END) AS liked,
        MAX(CASE WHEN opinion_rank = 1 AND kind IN ($dislikes) THEN 1 ELSE 0 END) AS disliked,
        MAX(CASE WHEN kind = 'viewed' THEN 0 ELSE 1 END) AS acted,
        MAX(CASE WHEN first_rank = 1 AND kind <> 'viewed' THEN kind END) AS first_event_kind,
        MAX(CASE WHEN first_rank = 1 AND kind <> 'viewed' THEN time_ms END) AS first_event_ms,
        MAX(CASE WHEN first_rank = 1 AND kind <> 'viewed' THEN position END) AS first_event_position
    FROM ordered GROUP BY request_id, item
),
reporting AS (SELECT DISTINCT request_id FROM matched WHERE kind = 'viewed'),"""

_RESULT = """
judged AS (
    SELECT s.request_id, s.user_key, s.surface, s.at_ms, s.item, s.position,
        v.request_id IS NULL OR f.has_viewed = 1 OR f.acted = 1 AS seen,
        v.request_id IS NOT NULL AS is_seen_known,
        COALESCE(f.has_watch, 0) = 1 AS played, COALESCE(f.liked, 0) = 1 AS liked,
        COALESCE(f.has_click, 0) = 1 AS clicked, COALESCE(f.disliked, 0) = 1 AS disliked,
        f.watched_ms, f.duration_ms,
        CASE WHEN f.watched_ms IS NULL THEN NULL
            WHEN f.duration_ms IS NULL AND f.watched_ms < $quick_skip_ms THEN CAST(0 AS DOUBLE)
            WHEN f.duration_ms IS NULL THEN NULL
            WHEN f.watched_ms >= f.duration_ms THEN CAST(1 AS DOUBLE)
            ELSE CAST(f.watched_ms AS DOUBLE) / CAST(f.duration_ms AS DOUBLE) END AS watched_share,
        TRIM(CONCAT($kind_names)) AS action_kinds,
        f.first_event_kind, f.first_event_ms, f.first_event_position
    FROM shown_items s
    LEFT JOIN followed f ON f.request_id = s.request_id AND f.item = s.item
    LEFT JOIN reporting v ON v.request_id = s.request_id
    WHERE s.at_ms >= $from AND s.at_ms < $to
)
SELECT request_id, user_key, surface, at_ms, item, position, COALESCE(seen, FALSE) AS seen, is_seen_known,
    clicked, played, COALESCE(seen, FALSE) AND NOT played AND at_ms + $watch_window <= $as_of AS missed,
    watched_ms, duration_ms, watched_share,
    COALESCE(watched_share >= CAST($completed AS DOUBLE), FALSE) AS completed,
    COALESCE(watched_share < CAST($quick_skip AS DOUBLE), FALSE) AS quick_skip,
    liked, disliked, action_kinds, first_event_kind, first_event_ms, first_event_position
FROM judged
"""
_ORDER = "ORDER BY request_id, position, item"

_QUERY = Template(_EVENTS + _PAGES + _PLAYS + _MATCHES + _RESULT)
_SORTED_QUERY = Template(_QUERY.template + _ORDER)


def build_attribution_sql(span: AttributionSpan, rules: AttributionRules, is_sorted: bool = True) -> str:
    """Builds the query whose result has the columns of ATTRIBUTION_SCHEMA, in its order of rows.

    is_sorted: False where the order does not matter: sorting is a quarter of the work.
    """
    query = _SORTED_QUERY if is_sorted else _QUERY
    first_ms, last_ms = span.within or (span.from_ms, span.to_ms)
    windows = " ".join(f"WHEN '{kind}' THEN {window}" for kind, window in rules.windows_ms.items())
    return query.substitute(
        {"from": span.from_ms},
        to=span.to_ms,
        as_of=span.as_of_ms,
        pages_to=last_ms + rules.look_ahead_ms,
        events_from=first_ms - rules.look_back_ms,
        events_to=last_ms + rules.look_ahead_ms,
        kinds=_list_kinds(tuple(rules.windows_ms)),
        opinions=_list_kinds(OPINION_KINDS),
        likes=_list_kinds(LIKE_KINDS),
        dislikes=_list_kinds(DISLIKE_KINDS),
        window=f"CAST(CASE kind {windows} END AS BIGINT)",
        watch_window=rules.windows_ms.get("watch", 0),
        same_play=rules.same_play_ms,
        skew=rules.clock_skew_ms,
        has_kinds=",\n".join(
            f"        MAX(CASE WHEN kind = '{kind}' THEN 1 ELSE 0 END) AS has_{kind}"
            for kind in ("viewed", *ACTION_KINDS)
        ),
        kind_names=", ".join(
            f"CASE WHEN f.has_{kind} = 1 THEN '{kind} ' ELSE '' END" for kind in ACTION_KINDS
        ),
        quick_skip=rules.quick_skip_share,
        quick_skip_ms=rules.quick_skip_ms,
        completed=rules.completed_share,
    )


def _list_kinds(kinds: tuple[EventKind, ...]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)
