"""Panels of the traffic dashboard: what viewers do, by day."""

from deploy.kibana.charts import build_chart, encode_category, encode_day, encode_number
from deploy.kibana.panel import (
    DAY_SOURCE,
    EVENTS,
    REQUESTS,
    Panel,
    aggregate_by_day,
    aggregate_by_keys,
    aggregate_by_term,
)

KIND_SOURCE = {"terms": {"field": "kind"}}

TRAFFIC_PANELS: tuple[Panel, ...] = (
    Panel(
        "traffic-events",
        "Events per day by kind",
        "traffic",
        EVENTS,
        aggregate_by_keys(day=DAY_SOURCE, kind=KIND_SOURCE),
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
        aggregate_by_day({"viewers": {"cardinality": {"field": "user"}}}),
        build_chart({"type": "line", "point": True}, encode_day(), encode_number("viewers.value", "viewers")),
    ),
    Panel(
        "traffic-pages",
        "Pages shown per day",
        "traffic",
        EVENTS,
        aggregate_by_day(
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
        aggregate_by_day({"took": {"percentiles": {"field": "took_ms", "percents": [50, 99]}}}),
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
        aggregate_by_term("degraded"),
        build_chart(
            {"type": "bar"}, encode_number("doc_count", "pages"), encode_category("key", "missing part")
        ),
    ),
    Panel(
        "traffic-devices",
        "Events by device",
        "traffic",
        EVENTS,
        aggregate_by_term("device"),
        build_chart({"type": "bar"}, encode_number("doc_count", "events"), encode_category("key", "device")),
    ),
    Panel(
        "traffic-surfaces",
        "Events by surface",
        "traffic",
        EVENTS,
        aggregate_by_term("surface"),
        build_chart({"type": "bar"}, encode_number("doc_count", "events"), encode_category("key", "surface")),
    ),
)
