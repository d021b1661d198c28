"""The table and the plot of the position lab."""

from pathlib import Path

from reelrank.app.cli.console import out
from reelrank.app.cli.tables.layout import Grid, format_interval, print_grid
from reelrank.app.simulation.position_lab import NOTHING, PositionReport
from reelrank.ranking.evaluation.plots import write_measures_plot


def write_plot(report: PositionReport, directory: Path) -> tuple[Path, Path]:
    """Writes lab-position.svg and lab-position.png."""
    rows = {row.way: {"NDCG@10 by the truth": row.ndcg} for row in report.rows}
    title = f"Corrections for positions, {report.judged_pages:,} simulated pages"
    return write_measures_plot(rows, title, directory / "lab-position")


def print_report(report: PositionReport, wide: bool) -> None:
    decay = "unknown" if report.decay is None else f"{report.decay:.2f}"
    out.print(
        f"simulated: {report.pages:,} pages with {report.clicks:,} clicks; judged by the truth on "
        f"{report.judged_pages:,} others. Decay of looking at positions: {decay} from exploration slots, "
        f"{report.true_decay:.2f} in truth",
        markup=False,
        soft_wrap=True,
    )
    rows = [
        [
            row.way,
            format_interval(row.ndcg, wide),
            format_interval(row.difference, wide),
            f"{row.fashion:.1%}",
        ]
        for row in report.rows
    ]
    header = ("correction", "NDCG@10", f"less {NOTHING}", "gain of fashion")
    print_grid(Grid(header, rows, cut=("correction",), title="By the truth, 95 % intervals by viewer"), wide)
