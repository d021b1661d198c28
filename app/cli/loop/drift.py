"""The command that compares what was shown in two spans of pages, and what viewers did with it."""

from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, print_json, print_plain
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.loop.drift_reports import DAYS, HOURS, measure_serving
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.drift.kept_report import KeptDrift
from reelrank.ranking.drift.report import Kind, SeriesDrift

app = typer.Typer()
COLUMNS = ("distribution", "of", "before", "now", "PSI", "KS", "JS", "shift", "missing", "gain", "q")
SHOWN = 15
LEVELS = " ▁▂▃▄▅▆▇█"


@app.command(epilog="Example: `reelrank drift --hours 24 --days 28`")
def drift(
    hours: Annotated[float, typer.Option(min=1, max=720, help="The last so many hours.")] = HOURS,
    days: Annotated[float, typer.Option(min=0.1, max=365, help="The days before, to compare with.")] = DAYS,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Name what differs from earlier days: features, scores, clicks and watched shares, known items."""
    kept = measure_serving(build_container(Settings()), hours, days)
    report = kept.report
    if as_json:
        print_json(_describe(kept))
        return
    always, quiet = report.split_quiet_features()
    rows = [_format(one) for one in (always + quiet)[: max(SHOWN, len(always))]]
    viewers = " and ".join(f"{count:,.0f}" for count in report.viewers)
    print_grid(Grid(COLUMNS, rows, title=f"Shown items of {viewers} viewers"), wide)
    if report.embeddings_age_h is not None:
        print_plain(
            f"the newest event that the embeddings learned from is {report.embeddings_age_h:,.1f} h old"
        )
    print_plain(f"{report.describe()}; policy: {report.action}")


def _format(one: SeriesDrift) -> tuple[str, ...]:
    distance = one.distance
    missing = f"{distance.missing_before:.0%} to {distance.missing_now:.0%}"
    return (
        one.name,
        one.kind,
        draw_shares(distance.before),
        draw_shares(distance.now),
        f"{distance.psi:.3f}",
        f"{distance.ks:.3f}",
        f"{distance.js:.3f}",
        f"{distance.shift:+.2f}",
        missing,
        f"{one.gain:.1%}" if one.kind is Kind.FEATURES else "",
        f"{one.q_value:.2g}",
    )


def draw_shares(shares: tuple[float, ...]) -> str:
    """Draws one block per bin, taller for a larger share; a quarter or more fills the line."""
    return "".join(
        LEVELS[min(round(4 * share * (len(LEVELS) - 1)), len(LEVELS) - 1)] for share in shares[:-1]
    )


def _describe(kept: KeptDrift) -> dict[str, object]:
    report = kept.report
    return {
        "action": report.action,
        "verdict": report.describe(),
        "release": kept.release,
        "before": kept.before,
        "now": kept.now,
        "viewers": report.viewers,
        "embeddings_age_h": report.embeddings_age_h,
        "series": [_describe_series(one) for one in report.series],
    }


def _describe_series(one: SeriesDrift) -> dict[str, object]:
    distance = one.distance
    return {
        "name": one.name,
        "kind": one.kind,
        "drifted": one.is_drifted,
        "psi": distance.psi,
        "ks": distance.ks,
        "js": distance.js,
        "shift": distance.shift,
        "missing": [distance.missing_before, distance.missing_now],
        "gain": one.gain,
        "q": one.q_value,
        "bins": {"edges": distance.edges, "before": distance.before, "now": distance.now},
    }
