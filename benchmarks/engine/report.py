"""What the engine's figures say, for people: tables, and each aim that was not reached."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.engine.limits import AIMS, find_breaches
from benchmarks.machine import describe_run
from benchmarks.markdown import PAIR_HEAD, format_pair, format_table

HEAD = ("request", *PAIR_HEAD, "recall")
Figures = Mapping[str, Any]


def format_engine_report(figures: Figures) -> str:
    """As Markdown. Ratios are ours by the bare library's, the least and the most of a round in brackets."""
    missed = [f"- Aim missed: {each}" for each in find_breaches(figures, AIMS)] or [
        "- Every aim was reached."
    ]
    return "\n\n".join(
        [
            f"## The embedded engine, {figures['documents']:,} documents",
            describe_run(figures),
            format_table(HEAD, _format_requests(figures)),
            "\n".join([*(f"- {fact}" for fact in _describe_figures(figures)), *missed]),
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
        f"Loading: {loading['ours_per_s']:,} documents a second, {loading['bare_per_s']:,} by tantivy and "
        f"SQLite: {loading['ratio']:.2f} of it; {loading['ratio_with_faiss']:.2f} with faiss counted too."
    )
    yield "On disk: " + ", ".join(f"{mib:,.0f} MiB of {what}" for what, mib in disk.items()) + "."
    own = {when: worker[f"{when}_mib"]["own"] for when in ("imports", "working")}
    yield (
        f"A worker opened it in {worker['opened_s'] * 1000:.0f} ms and has {own['working']:.0f} MiB of its "
        f"own after requests, {own['imports']:.0f} before."
    )
    seen = worker["seen_after_s"]
    small = seen["promote to a small version"]
    yield (
        f"Seen by another process: an upsert after {seen['upsert']:.2f} s, a deletion after "
        f"{seen['delete']:.2f}, a promotion after {small:.2f} and {seen['promote back']:.2f}."
    )
