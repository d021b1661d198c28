"""The command that compares logged signals with those that are observed again."""

from dataclasses import asdict
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, fail, print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.jobs.served.skew import SkewOptions, SkewReport, measure_logged_skew
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.evaluation.served.skew import TOLERANCE

app = typer.Typer()


@app.command(epilog="Example: `reelrank skew --pages 1000`")
def skew(  # noqa: PLR0913  # a command's options are its arguments
    *,
    pages: Annotated[int, typer.Option(min=1, max=1_000_000, help="Compare at most so many pages.")] = 1000,
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="Of the last so many days.")] = 7.0,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a feature's values that may differ.")
    ] = TOLERANCE,
    lag: Annotated[
        float, typer.Option(min=0, help="Seconds that counters and impressions may have been late.")
    ] = 2.0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Compare the signals of logged pages with those observed again; exit with 1 when features differ."""
    options = SkewOptions(pages, days, lag, tolerance)
    with show_progress_bars() as progress:
        report = measure_logged_skew(build_container(Settings()), options, progress)
    if as_json:
        print_json(asdict(report) | {"skew": report.sentences})
    else:
        print_skew(report, wide)
    if report.sentences:
        fail(f"{len(report.sentences)} kinds of skew between serving and training", "skew_found")


def print_skew(report: SkewReport, wide: bool) -> None:
    """Prints the pages, the share of equal values of each feature, and what is skewed."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.pages.items())
    print_plain(f"pages: {kinds}; {report.shown - report.missing:,} of {report.shown:,} shown items compared")
    for reason, count in report.left_out.items():
        print_plain(f"left out: {count:,} pages {reason}")
    rows = [[f.feature, f.group, f"{f.values:,}", f"{f.equal:.4%}", f.example] for f in report.features]
    header = ("feature", "group", "values", "equal", "first difference")
    print_grid(Grid(header, rows, cut=("first difference",), title="Logged signals, observed again"), wide)
    for sentence in report.sentences:
        print_plain(f"skew: {sentence}")
    if not report.sentences:
        print_plain(f"no feature differs in more than {report.tolerance:.1%} of its values")
