"""The command that compares the features of two spans of pages."""

from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, print_json, print_plain
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.loop.reading.feature_drift import choose_spans, measure_drift
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, read_serving_model
from reelrank.ranking.drift.report import DriftReport, FeatureDrift
from reelrank.ranking.rankers.lambdarank import FusedOrder

app = typer.Typer()
COLUMNS = ("feature", "PSI", "KS", "JS", "shift", "missing", "gain", "q")
SHOWN = 15


@app.command(epilog="Example: `reelrank drift --hours 24 --days 28`")
def drift(
    hours: Annotated[float, typer.Option(min=1, max=720, help="The last so many hours.")] = 24.0,
    days: Annotated[float, typer.Option(min=0.1, max=365, help="The days before, to compare with.")] = 28.0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Name the features of shown items that differ from those of earlier days, and what to do about it."""
    container = build_container(Settings())
    before, now = choose_spans(container.clock.now(), hours, days)
    report = measure_drift(container, before, now, read_serving_model(container) or FusedOrder.name)
    if as_json:
        print_json(_describe(report))
        return
    rows = [_format(feature) for feature in report.features[:SHOWN]]
    viewers = " and ".join(f"{count:,.0f}" for count in report.viewers)
    print_grid(Grid(COLUMNS, rows, title=f"Shown items of {viewers} viewers"), wide)
    print_plain(f"{report.describe()}; policy: {report.action}")


def _format(feature: FeatureDrift) -> tuple[str, ...]:
    distance = feature.distance
    missing = f"{distance.missing_before:.0%} to {distance.missing_now:.0%}"
    return (
        distance.feature,
        f"{distance.psi:.3f}",
        f"{distance.ks:.3f}",
        f"{distance.js:.3f}",
        f"{distance.shift:+.2f}",
        missing,
        f"{feature.gain:.1%}",
        f"{feature.q_value:.2g}",
    )


def _describe(report: DriftReport) -> dict[str, object]:
    return {
        "action": report.action,
        "verdict": report.describe(),
        "viewers": report.viewers,
        "features": [
            {
                "feature": one.distance.feature,
                "drifted": one.is_drifted,
                "psi": one.distance.psi,
                "ks": one.distance.ks,
                "js": one.distance.js,
                "shift": one.distance.shift,
                "missing": [one.distance.missing_before, one.distance.missing_now],
                "gain": one.gain,
                "q": one.q_value,
            }
            for one in report.features
        ],
    }
