"""The panels: each a question to an index, and a picture of the answer in Vega-Lite, for both products."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
DashboardId = Literal["traffic", "catalogue", "ranking"]
ITEMS, EVENTS, REQUESTS = "items", "events", "requests"
MAX_ROWS = 5000
CHECKED_FIELDS = ("description", "genres", "people", "language", "country", "published_at", "duration_s")


@dataclass(frozen=True, slots=True)
class Panel:
    """question: an aggregation. picture: Vega-Lite without its data. of: items, events or requests."""

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


def _encoded(mark: Json, x: Json, y: Json, **more: Any) -> Json:
    transform = more.pop("transform", None)
    picture = {"mark": {"tooltip": True, **mark}, "encoding": {"x": x, "y": y, **more}}
    return picture if transform is None else {"transform": transform, **picture}


def _number(field: str, title: str, **more: Any) -> Json:
    return {"field": field, "type": "quantitative", "title": title, **more}


def _day(field: str = "key") -> Json:
    return {"field": field, "type": "temporal", "timeUnit": "utcyearmonthdate", "title": "day"}


def _word(field: str, title: str, sort: str | None = "-x") -> Json:
    return {"field": field, "type": "nominal", "title": title, "sort": sort}


def _bars(title: str) -> Json:
    return _encoded({"type": "bar"}, _number("doc_count", "items"), _word("key", title))


def _terms(field: str) -> Json:
    return {"terms": {"field": field, "size": 20}}


DAY_SOURCE = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}}
KIND_SOURCE = {"terms": {"field": "kind"}}
FROM_A_PAGE = {"bool": {"must": [{"term": {"kind": "watch"}}, {"exists": {"field": "position"}}]}}
RATE = "((datum.click || 0) + (datum.watch || 0)) / datum.impression"

PANELS: tuple[Panel, ...] = (
    Panel(
        "traffic-events", "Events a day, by kind", "traffic", EVENTS,
        _pairs(day=DAY_SOURCE, kind=KIND_SOURCE),
        _encoded({"type": "bar"}, _day("key.day"), _number("doc_count", "events"),
                 color=_word("key.kind", "kind", None)),
    ),
    Panel(
        "traffic-viewers", "Viewers a day", "traffic", EVENTS,
        _days({"viewers": {"cardinality": {"field": "user"}}}),
        _encoded({"type": "line", "point": True}, _day(), _number("viewers.value", "viewers")),
    ),
    Panel(
        "traffic-pages", "Pages shown a day", "traffic", EVENTS,
        _days({"pages": {"filter": {"term": {"kind": "impression"}},
                         "aggs": {"requests": {"cardinality": {"field": "request_id"}}}}}),
        _encoded({"type": "line", "point": True}, _day(), _number("pages.requests.value", "pages")),
    ),
    Panel(
        "traffic-latency", "Milliseconds a page takes: half, and 99 of 100, are quicker", "traffic", REQUESTS,
        _days({"took": {"percentiles": {"field": "took_ms", "percents": [50, 99]}}}),
        _encoded(
            {"type": "line", "point": True}, _day(), _number("ms", "ms"), color=_word("share", "share", None),
            transform=[
                {"calculate": "datum.took.values['50.0']", "as": "p50"},
                {"calculate": "datum.took.values['99.0']", "as": "p99"},
                {"fold": ["p50", "p99"], "as": ["share", "ms"]},
            ],
        ),
    ),
    Panel("traffic-degraded", "Degraded pages, by what was missing", "traffic", REQUESTS, _terms("degraded"),
          _encoded({"type": "bar"}, _number("doc_count", "pages"), _word("key", "what"))),
    Panel(
        "ranking-models", "Pages a day, by model", "ranking", REQUESTS,
        _pairs(day=DAY_SOURCE, model={"terms": {"field": "model"}}),
        _encoded({"type": "bar"}, _day("key.day"), _number("doc_count", "pages"),
                 color=_word("key.model", "model", None)),
    ),
    Panel("ranking-sources", "Pages on which a source found a shown item", "ranking", REQUESTS,
          _terms("sources"),
          _encoded({"type": "bar"}, _number("doc_count", "pages"), _word("key", "source"))),
    Panel("traffic-devices", "Events by device", "traffic", EVENTS, _terms("device"),
          _encoded({"type": "bar"}, _number("doc_count", "events"), _word("key", "device"))),
    Panel("catalogue-genres", "Items by genre", "catalogue", ITEMS, _terms("genre_key"), _bars("genre")),
    Panel("catalogue-languages", "Items by language", "catalogue", ITEMS, _terms("language"),
          _bars("language")),
    Panel(
        "catalogue-years", "Items by year", "catalogue", ITEMS,
        {"histogram": {"field": "year", "interval": 1}},
        _encoded({"type": "bar"}, _number("key", "year", axis={"format": "d"}),
                 _number("doc_count", "items")),
    ),
    Panel(
        "catalogue-durations", "Items by duration", "catalogue", ITEMS,
        {"histogram": {"field": "duration_s", "interval": 900}},
        _encoded({"type": "bar"}, _number("minutes", "minutes"), _number("doc_count", "items"),
                 transform=[{"calculate": "datum.key / 60", "as": "minutes"}]),
    ),
    Panel(
        "catalogue-missing", "Items without a field", "catalogue", ITEMS,
        {"filters": {"filters": [
            {"bool": {"must_not": [{"exists": {"field": field}}]}} for field in CHECKED_FIELDS
        ]}},
        _encoded({"type": "bar"}, _number("doc_count", "items without it"), _word("field", "field"),
                 transform=[
                     {"window": [{"op": "row_number", "as": "place"}]},
                     {"calculate": f"{list(CHECKED_FIELDS)!r}[datum.place - 1]", "as": "field"},
                 ]),
    ),
    Panel(
        "ranking-positions", "Clicks and watches for each impression, by position", "ranking", EVENTS,
        _pairs(position={"terms": {"field": "position"}}, kind=KIND_SOURCE),
        _encoded(
            {"type": "line", "point": True}, _number("position", "position"), _number("rate", "rate"),
            transform=[
                {"calculate": "datum.key.position", "as": "position"},
                {"calculate": "datum.key.kind", "as": "kind"},
                {"pivot": "kind", "value": "doc_count", "groupby": ["position"]},
                {"filter": "datum.impression > 0"},
                {"calculate": RATE, "as": "rate"},
            ],
        ),
    ),
    Panel(
        "ranking-watch-time", "Hours watched a day", "ranking", EVENTS,
        _days({"watched": {"sum": {"field": "watched_ms"}}}),
        _encoded({"type": "bar"}, _day(), _number("hours", "hours"),
                 transform=[{"calculate": "datum.watched.value / 3600000", "as": "hours"}]),
    ),
    Panel(
        "ranking-watched-share", "Share of what was begun that was watched", "ranking", EVENTS,
        _days({"watched": {"sum": {"field": "watched_ms"}}, "length": {"sum": {"field": "duration_ms"}}}),
        _encoded({"type": "line", "point": True}, _day(), _number("share", "share"),
                 transform=[{"filter": "datum.length.value > 0"},
                            {"calculate": "datum.watched.value / datum.length.value", "as": "share"}]),
    ),
    Panel(
        "ranking-from-pages", "Watches that name a place on a page", "ranking", EVENTS,
        _days({"watches": {"filter": FROM_A_PAGE}}),
        _encoded({"type": "bar"}, _day(), _number("watches.doc_count", "watches")),
    ),
)  # fmt: skip
DASHBOARDS: Mapping[DashboardId, str] = {
    "traffic": "reelrank: traffic",
    "catalogue": "reelrank: catalogue",
    "ranking": "reelrank: ranking",
}
