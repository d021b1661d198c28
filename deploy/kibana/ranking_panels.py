"""Panels of the ranking dashboard: how rankings do."""

from deploy.kibana.charts import (
    MINUTE_TRANSFORMS,
    RATE_TRANSFORMS,
    build_band_chart,
    build_chart,
    encode_category,
    encode_day,
    encode_number,
)
from deploy.kibana.panel import (
    DAY_SOURCE,
    EVENTS,
    IMPRESSIONS,
    REQUESTS,
    Panel,
    aggregate_by_day,
    aggregate_by_keys,
    aggregate_by_term,
)

MODEL_SOURCE = {"terms": {"field": "model"}}
WATCH_FROM_PAGE = {"bool": {"must": [{"term": {"kind": "watch"}}, {"exists": {"field": "position"}}]}}
COUNTS_BY_KIND = {kind: {"filter": {"term": {"kind": kind}}} for kind in ("impression", "click", "watch")}
"""Separate counts: a viewer may click and watch one impression, so they must not be added up."""
WATCHED_TIME = {"impression": COUNTS_BY_KIND["impression"], "watched": {"sum": {"field": "watched_ms"}}}
MAX_POSITIONS = 100


def _build_rates_panel(field: str, title: str) -> Panel:
    return Panel(
        f"ranking-{field}-rates",
        title,
        "ranking",
        IMPRESSIONS,
        aggregate_by_term(field) | {"aggs": COUNTS_BY_KIND},
        build_chart(
            {"type": "point", "filled": True, "size": 80},
            encode_number("rate", "rate"),
            encode_category("key", title.rpartition(" ")[2]),
            color=encode_category("action", "action", None),
            transform=RATE_TRANSFORMS,
        ),
    )


RANKING_PANELS: tuple[Panel, ...] = (
    Panel(
        "ranking-models",
        "Pages per day by model",
        "ranking",
        REQUESTS,
        aggregate_by_keys(day=DAY_SOURCE, model=MODEL_SOURCE),
        build_chart(
            {"type": "bar"},
            encode_day("key.day"),
            encode_number("doc_count", "pages"),
            color=encode_category("key.model", "model", None),
        ),
    ),
    Panel(
        "ranking-sources",
        "Pages with a shown item of a source",
        "ranking",
        REQUESTS,
        aggregate_by_term("sources"),
        build_chart({"type": "bar"}, encode_number("doc_count", "pages"), encode_category("key", "source")),
    ),
    Panel(
        "ranking-positions",
        "Clicks and watches per impression by position",
        "ranking",
        IMPRESSIONS,
        {
            "terms": {"field": "position", "size": MAX_POSITIONS, "order": {"_key": "asc"}},
            "aggs": COUNTS_BY_KIND,
        },
        build_chart(
            {"type": "line", "point": True},
            encode_number("key", "position"),
            encode_number("rate", "rate"),
            color=encode_category("action", "action", None),
            transform=RATE_TRANSFORMS,
        ),
    ),
    _build_rates_panel("model", "Clicks and watches per impression by model"),
    _build_rates_panel("sources", "Clicks and watches per impression by source"),
    Panel(
        "ranking-model-minutes",
        "Minutes watched per impression by day and model",
        "ranking",
        IMPRESSIONS,
        aggregate_by_keys(day=DAY_SOURCE, model=MODEL_SOURCE) | {"aggs": WATCHED_TIME},
        build_chart(
            {"type": "line", "point": True},
            encode_day("key.day"),
            encode_number("minutes", "minutes"),
            color=encode_category("key.model", "model", None),
            transform=MINUTE_TRANSFORMS,
        ),
    ),
    Panel(
        "ranking-source-minutes",
        "Minutes watched per impression by source",
        "ranking",
        IMPRESSIONS,
        aggregate_by_term("sources") | {"aggs": WATCHED_TIME},
        build_chart(
            {"type": "bar"},
            encode_number("minutes", "minutes"),
            encode_category("key", "source"),
            transform=MINUTE_TRANSFORMS,
        ),
    ),
    Panel(
        "ranking-scores",
        "Scores of shown items per day by model: median and the middle 80 %",
        "ranking",
        IMPRESSIONS,
        aggregate_by_keys(day=DAY_SOURCE, model=MODEL_SOURCE)
        | {"aggs": {"score": {"percentiles": {"field": "score", "percents": [10, 50, 90]}}}},
        build_band_chart(),
    ),
    Panel(
        "ranking-watch-time",
        "Hours watched per day",
        "ranking",
        EVENTS,
        aggregate_by_day({"watched": {"sum": {"field": "watched_ms"}}}),
        build_chart(
            {"type": "bar"},
            encode_day(),
            encode_number("hours", "hours"),
            transform=[{"calculate": "datum.watched.value / 3600000", "as": "hours"}],
        ),
    ),
    Panel(
        "ranking-watched-share",
        "Watched share of started items",
        "ranking",
        EVENTS,
        aggregate_by_day(
            {"watched": {"sum": {"field": "watched_ms"}}, "length": {"sum": {"field": "duration_ms"}}}
        ),
        build_chart(
            {"type": "line", "point": True},
            encode_day(),
            encode_number("share", "share"),
            transform=[
                {"filter": "datum.length.value > 0"},
                {"calculate": "datum.watched.value / datum.length.value", "as": "share"},
            ],
        ),
    ),
    Panel(
        "ranking-from-pages",
        "Watches that name a position on a page",
        "ranking",
        EVENTS,
        aggregate_by_day({"watches": {"filter": WATCH_FROM_PAGE}}),
        build_chart({"type": "bar"}, encode_day(), encode_number("watches.doc_count", "watches")),
    ),
)
