"""The table, the plot and the JSON document of the feature lab."""

from pathlib import Path

from reelrank.app.cli.console import out
from reelrank.app.cli.tables.layout import Grid, format_interval, print_grid
from reelrank.app.jobs.lab.features import FULL, MEASURES, BucketUse, FeatureReport, describe_effects
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.plots import write_measures_plot


def write_plot(report: FeatureReport, directory: Path) -> tuple[Path, Path]:
    """Writes lab-features.svg and lab-features.png: each change minus the full system."""
    rows = {FULL: dict.fromkeys(MEASURES, Interval(0.0, 0.0, 0.0))}
    rows |= {effect.name: effect.differences for effect in report.effects}
    title = f"Minus the full system, on {report.judged_requests:,} later requests, 95 % intervals by viewer"
    return write_measures_plot(rows, title, directory / "lab-features")


def print_report(report: FeatureReport, wide: bool) -> None:
    full = ", ".join(f"{measure} {report.full[measure]}" for measure in MEASURES)
    out.print(f"{FULL}: {full}", markup=False, soft_wrap=True)
    rows = [
        [effect.name, *(format_interval(effect.differences[m], wide) for m in MEASURES), effect.verdict]
        for effect in report.effects
    ]
    header = ("change", *(f"{measure} diff" for measure in MEASURES), "verdict of NDCG")
    print_grid(Grid(header, rows, cut=("change",), title=f"Minus {FULL}, 95 % intervals by viewer"), wide)
    if report.buckets:
        sizes = sorted({size for use in report.buckets for size in use.collisions})
        header = ("hashed feature", "used", "values", *(f"of {size}" for size in sizes))
        cells = [_show_use(use, sizes) for use in report.buckets]
        title = "Buckets used, distinct values (estimate), share of values that collide by number of buckets"
        print_grid(Grid(header, cells, title=title), wide)
    for line in describe_effects(report):
        out.print(line, markup=False, soft_wrap=True)


def _show_use(use: BucketUse, sizes: list[int]) -> list[str]:
    collisions = [f"{use.collisions[size]:.0%}" if size in use.collisions else "-" for size in sizes]
    values = "all used" if use.values is None else f"{use.values:.0f}"
    return [use.feature, str(use.used), values, *collisions]
