"""Formats the figures of the engine as tables, with the aims that were missed."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.engine.limits import AIMS, find_breaches
from benchmarks.machine import describe_run
from benchmarks.markdown import PAIR_HEAD, format_pair, format_table

HEAD = ("request", *PAIR_HEAD, "recall")
DISK_PARTS = {"truth": "database", "words": "text index", "segments": "segments"}
Figures = Mapping[str, Any]


def format_engine_report(figures: Figures) -> str:
    """Returns Markdown. Ratios are engine / bare library, with lowest and highest of a round in brackets."""
    missed = [f"- Aim missed: {breach}" for breach in find_breaches(figures, AIMS)] or [
        "- Every aim was met."
    ]
    return "\n\n".join(
        [
            f"## The embedded engine, {figures['documents']:,} documents",
            describe_run(figures),
            format_table(HEAD, _format_requests(figures)),
            "\n".join([*(f"- {line}" for line in _describe_figures(figures)), *missed]),
        ]
    )


def _format_requests(figures: Figures) -> Iterator[list[str]]:
    for name, pair in figures["words"].items():
        yield _format_request(f"BM25, {name}", pair)
    for field, filters in figures["vectors"].items():
        for name, pair in filters.items():
            yield _format_request(f"kNN of {field}, {name}", pair)
    yield _format_request("fetch of 20 items", figures["fetch_20"])


def _format_request(name: str, pair: Figures) -> list[str]:
    return [name, *format_pair(pair), f"{pair['recall']:.3f}" if "recall" in pair else ""]


def _describe_figures(figures: Figures) -> Iterator[str]:
    loading, worker, disk = figures["loading"], figures["worker"], figures["disk_mib"]
    yield (
        f"Loading: {loading['ours_per_s']:,} documents per second; tantivy and SQLite: "
        f"{loading['bare_per_s']:,}; ratio {loading['ratio']:.2f}, "
        f"with faiss {loading['ratio_with_faiss']:.2f}."
    )
    sizes = (f"{DISK_PARTS[part]} {mib:,.0f} MiB" for part, mib in disk.items())
    yield f"On disk: {', '.join(sizes)}."
    own = {when: worker[f"{when}_mib"]["own"] for when in ("imports", "working")}
    yield (
        f"Another process opened it in {worker['opened_s'] * 1000:.0f} ms; its private memory is "
        f"{own['imports']:.0f} MiB before and {own['working']:.0f} MiB after requests."
    )
    seen = worker["seen_after_s"]
    small = seen["promote to a small version"]
    yield (
        f"Visible in another process: an upsert after {seen['upsert']:.2f} s, a deletion after "
        f"{seen['delete']:.2f}, a promotion after {small:.2f} and {seen['promote back']:.2f}."
    )
