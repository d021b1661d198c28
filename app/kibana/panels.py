"""The panels: each a question to an index, and a picture of the answer in Vega-Lite, for both products."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.kibana.pictures import MINUTES, RATES, Json, band, bars, day, encoded, number, word

DashboardId = Literal["traffic", "catalogue", "ranking"]
ITEMS, EVENTS, REQUESTS, IMPRESSIONS = "items", "events", "requests", "impressions"
MAX_ROWS = 5000
CHECKED_FIELDS = ("description", "genres", "people", "language", "country", "published_at", "duration_s")


@dataclass(frozen=True, slots=True)
class Panel:
    """question: an aggregation. picture: Vega-Lite without its data. of: items, events, requests or
    impressions."""

    id: str
    title: str
    dashboard: DashboardId
    of: str
    question: Json
    picture: Json

    def body(self) -> Json:
        """What is asked of `_search`."""
        return {"size": 0, "track_total_hits": False, "aggs": {"rows": self.question}}

    def spec(self, index: str) -> Json:
        """Vega-Lite 5 that fetches its own data, within the time that is chosen on the dashboard."""
        url = {"%context%": True, "index": index, "body": self.body()}
        if self.of != ITEMS:
            url["%timefield%"] = "@timestamp"
        data = {"url": url, "format": {"property": "aggregations.rows.buckets"}}
        return {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "data": data, **self.picture}


def _days(aggs: Json) -> Json:
    return {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}, "aggs": aggs}


def _pairs(**sources: Json) -> Json:
    named = [{name: source} for name, source in sources.items()]
    return {"composite": {"size": MAX_ROWS, "sources": named}}


def _terms(field: str) -> Json:
    return {"terms": {"field": field, "size": 20}}


DAY_SOURCE = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}}
KIND_SOURCE = {"terms": {"field": "kind"}}
MODEL_SOURCE = {"terms": {"field": "model"}}
FROM_A_PAGE = {"bool": {"must": [{"term": {"kind": "watch"}}, {"exists": {"field": "position"}}]}}
OF_KIND = {kind: {"filter": {"term": {"kind": kind}}} for kind in ("impression", "click", "watch")}
"""Counts beside each other. A viewer may do both with one impression, so they are never added up."""
WATCHED = {"impression": OF_KIND["impression"], "watched": {"sum": {"field": "watched_ms"}}}
MOST_POSITIONS = 100


def _rates_panel(field: str, title: str) -> Panel:
    return Panel(
        f"ranking-{field}-rates", title, "ranking", IMPRESSIONS, _terms(field) | {"aggs": OF_KIND},
        encoded({"type": "point", "filled": True, "size": 80}, number("rate", "rate"),
                word("key", title.rpartition(" ")[2]), color=word("what", "what", None), transform=RATES),
    )  # fmt: skip


PANELS: tuple[Panel, ...] = (
    Panel(
        "traffic-events", "Events a day, by kind", "traffic", EVENTS,
        _pairs(day=DAY_SOURCE, kind=KIND_SOURCE),
        encoded({"type": "bar"}, day("key.day"), number("doc_count", "events"),
                color=word("key.kind", "kind", None)),
    ),
    Panel(
        "traffic-viewers", "Viewers a day", "traffic", EVENTS,
        _days({"viewers": {"cardinality": {"field": "user"}}}),
        encoded({"type": "line", "point": True}, day(), number("viewers.value", "viewers")),
    ),
    Panel(
        "traffic-pages", "Pages shown a day", "traffic", EVENTS,
        _days({"pages": {"filter": {"term": {"kind": "impression"}},
                         "aggs": {"requests": {"cardinality": {"field": "request_id"}}}}}),
        encoded({"type": "line", "point": True}, day(), number("pages.requests.value", "pages")),
    ),
    Panel(
        "traffic-latency", "Milliseconds a page takes: half, and 99 of 100, are quicker", "traffic", REQUESTS,
        _days({"took": {"percentiles": {"field": "took_ms", "percents": [50, 99]}}}),
        encoded(
            {"type": "line", "point": True}, day(), number("ms", "ms"), color=word("share", "share", None),
            transform=[
                {"calculate": "datum.took.values['50.0']", "as": "p50"},
                {"calculate": "datum.took.values['99.0']", "as": "p99"},
                {"fold": ["p50", "p99"], "as": ["share", "ms"]},
            ],
        ),
    ),
    Panel("traffic-degraded", "Degraded pages, by what was missing", "traffic", REQUESTS, _terms("degraded"),
          encoded({"type": "bar"}, number("doc_count", "pages"), word("key", "what"))),
    Panel(
        "ranking-models", "Pages a day, by model", "ranking", REQUESTS,
        _pairs(day=DAY_SOURCE, model=MODEL_SOURCE),
        encoded({"type": "bar"}, day("key.day"), number("doc_count", "pages"),
                color=word("key.model", "model", None)),
    ),
    Panel("ranking-sources", "Pages on which a source found a shown item", "ranking", REQUESTS,
          _terms("sources"),
          encoded({"type": "bar"}, number("doc_count", "pages"), word("key", "source"))),
    Panel("traffic-devices", "Events by device", "traffic", EVENTS, _terms("device"),
          encoded({"type": "bar"}, number("doc_count", "events"), word("key", "device"))),
    Panel("catalogue-genres", "Items by genre", "catalogue", ITEMS, _terms("genre_key"), bars("genre")),
    Panel("catalogue-languages", "Items by language", "catalogue", ITEMS, _terms("language"),
          bars("language")),
    Panel(
        "catalogue-years", "Items by year", "catalogue", ITEMS,
        {"histogram": {"field": "year", "interval": 1}},
        encoded({"type": "bar"}, number("key", "year", axis={"format": "d"}),
                number("doc_count", "items")),
    ),
    Panel(
        "catalogue-durations", "Items by duration", "catalogue", ITEMS,
        {"histogram": {"field": "duration_s", "interval": 900}},
        encoded({"type": "bar"}, number("minutes", "minutes"), number("doc_count", "items"),
                transform=[{"calculate": "datum.key / 60", "as": "minutes"}]),
    ),
    Panel(
        "catalogue-missing", "Items without a field", "catalogue", ITEMS,
        {"filters": {"filters": [
            {"bool": {"must_not": [{"exists": {"field": field}}]}} for field in CHECKED_FIELDS
        ]}},
        encoded({"type": "bar"}, number("doc_count", "items without it"), word("field", "field"),
                transform=[
                    {"window": [{"op": "row_number", "as": "place"}]},
                    {"calculate": f"{list(CHECKED_FIELDS)!r}[datum.place - 1]", "as": "field"},
                ]),
    ),
    Panel(
        "ranking-positions", "Clicks and watches for each impression, by position", "ranking", IMPRESSIONS,
        {"terms": {"field": "position", "size": MOST_POSITIONS, "order": {"_key": "asc"}}, "aggs": OF_KIND},
        encoded({"type": "line", "point": True}, number("key", "position"), number("rate", "rate"),
                color=word("what", "what", None), transform=RATES),
    ),
    _rates_panel("model", "Clicks and watches for each impression, by model"),
    _rates_panel("sources", "Clicks and watches for each impression, by source"),
    Panel(
        "ranking-model-minutes", "Minutes watched for each impression, by day and model", "ranking",
        IMPRESSIONS,
        _pairs(day=DAY_SOURCE, model=MODEL_SOURCE) | {"aggs": WATCHED},
        encoded({"type": "line", "point": True}, day("key.day"), number("minutes", "minutes"),
                color=word("key.model", "model", None), transform=MINUTES),
    ),
    Panel(
        "ranking-source-minutes", "Minutes watched for each impression, by source", "ranking",
        IMPRESSIONS, _terms("sources") | {"aggs": WATCHED},
        encoded({"type": "bar"}, number("minutes", "minutes"), word("key", "source"), transform=MINUTES),
    ),
    Panel(
        "ranking-scores", "Scores of shown items a day, by model: half in the line, 8 of 10 in the band",
        "ranking", IMPRESSIONS,
        _pairs(day=DAY_SOURCE, model=MODEL_SOURCE)
        | {"aggs": {"score": {"percentiles": {"field": "score", "percents": [10, 50, 90]}}}},
        band(),
    ),
    Panel(
        "ranking-watch-time", "Hours watched a day", "ranking", EVENTS,
        _days({"watched": {"sum": {"field": "watched_ms"}}}),
        encoded({"type": "bar"}, day(), number("hours", "hours"),
                transform=[{"calculate": "datum.watched.value / 3600000", "as": "hours"}]),
    ),
    Panel(
        "ranking-watched-share", "Share of what was begun that was watched", "ranking", EVENTS,
        _days({"watched": {"sum": {"field": "watched_ms"}}, "length": {"sum": {"field": "duration_ms"}}}),
        encoded({"type": "line", "point": True}, day(), number("share", "share"),
                transform=[{"filter": "datum.length.value > 0"},
                           {"calculate": "datum.watched.value / datum.length.value", "as": "share"}]),
    ),
    Panel(
        "ranking-from-pages", "Watches that name a place on a page", "ranking", EVENTS,
        _days({"watches": {"filter": FROM_A_PAGE}}),
        encoded({"type": "bar"}, day(), number("watches.doc_count", "watches")),
    ),
)  # fmt: skip
DASHBOARDS: Mapping[DashboardId, str] = {
    "traffic": "reelrank: traffic",
    "catalogue": "reelrank: catalogue",
    "ranking": "reelrank: ranking",
}
