"""A panel of a dashboard: an aggregation over an index and a Vega-Lite chart of its rows."""

from dataclasses import dataclass
from typing import Literal

from deploy.kibana.charts import Json

DashboardId = Literal["traffic", "catalogue", "ranking"]
ITEMS, EVENTS, REQUESTS, IMPRESSIONS = "items", "events", "requests", "impressions"
MAX_ROWS = 5000


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


def aggregate_by_day(aggs: Json) -> Json:
    return {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}, "aggs": aggs}


def aggregate_by_keys(**sources: Json) -> Json:
    named = [{name: source} for name, source in sources.items()]
    return {"composite": {"size": MAX_ROWS, "sources": named}}


def aggregate_by_term(field: str) -> Json:
    return {"terms": {"field": field, "size": 20}}


DAY_SOURCE = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day"}}
