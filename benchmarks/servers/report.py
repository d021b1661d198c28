"""What the figures of a server say, for people."""

from collections.abc import Mapping
from typing import Any

from benchmarks.machine import describe_run
from benchmarks.markdown import PAIR_HEAD, format_ms, format_pair, format_table

Figures = Mapping[str, Any]


def format_servers_report(figures: Figures) -> str:
    """As Markdown. Ratios are ours by the bare client's, the least and the most of a round in brackets."""
    queries, bulk = figures["queries"].items(), figures["bulk"]
    together = ", ".join(
        f"{name} {format_ms(ms['p50'])} ms, p99 {format_ms(ms['p99'])}"
        for name, ms in figures["together"].items()
    )
    return "\n\n".join(
        [
            f"## {figures['server']}, {figures['documents']:,} documents",
            describe_run(figures),
            format_table(("asked", *PAIR_HEAD), [[name, *format_pair(pair)] for name, pair in queries]),
            f"- Bulk: {bulk['ours_per_s']:,} documents a second, {bulk['bare_per_s']:,} by the client's own "
            f"helper: {bulk['ratio']:.2f} of it.\n- Three sources at once: {together}.",
        ]
    )
