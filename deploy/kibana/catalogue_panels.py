"""Panels of the catalogue dashboard: what the catalogue holds and lacks."""

from deploy.kibana.charts import build_bar_chart, build_chart, encode_category, encode_number
from deploy.kibana.panel import ITEMS, Panel, aggregate_by_term

CHECKED_FIELDS = ("description", "genres", "people", "languages", "countries", "published_at", "duration_s")

CATALOGUE_PANELS: tuple[Panel, ...] = (
    Panel(
        "catalogue-genres",
        "Items by genre",
        "catalogue",
        ITEMS,
        aggregate_by_term("genre_key"),
        build_bar_chart("genre"),
    ),
    Panel(
        "catalogue-languages",
        "Items by language",
        "catalogue",
        ITEMS,
        aggregate_by_term("languages"),
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
)
