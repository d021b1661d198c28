"""Formats the figures of a server as Markdown."""

from collections.abc import Mapping
from typing import Any

from benchmarks.machine import describe_run
from benchmarks.markdown import PAIR_HEAD, format_ms, format_pair, format_table

Figures = Mapping[str, Any]


def format_servers_report(figures: Figures) -> str:
    """Returns Markdown. Ratios are ours / bare client, with the lowest and highest of a round in brackets."""
    queries, bulk = figures["queries"].items(), figures["bulk"]
    concurrent = ", ".join(
        f"{name} {format_ms(ms['p50'])} ms, p99 {format_ms(ms['p99'])}"
        for name, ms in figures["together"].items()
    )
    return "\n\n".join(
        [
            f"## {figures['server']}, {figures['documents']:,} documents",
            describe_run(figures),
            format_table(("query", *PAIR_HEAD), [[name, *format_pair(pair)] for name, pair in queries]),
            f"- Bulk: {bulk['ours_per_s']:,} documents per second; bulk helper of the client: "
            f"{bulk['bare_per_s']:,}; ratio {bulk['ratio']:.2f}.\n- Three sources at once: {concurrent}.",
        ]
    )
