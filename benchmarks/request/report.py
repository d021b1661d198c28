"""What the request's figures say, for people: stages, scoring and a plain peer, and the load."""

from collections.abc import Mapping
from typing import Any

from benchmarks.machine import circumstances
from benchmarks.markdown import PAIR_HEAD, milliseconds, pair_cells, table

Figures = Mapping[str, Any]
QUANTILES = ("p50", "p95", "p99")
ORDER = ("parse", "viewer", "sources", "source ", "fuse", "signals", "features", "score", "explore", "fetch",
         "keep", "render", "ranking", "whole")  # fmt: skip
"""Of the stages in a request; each source follows all of them together."""


def request_report(figures: Figures) -> str:
    """As Markdown. Stages and loads in milliseconds at p50, p95 and p99."""
    return "\n\n".join(
        [
            f"## A request, {figures['documents']:,} items",
            circumstances(figures),
            _stages(figures["stages"]),
            _beside(figures),
            _load(figures["load"]),
        ]
    )


def _stages(stages: Figures) -> str:
    pages = [(kind, of_kind) for of_size in stages.values() for kind, of_kind in of_size.items()]
    head = ["ms at p50, p95, p99", *(f"{page['candidates']:,} candidates, {kind}" for kind, page in pages)]
    names = sorted({name for _, page in pages for name in page["ms"]}, key=_place)
    return table(head, [[name, *(_quantiles(page["ms"].get(name)) for _, page in pages)] for name in names])


def _place(name: str) -> tuple[int, str]:
    return next((place for place, start in enumerate(ORDER) if name.startswith(start)), len(ORDER)), name


def _beside(figures: Figures) -> str:
    plain, scoring = figures["plain_way"], figures["scoring"]
    named = {"served": f"features and {scoring['scorer']}, beside that scorer alone",
             "booster": "features and Booster.predict, beside that alone"}  # fmt: skip
    pairs = {words: scoring[name] for name, words in named.items() if name in scoring}
    pairs[f"POST /v1/rank of {plain['candidates']:,}, beside a pandas frame and Booster.predict"] = plain
    return table(("what", *PAIR_HEAD), [[words, *pair_cells(pair)] for words, pair in pairs.items()])


def _load(load: Figures) -> str:
    head = ("requests a second, by the clock", *QUANTILES, "degraded", "failed", "sent")
    rows = [
        [f"{at['rate']:g}", *(milliseconds(at[q]) for q in QUANTILES)]
        + [str(at[what]) for what in ("degraded", "failed", "sent")]
        for at in load["curve"]
    ]
    sustained = (
        f"- {load['sustained_per_s']:g} requests a second are sustained with p99 under "
        f"{load['p99_limit_ms']:g} ms, {load['sustained_per_core']:g} for each core."
    )
    return f"{table(head, rows)}\n\n{sustained}"


def _quantiles(ms: Figures | None) -> str:
    return "" if ms is None else ", ".join(milliseconds(ms[q]) for q in QUANTILES)
