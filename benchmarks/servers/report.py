"""What the figures of a server say, for people."""

from collections.abc import Mapping
from typing import Any

from benchmarks.machine import circumstances
from benchmarks.markdown import PAIR_HEAD, milliseconds, pair_cells, table

Figures = Mapping[str, Any]


def servers_report(figures: Figures) -> str:
    """As Markdown. Ratios are ours by the bare client's, the least and the most of a round in brackets."""
    queries, bulk = figures["queries"].items(), figures["bulk"]
    together = ", ".join(
        f"{name} {milliseconds(ms['p50'])} ms, p99 {milliseconds(ms['p99'])}"
        for name, ms in figures["together"].items()
    )
    return "\n\n".join(
        [
            f"## {figures['server']}, {figures['documents']:,} documents",
            circumstances(figures),
            table(("asked", *PAIR_HEAD), [[name, *pair_cells(pair)] for name, pair in queries]),
            f"- Bulk: {bulk['ours_per_s']:,} documents a second, {bulk['bare_per_s']:,} by the client's own "
            f"helper: {bulk['ratio']:.2f} of it.\n- Three sources at once: {together}.",
        ]
    )
