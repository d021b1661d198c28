"""Tables of the lake: what it holds, and one decision with its candidates."""

from typing import Any

from reelrank.app.cli.console import print_plain
from reelrank.app.cli.tables.layout import Grid, print_grid
from reelrank.index_mappings.decision import RANK_PREFIX
from reelrank.loaders.lake.check import LakeReport

HIDDEN = ("request_id", "exploration_pool", "user_key", "session")
"""Columns of a request that its first line has, or that say nothing to a person."""


def print_report(report: LakeReport) -> None:
    """Prints a row for each table."""
    rows = [
        (
            table.table,
            str(table.dates),
            f"{table.first} to {table.last}" if table.first else "-",
            f"{table.files:,}",
            f"{table.rows:,}",
            f"{table.bytes / 1e6:,.1f}",
            f"{table.bytes / table.rows:,.0f}" if table.rows else "-",
        )
        for table in report.tables
    ]
    print_grid(Grid(("table", "dates", "from, to", "files", "rows", "MB", "bytes/row"), rows))


def print_decision(decision: dict[str, Any]) -> None:
    """Prints the values of a request that are stated, then its candidates."""
    print_plain(f"request {decision['request']['request_id']}")
    for name, value in decision["request"].items():
        if name not in HIDDEN and value not in ("", None, []):
            print_plain(f"  {name}: {value}")
    rows = [
        (
            str(row["position"]),
            row["item"],
            "yes" if row["shown"] else "",
            "" if row["score"] is None else f"{row['score']:.4f}",
            "" if row["probability"] is None else f"{row['probability']:.4f}",
            "" if row["propensity"] is None else f"{row['propensity']:.3f}",
            _format_ranks(row),
        )
        for row in decision["candidates"]
    ]
    header = ("#", "item", "shown", "score", "probability", "propensity", "ranks in sources")
    print_grid(Grid(header, rows, ("item", "ranks in sources")))


def _format_ranks(row: dict[str, Any]) -> str:
    ranks = {
        name.removeprefix(RANK_PREFIX): value for name, value in row.items() if name.startswith(RANK_PREFIX)
    }
    return ", ".join(f"{source} {rank}" for source, rank in ranks.items() if rank is not None)
