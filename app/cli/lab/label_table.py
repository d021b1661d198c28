"""The table, the plot and the JSON document of the label lab."""

from pathlib import Path

from reelrank.app.cli.console import out
from reelrank.app.cli.tables.layout import Grid, format_interval, print_grid
from reelrank.app.jobs.lab.labels import BASELINE, LabelReport, LabelRow
from reelrank.ranking.evaluation.plots import write_measures_plot
from reelrank.ranking.evaluation.pooled_measures import POOLED_MEASURES

SHOWN = POOLED_MEASURES[:3]


def write_plot(report: LabelReport, directory: Path) -> tuple[Path, Path]:
    """Writes lab-labels.svg and lab-labels.png."""
    ordered = [report.baseline, *(row for row in report.rows if row.label is not BASELINE)]
    rows = {str(row.label): {m: row.measures.get_interval(m) for m in POOLED_MEASURES} for row in ordered}
    title = f"Labels, on {report.judged_requests:,} later requests, 95 % intervals by viewer"
    return write_measures_plot(rows, title, directory / "lab-labels")


def print_report(report: LabelReport, wide: bool) -> None:
    out.print(
        f"trained on {report.training_requests:,} requests with each label; judged by watched share on "
        f"{report.judged_requests:,} later requests of {report.viewers:,} viewers",
        markup=False,
        soft_wrap=True,
    )
    cells = [[row.label, *_measure(row, wide), _compare(report, row, wide)] for row in report.rows]
    header = ("label", *SHOWN, "NDCG less share")
    print_grid(Grid(header, cells, title="Rankers by label, 95 % intervals by viewer"), wide)
    rest = [
        [row.label, *(f"{n:,}" for n in row.grades.values()), *_measure(row, wide, POOLED_MEASURES[3:])]
        for row in report.rows
    ]
    names = ("label", "grade 1", "grade 2", "grade 3", *POOLED_MEASURES[3:])
    print_grid(Grid(names, rest, title="Rows by grade, and the probability"), wide)


def build_document(report: LabelReport) -> dict[str, object]:
    """Returns the table for JSON."""
    return {
        "training_requests": report.training_requests,
        "judged_requests": report.judged_requests,
        "viewers": report.viewers,
        "rows": [
            {
                "label": row.label,
                "grades": row.grades,
                "measures": {m: row.measures.get_interval(m) for m in POOLED_MEASURES},
                "minus_watched_share": {
                    m: row.measures.compare(report.baseline.measures, m) for m in POOLED_MEASURES
                },
            }
            for row in report.rows
        ],
    }


def _measure(row: LabelRow, wide: bool, measures: tuple[str, ...] = SHOWN) -> list[str]:
    return [format_interval(row.measures.get_interval(measure), wide) for measure in measures]


def _compare(report: LabelReport, row: LabelRow, wide: bool) -> str:
    is_baseline = row.label is BASELINE
    return format_interval(
        None if is_baseline else row.measures.compare(report.baseline.measures, "ndcg@10"), wide
    )
