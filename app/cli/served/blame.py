"""The command that says why pages did not show what was watched afterwards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.jobs.served.blame import BlameOptions, BlameReport, blame_pages
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.evaluation.served.blame import Blame, Cause, count_causes

app = typer.Typer()
MOST_NAMED = 10


@app.command(epilog="Example: `reelrank blame --days 7`")
def blame(
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="Of the last so many days.")] = 1.0,
    requests: Annotated[
        int, typer.Option(min=1, max=100_000, help="Look at most at so many requests, a sample.")
    ] = 200,
    request_id: Annotated[str, typer.Option("--request", help="Look at this request alone.")] = "",
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Say for what was watched after a page why the page did not show it near the top."""
    options = BlameOptions(days, requests, request_id)
    with show_progress_bars() as progress:
        report = blame_pages(build_container(Settings()), options, progress)
    if as_json:
        rows = [asdict(one) | {"sentence": one.sentence} for one in report.blamed]
        print_json(asdict(report) | {"blamed": rows})
        return
    print_causes(report, wide)
    if request_id:
        for one in report.blamed:
            print_plain(f"{one.item}: {one.sentence}")
    else:
        print_names(report.blamed)


def print_causes(report: BlameReport, wide: bool) -> None:
    """Prints how many wanted items were lost at which step, on each surface."""
    print_plain(f"{len(report.blamed):,} items were watched after {report.requests:,} requests")
    for reason, count in report.left_out.items():
        print_plain(f"left out: {count:,} requests {reason}")
    counts = count_causes(report.blamed)
    rows = [
        [cause.value, *(f"{found[cause] / max(found.total(), 1):.0%}" for found in counts.values())]
        for cause in Cause
    ]
    print_grid(Grid(("what became of them", *counts), rows, title="Items that were wanted"), wide)


def print_names(blamed: Sequence[Blame]) -> None:
    """Prints which sources came nearest, and which features held items down most often."""
    sources = Counter(one.source for one in blamed if one.source)
    features = Counter(name for one in blamed for name in one.features)
    for title, names in (("sources that came nearest", sources), ("features that held down", features)):
        if names:
            listed = ", ".join(f"{name} {count:,}" for name, count in names.most_common(MOST_NAMED))
            print_plain(f"{title}: {listed}")
