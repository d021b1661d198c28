"""Panels of the dashboards: an aggregation over an index and a Vega-Lite chart of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from deploy.kibana.charts import (
    MINUTE_TRANSFORMS,
    RATE_TRANSFORMS,
    Json,
    build_band_chart,
    build_bar_chart,
    build_chart,
    encode_category,
    encode_day,
    encode_number,
)

DashboardId = Literal["traffic", "catalogue", "ranking"]
ITEMS, EVENTS, REQUESTS, IMPRESSIONS = "items", "events", "requests", "impressions"
MAX_ROWS = 5000
CHECKED_FIELDS = ("description", "genres", "people", "languages", "countries", "published_at", "duration_s")


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart of rows of a dataset. aggregation: of the search API. chart: Vega-Lite without its data."""

    id: str
    title: str
    dashboard: DashboardId
    dataset: str
    aggregation: Json
    chart: Json

    def build_request_body(self) -> Json:
        """Returns the body of the `_search` request."""
        return {"size": 0, "track_total_hits": False, "aggs": {"rows": self.aggregation}}

    def build_spec(self, index: str) -> Json:
        """Returns a Vega-Lite 5 chart that fetches its rows for the time range of the dashboard."""
        url = {"%context%": True, "index": index, "body": self.build_request_body()}
        if self.dataset != ITEMS:
            url["%timefield%"] = "@timestamp"
        data = {"url": url, "format": {"property": "aggregations.rows.buckets"}}
        return {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "data": data, **self.chart}


def _aggregate_by_day(aggs: Json) -> Json:
    return {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}, "aggs": aggs}


def _aggregate_by_keys(**sources: Json) -> Json:
    named = [{name: source} for name, source in sources.items()]
    return {"composite": {"size": MAX_ROWS, "sources": named}}


def _aggregate_by_term(field: str) -> Json:
    return {"terms": {"field": field, "size": 20}}


DAY_SOURCE = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}}
KIND_SOURCE = {"terms": {"field": "kind"}}
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
        _aggregate_by_term(field) | {"aggs": COUNTS_BY_KIND},
        build_chart(
            {"type": "point", "filled": True, "size": 80},
            encode_number("rate", "rate"),
            encode_category("key", title.rpartition(" ")[2]),
            color=encode_category("action", "action", None),
            transform=RATE_TRANSFORMS,
        ),
    )


PANELS: tuple[Panel, ...] = (
    Panel(
        "traffic-events",
        "Events per day by kind",
        "traffic",
        EVENTS,
        _aggregate_by_keys(day=DAY_SOURCE, kind=KIND_SOURCE),
        build_chart(
            {"type": "bar"},
            encode_day("key.day"),
            encode_number("doc_count", "events"),
            color=encode_category("key.kind", "kind", None),
        ),
    ),
    Panel(
        "traffic-viewers",
        "Viewers per day",
        "traffic",
        EVENTS,
        _aggregate_by_day({"viewers": {"cardinality": {"field": "user"}}}),
        build_chart({"type": "line", "point": True}, encode_day(), encode_number("viewers.value", "viewers")),
    ),
    Panel(
        "traffic-pages",
        "Pages shown per day",
        "traffic",
        EVENTS,
        _aggregate_by_day(
            {
                "pages": {
                    "filter": {"term": {"kind": "impression"}},
                    "aggs": {"requests": {"cardinality": {"field": "request_id"}}},
                }
            }
        ),
        build_chart(
            {"type": "line", "point": True}, encode_day(), encode_number("pages.requests.value", "pages")
        ),
    ),
    Panel(
        "traffic-latency",
        "Response time of pages in milliseconds: median and 99th percentile",
        "traffic",
        REQUESTS,
        _aggregate_by_day({"took": {"percentiles": {"field": "took_ms", "percents": [50, 99]}}}),
        build_chart(
            {"type": "line", "point": True},
            encode_day(),
            encode_number("ms", "ms"),
            color=encode_category("share", "share", None),
            transform=[
                {"calculate": "datum.took.values['50.0']", "as": "p50"},
                {"calculate": "datum.took.values['99.0']", "as": "p99"},
                {"fold": ["p50", "p99"], "as": ["share", "ms"]},
            ],
        ),
    ),
    Panel(
        "traffic-degraded",
        "Degraded pages by missing part",
        "traffic",
        REQUESTS,
        _aggregate_by_term("degraded"),
        build_chart(
            {"type": "bar"}, encode_number("doc_count", "pages"), encode_category("key", "missing part")
        ),
    ),
    Panel(
        "ranking-models",
        "Pages per day by model",
        "ranking",
        REQUESTS,
        _aggregate_by_keys(day=DAY_SOURCE, model=MODEL_SOURCE),
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
        _aggregate_by_term("sources"),
        build_chart({"type": "bar"}, encode_number("doc_count", "pages"), encode_category("key", "source")),
    ),
    Panel(
        "traffic-devices",
        "Events by device",
        "traffic",
        EVENTS,
        _aggregate_by_term("device"),
        build_chart({"type": "bar"}, encode_number("doc_count", "events"), encode_category("key", "device")),
    ),
    Panel(
        "traffic-surfaces",
        "Events by surface",
        "traffic",
        EVENTS,
        _aggregate_by_term("surface"),
        build_chart({"type": "bar"}, encode_number("doc_count", "events"), encode_category("key", "surface")),
    ),
    Panel(
        "catalogue-genres",
        "Items by genre",
        "catalogue",
        ITEMS,
        _aggregate_by_term("genre_key"),
        build_bar_chart("genre"),
    ),
    Panel(
        "catalogue-languages",
        "Items by language",
        "catalogue",
        ITEMS,
        _aggregate_by_term("languages"),
        build_bar_chart("language"),
    ),
    Panel(
        "catalogue-years",
        "Items by year",
        "catalogue",
        ITEMS,
        {"histogram": {"field": "year", "interval": 1}},
        build_chart(
            {"type": "bar"},
            encode_number("key", "year", axis={"format": "d"}),
            encode_number("doc_count", "items"),
        ),
    ),
    Panel(
        "catalogue-durations",
        "Items by duration",
        "catalogue",
        ITEMS,
        {"histogram": {"field": "duration_s", "interval": 900}},
        build_chart(
            {"type": "bar"},
            encode_number("minutes", "minutes"),
            encode_number("doc_count", "items"),
            transform=[{"calculate": "datum.key / 60", "as": "minutes"}],
        ),
    ),
    Panel(
        "catalogue-missing",
        "Items that lack a field",
        "catalogue",
        ITEMS,
        {
            "filters": {
                "filters": [
                    {"bool": {"must_not": [{"exists": {"field": field}}]}} for field in CHECKED_FIELDS
                ]
            }
        },
        build_chart(
            {"type": "bar"},
            encode_number("doc_count", "items"),
            encode_category("field", "field"),
            transform=[
                {"window": [{"op": "row_number", "as": "row"}]},
                {"calculate": f"{list(CHECKED_FIELDS)!r}[datum.row - 1]", "as": "field"},
            ],
        ),
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
        _aggregate_by_keys(day=DAY_SOURCE, model=MODEL_SOURCE) | {"aggs": WATCHED_TIME},
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
        _aggregate_by_term("sources") | {"aggs": WATCHED_TIME},
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
        _aggregate_by_keys(day=DAY_SOURCE, model=MODEL_SOURCE)
        | {"aggs": {"score": {"percentiles": {"field": "score", "percents": [10, 50, 90]}}}},
        build_band_chart(),
    ),
    Panel(
        "ranking-watch-time",
        "Hours watched per day",
        "ranking",
        EVENTS,
        _aggregate_by_day({"watched": {"sum": {"field": "watched_ms"}}}),
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
        _aggregate_by_day(
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
        _aggregate_by_day({"watches": {"filter": WATCH_FROM_PAGE}}),
        build_chart({"type": "bar"}, encode_day(), encode_number("watches.doc_count", "watches")),
    ),
)
DASHBOARDS: Mapping[DashboardId, str] = {
    "traffic": "reelrank: traffic",
    "catalogue": "reelrank: catalogue",
    "ranking": "reelrank: ranking",
}
