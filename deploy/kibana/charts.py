"""Charts in Vega-Lite 5: marks and axes, without the data and size that a dashboard gives them."""

from typing import Any

from reelrank.ranking.rankers.lambdarank import FusedOrder

Json = dict[str, Any]
FUSED_ORDER = FusedOrder.name
"""The model name of pages without a model: their score is a rank, which cannot drift."""

HAS_IMPRESSIONS = {"filter": "datum.impression.doc_count > 0"}
RATE_TRANSFORMS = [
    HAS_IMPRESSIONS,
    {"calculate": "datum.click.doc_count / datum.impression.doc_count", "as": "clicks"},
    {"calculate": "datum.watch.doc_count / datum.impression.doc_count", "as": "watches"},
    {"fold": ["clicks", "watches"], "as": ["action", "rate"]},
]
MINUTE_TRANSFORMS = [
    HAS_IMPRESSIONS,
    {"calculate": "datum.watched.value / 60000 / datum.impression.doc_count", "as": "minutes"},
]


def build_chart(mark: Json, x: Json, y: Json, **more: Any) -> Json:
    transform = more.pop("transform", None)
    chart = {"mark": {"tooltip": True, **mark}, "encoding": {"x": x, "y": y, **more}}
    return chart if transform is None else {"transform": transform, **chart}


def encode_number(field: str, title: str, **more: Any) -> Json:
    return {"field": field, "type": "quantitative", "title": title, **more}


def encode_day(field: str = "key") -> Json:
    return {"field": field, "type": "temporal", "timeUnit": "utcyearmonthdate", "title": "day"}


def encode_category(field: str, title: str, sort: str | None = "-x") -> Json:
    return {"field": field, "type": "nominal", "title": title, "sort": sort}


def build_bar_chart(title: str) -> Json:
    return build_chart({"type": "bar"}, encode_number("doc_count", "items"), encode_category("key", title))


def build_band_chart() -> Json:
    """Returns a line of the median per day and a band from the 10th to the 90th percentile."""
    x, color = encode_day("key.day"), encode_category("key.model", "model", None)
    low, high = encode_number("low", "score"), {"field": "high"}
    return {
        "transform": [
            {"filter": f"datum.key.model != '{FUSED_ORDER}'"},
            *(
                {"calculate": f"datum.score.values['{percent}.0']", "as": name}
                for name, percent in (("low", 10), ("middle", 50), ("high", 90))
            ),
        ],
        "layer": [
            {"mark": {"type": "area", "opacity": 0.2},
             "encoding": {"x": x, "y": low, "y2": high, "color": color}},
            {"mark": {"type": "line", "point": True, "tooltip": True},
             "encoding": {"x": x, "y": encode_number("middle", "score"), "color": color}},
        ],
    }  # fmt: skip
