"""What the request's figures say, for people: stages, scoring and a plain peer, and the load."""

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
"""Of the stages in a request; each source follows all of them together."""


def format_request_report(figures: Figures) -> str:
    """As Markdown. Stages and loads in milliseconds at p50, p95 and p99."""
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
        (place for place, start in enumerate(STAGE_ORDER) if name.startswith(start)), len(STAGE_ORDER)
    ), name


def _format_comparisons(figures: Figures) -> str:
    plain, scoring = figures["plain_way"], figures["scoring"]
    named = {
        "served": f"features and {scoring['scorer']}, beside that scorer alone",
        "booster": "features and Booster.predict, beside that alone",
    }
    pairs = {words: scoring[name] for name, words in named.items() if name in scoring}
    pairs[f"POST /v1/rank of {plain['candidates']:,}, beside a pandas frame and Booster.predict"] = plain
    return format_table(("what", *PAIR_HEAD), [[words, *format_pair(pair)] for words, pair in pairs.items()])


def _format_load(load: Figures) -> str:
    head = ("requests a second, by the clock", *QUANTILES, "degraded", "failed", "sent")
    rows = [
        [f"{at['rate']:g}", *(format_ms(at[q]) for q in QUANTILES)]
        + [str(at[what]) for what in ("degraded", "failed", "sent")]
        for at in load["curve"]
    ]
    sustained = (
        f"- {load['sustained_per_s']:g} requests a second are sustained with p99 under "
        f"{load['p99_limit_ms']:g} ms, {load['sustained_per_core']:g} for each core."
    )
    return f"{format_table(head, rows)}\n\n{sustained}"


def _format_quantiles(ms: Figures | None) -> str:
    return "" if ms is None else ", ".join(format_ms(ms[q]) for q in QUANTILES)
