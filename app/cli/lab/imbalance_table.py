"""The table, the plot and the JSON document of the imbalance lab."""

from pathlib import Path

from reelrank.app.cli.console import out
from reelrank.app.cli.tables.layout import Grid, format_interval, print_grid
from reelrank.app.jobs.lab.imbalance import ImbalanceReport, ImbalanceRow
from reelrank.app.jobs.lab.verdict import describe_verdict
from reelrank.ranking.evaluation.plots import write_measures_plot
from reelrank.ranking.evaluation.pooled_measures import POOLED_MEASURES


def write_plot(report: ImbalanceReport, directory: Path) -> tuple[Path, Path]:
    """Writes imbalance.svg and imbalance.png."""
    rows = {
        f"{row.trial.model}: {row.name}": {m: row.measures.get_interval(m) for m in POOLED_MEASURES}
        for row in report.rows
    }
    title = (
        f"Ways of handling imbalance on {report.judged_requests:,} later requests, 95 % intervals by viewer"
    )
    return write_measures_plot(rows, title, directory / "imbalance")


def print_report(report: ImbalanceReport, wide: bool) -> None:
    out.print(
        f"trained on {report.training_requests:,} requests, {report.positive_share:.2%} of their candidates "
        f"are positive; judged on {report.judged_requests:,} later requests of {report.viewers:,} viewers",
        markup=False,
        soft_wrap=True,
    )
    for model in dict.fromkeys(row.trial.model for row in report.rows):
        rows = [row for row in report.rows if row.trial.model is model]
        for measures in (POOLED_MEASURES[:3], POOLED_MEASURES[3:]):
            cells = [
                [row.name, *(format_interval(row.measures.get_interval(m), wide) for m in measures)]
                for row in rows
            ]
            print_grid(Grid(("handling", *measures), cells, title=f"{model}, 95 % intervals"), wide)
        costs = [[r.name, f"{r.cpu_s:.1f}", f"{r.peak_mb:.0f}", f"{r.rows:,}"] for r in rows]
        print_grid(
            Grid(("handling", "CPU s", "peak MB", "rows"), costs, title=f"{model}, cost of training"), wide
        )
    for line in describe_verdict(report):
        out.print(line, markup=False, soft_wrap=True)


def build_document(report: ImbalanceReport) -> dict[str, object]:
    """Returns the table and the verdict for JSON."""
    return {
        "positive_share": report.positive_share,
        "training_requests": report.training_requests,
        "judged_requests": report.judged_requests,
        "viewers": report.viewers,
        "rows": [_build_row(report, row) for row in report.rows],
        "verdict": describe_verdict(report),
    }


def _build_row(report: ImbalanceReport, row: ImbalanceRow) -> dict[str, object]:
    baseline = report.get_baseline(row.trial.model).measures
    return {
        "model": row.trial.model,
        "handling": row.trial.handling,
        "corrected": row.is_corrected,
        "measures": {m: row.measures.get_interval(m) for m in POOLED_MEASURES},
        "minus_nothing": {m: row.measures.compare(baseline, m) for m in POOLED_MEASURES},
        "cpu_s": row.cpu_s,
        "peak_mb": row.peak_mb,
        "rows": row.rows,
        "synthetic_rows": row.synthetic,
    }
