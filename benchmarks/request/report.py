"""Formats the figures of a request: stages, scoring, the plain implementation, and load."""

from collections.abc import Mapping
from typing import Any

from benchmarks.machine import describe_run
from benchmarks.markdown import PAIR_HEAD, format_ms, format_pair, format_table

Figures = Mapping[str, Any]
QUANTILES = ("p50", "p95", "p99")
STAGE_ORDER = (
    "parse",
    "viewer",
    "sources",
    "source ",
    "fuse",
    "signals",
    "features",
    "score",
    "explore",
    "fetch",
    "keep",
    "render",
    "ranking",
    "whole",
)
"""Order of the stages in a table; the single sources follow their sum."""


def format_request_report(figures: Figures) -> str:
    """Returns Markdown. Stages and latencies are in milliseconds at p50, p95 and p99."""
    return "\n\n".join(
        [
            f"## A request, {figures['documents']:,} items",
            describe_run(figures),
            _format_stages(figures["stages"]),
            _format_comparisons(figures),
            _format_load(figures["load"]),
        ]
    )


def _format_stages(stages: Figures) -> str:
    pages = [(kind, of_kind) for of_size in stages.values() for kind, of_kind in of_size.items()]
    head = ["ms at p50, p95, p99", *(f"{page['candidates']:,} candidates, {kind}" for kind, page in pages)]
    names = sorted({name for _, page in pages for name in page["ms"]}, key=_sort_key)
    return format_table(
        head, [[name, *(_format_quantiles(page["ms"].get(name)) for _, page in pages)] for name in names]
    )


def _sort_key(name: str) -> tuple[int, str]:
    return next(
        (index for index, start in enumerate(STAGE_ORDER) if name.startswith(start)), len(STAGE_ORDER)
    ), name


def _format_comparisons(figures: Figures) -> str:
    plain, scoring = figures["plain_way"], figures["scoring"]
    titles = {
        "served": f"features and {scoring['scorer']}, compared with that scorer alone",
        "booster": "features and Booster.predict, compared with Booster.predict alone",
    }
    pairs = {title: scoring[name] for name, title in titles.items() if name in scoring}
    pairs[f"POST /v1/rank of {plain['candidates']:,}, compared with pandas and Booster.predict"] = plain
    return format_table(
        ("comparison", *PAIR_HEAD), [[title, *format_pair(pair)] for title, pair in pairs.items()]
    )


def _format_load(load: Figures) -> str:
    head = ("requests per second", *QUANTILES, "degraded", "failed", "sent")
    rows = [
        [f"{point['rate']:g}", *(format_ms(point[q]) for q in QUANTILES)]
        + [str(point[count]) for count in ("degraded", "failed", "sent")]
        for point in load["curve"]
    ]
    sustained = (
        f"- {load['sustained_per_s']:g} requests per second are sustained with p99 under "
        f"{load['p99_limit_ms']:g} ms, {load['sustained_per_core']:g} per core."
    )
    return f"{format_table(head, rows)}\n\n{sustained}"


def _format_quantiles(ms: Figures | None) -> str:
    return "" if ms is None else ", ".join(format_ms(ms[q]) for q in QUANTILES)
