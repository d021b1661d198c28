"""The command that simulates viewers, against a running service or against a policy in process."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from reelrank.app.cli.console import AsJson, out, print_json, print_plain, show_progress_bars
from reelrank.app.clock import SYSTEM_CLOCK, to_ms
from reelrank.app.simulation.films import Films, make_films
from reelrank.app.simulation.recommenders import InProcessPolicy, InProcessRecommender
from reelrank.app.simulation.report import Measure, TrafficReport
from reelrank.app.simulation.service import ServiceRecommender
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.progress import Progress

app = typer.Typer()
FILM_AGE_DAYS = 100


@app.command(epilog="Example: `reelrank simulate --url http://127.0.0.1:8080 --days 7 --viewers 200`")
def simulate(  # noqa: PLR0913  # a command's options are its arguments
    *,
    url: str = typer.Option(
        "", help="A service with REELRANK_CLOCK=simulated; without it, --policy answers."
    ),
    policy: Annotated[
        InProcessPolicy, typer.Option(help="What answers in process, without --url.")
    ] = "popular",
    films: int = typer.Option(1000, min=1, max=100_000, help="Films of the catalogue, without --url."),
    days: float = typer.Option(7, min=0.1, max=366, help="Days to simulate."),
    viewers: int = typer.Option(200, min=1, max=1_000_000, help="Number of viewers."),
    seed: int = typer.Option(0, min=0, help="Seed of the truth and of what viewers do."),
    page_size: int = typer.Option(20, min=1, max=100, help="Films of a page."),
    new_films: int = typer.Option(3, min=0, max=1000, help="Films that come out in a day."),
    start: Annotated[
        datetime | None, typer.Option(help="First day (UTC); by default, so many days before today.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate viewers with known tastes: what they click and watch, and what their pages deserve."""
    today = SYSTEM_CLOCK.now().replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = today - timedelta(days=days) if start is None else start.replace(tzinfo=UTC)
    start_ms = to_ms(first_day) // DAY_MS * DAY_MS
    options = TrafficOptions(seed, viewers, days, start_ms, page_size, new_films)
    started = time.monotonic()
    with show_progress_bars() as progress:
        if url:
            report = simulate_service(options, url, progress)
        else:
            report = simulate_in_process(options, policy, films, progress)
    print_report(report, time.monotonic() - started, as_json)


def simulate_service(options: TrafficOptions, url: str, progress: Progress) -> TrafficReport:
    """Simulates viewers of a running service."""
    films, viewers = Films(options.seed), options.create_viewers()
    service = ServiceRecommender(url, films, viewers)
    service.check_clock()
    try:
        return run_traffic(options, GroundTruth(films, viewers), service, progress)
    finally:
        service.close()


def simulate_in_process(
    options: TrafficOptions, policy: InProcessPolicy, films: int, progress: Progress
) -> TrafficReport:
    """Simulates viewers of made-up films that a policy in process recommends."""
    known, viewers = Films(options.seed), options.create_viewers()
    known.add(make_films(options.seed, "film", films, options.start_ms - FILM_AGE_DAYS * DAY_MS))
    recommender = InProcessRecommender(policy, known, viewers, options.seed)
    return run_traffic(options, GroundTruth(known, viewers), recommender, progress)


def print_report(report: TrafficReport, seconds: float, as_json: bool) -> None:
    figures = report.to_json()
    rate = figures["pages"] / seconds
    if as_json:
        print_json(figures | {"seconds": seconds, "pages_per_second": rate})
        return
    table = Table("by impression", "observed", "95 % interval", "expected", box=None)
    table.add_row("click-through", *_format_measure(report.ctr, "{:.4f}"))
    table.add_row("minutes watched", *_format_measure(report.watch_time, "{:.3f}"))
    out.print(table)
    print_plain(
        f"{figures['impressions']:,} impressions on {figures['pages']:,} pages of "
        f"{figures['viewers_seen']:,} viewers, {figures['clicks']:,} clicks; "
        f"{figures['failed_pages']:,} pages failed; {rate:,.1f} pages a second"
    )


def _format_measure(measure: Measure, form: str) -> tuple[str, str, str]:
    observed = measure.observed
    interval = f"{form.format(observed.low)} to {form.format(observed.high)}"
    return form.format(observed.mean), interval, form.format(measure.expected)
