"""Pictures in Vega-Lite 5: marks and axes, without the data and the size that a dashboard gives them."""

from typing import Any

from ranking.ranker import EngineOrder

Json = dict[str, Any]
ENGINE_ORDER = EngineOrder.name
"""The name of no model: its score is a place, which cannot drift."""

SHOWN_AT_ALL = {"filter": "datum.impression.doc_count > 0"}
RATES = [
    SHOWN_AT_ALL,
    {"calculate": "datum.click.doc_count / datum.impression.doc_count", "as": "clicks"},
    {"calculate": "datum.watch.doc_count / datum.impression.doc_count", "as": "watches"},
    {"fold": ["clicks", "watches"], "as": ["what", "rate"]},
]
MINUTES = [
    SHOWN_AT_ALL,
    {"calculate": "datum.watched.value / 60000 / datum.impression.doc_count", "as": "minutes"},
]


def encoded(mark: Json, x: Json, y: Json, **more: Any) -> Json:
    transform = more.pop("transform", None)
    picture = {"mark": {"tooltip": True, **mark}, "encoding": {"x": x, "y": y, **more}}
    return picture if transform is None else {"transform": transform, **picture}


def number(field: str, title: str, **more: Any) -> Json:
    return {"field": field, "type": "quantitative", "title": title, **more}


def day(field: str = "key") -> Json:
    return {"field": field, "type": "temporal", "timeUnit": "utcyearmonthdate", "title": "day"}


def word(field: str, title: str, sort: str | None = "-x") -> Json:
    return {"field": field, "type": "nominal", "title": title, "sort": sort}


def bars(title: str) -> Json:
    return encoded({"type": "bar"}, number("doc_count", "items"), word("key", title))


def band() -> Json:
    """The middle of a distribution over days, and a band around it."""
    x, color = day("key.day"), word("key.model", "model", None)
    low, high = number("low", "score"), {"field": "high"}
    return {
        "transform": [
            {"filter": f"datum.key.model != '{ENGINE_ORDER}'"},
            *(
                {"calculate": f"datum.score.values['{percent}.0']", "as": name}
                for name, percent in (("low", 10), ("middle", 50), ("high", 90))
            ),
        ],
        "layer": [
            {"mark": {"type": "area", "opacity": 0.2},
             "encoding": {"x": x, "y": low, "y2": high, "color": color}},
            {"mark": {"type": "line", "point": True, "tooltip": True},
             "encoding": {"x": x, "y": number("middle", "score"), "color": color}},
        ],
    }  # fmt: skip
