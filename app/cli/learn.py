"""Commands that train models and measure rankings."""

import time
from dataclasses import asdict, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from reelrank.app.cli.ask import DEADLINE_MS
from reelrank.app.cli.console import AsJson, fail, out, print_json, show_progress_bars
from reelrank.app.cli.served.evaluation import print_as_served
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid, shorten_interval
from reelrank.app.cli.tables.quality import build_recall_row, print_evaluation, print_recall
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.compute.backend import ComputeOptions, Place, open_compute
from reelrank.app.jobs import training as learning
from reelrank.app.jobs.comparison import compare_rankings, write_report
from reelrank.app.jobs.history import read_history
from reelrank.app.jobs.known_items import evaluate_known_items
from reelrank.app.jobs.logged_pages import TrainingSource
from reelrank.app.jobs.served.evaluation import COMPARED
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, load_model, read_serving_model
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.ranking.evaluation.candidate_recall import measure_candidate_recall
from reelrank.ranking.evaluation.known_items import QUERIES_PER_KIND, tabulate
from reelrank.ranking.evaluation.off_policy import (
    SLOT_COLUMNS,
    SLOT_KINDS,
    SlotGroup,
    SlotValueEstimate,
    collect_slot_outcomes,
    estimate_slot_value,
)
from reelrank.ranking.evaluation.order_measures import describe_cold_start
from reelrank.ranking.rankers.manifest import read_manifest


class JudgedAs(StrEnum):
    """REPLAYED: past requests are ranked again. SERVED: logged pages, as viewers saw them."""

    REPLAYED = "replayed"
    SERVED = "served"


app = typer.Typer()
SourceOption = Annotated[
    TrainingSource,
    typer.Option(
        "--from",
        help="Learn from logged pages (lake), from the loaded history, or from pages once there are enough.",
    ),
]
JudgedAsOption = Annotated[
    JudgedAs, typer.Option("--as", help="Rank past requests again, or measure logged pages as served.")
]
ServedDaysOption = Annotated[
    float,
    typer.Option(min=0.01, max=3650.0, help="Measure pages of the last so many days, with --as served."),
]
ComparedOption = Annotated[
    int,
    typer.Option(
        min=0, max=100_000, help="Requests to rank by other systems, too, with --as served; 0 for none."
    ),
]
QueriesOption = Annotated[
    int, typer.Option(min=10, max=100_000, help="Queries of each kind, with --known-items.")
]
SlotGroupOption = Annotated[
    SlotGroup | None, typer.Option("--by", help="Print one table for each surface, model or release.")
]
PlaceOption = Annotated[
    Place, typer.Option("--on", help="Compute on this machine, on Dask or on Spark (docs/scale.md).")
]
WorkersOption = Annotated[
    int, typer.Option(min=1, max=1024, help="Processes of this machine that read logged pages.")
]
ClusterOption = Annotated[
    str, typer.Option(help="Address of the Dask scheduler or the Spark master, with --on dask or spark.")
]


@app.command(epilog="Example: `reelrank train`")
def train(
    source: SourceOption = TrainingSource.AUTO,
    on: PlaceOption = Place.LOCAL,
    workers: WorkersOption = 1,
    cluster: ClusterOption = "",
    as_json: AsJson = False,
) -> None:
    """Learn embeddings and a model from the events, measure it, build an index version, promote both."""
    started = time.monotonic()
    options = ComputeOptions(on, workers, cluster)
    with show_progress_bars() as progress, open_compute(options) as compute:
        outcome = learning.train(build_container(Settings()), progress, source, compute=compute)
    if as_json:
        print_json(describe_training_run(outcome))
        return
    print_training_run(outcome, time.monotonic() - started)


@app.command(epilog="Example: `reelrank evaluate --candidates`")
def evaluate(  # noqa: PLR0913  # a command's options are its arguments
    *,
    candidates: bool = typer.Option(
        False, "--candidates", help="Measure the recall of each candidate source instead."
    ),
    known_items: bool = typer.Option(
        False, "--known-items", help="Measure searches for titles of the catalogue instead; needs no events."
    ),
    queries: QueriesOption = QUERIES_PER_KIND,
    seed: int = typer.Option(0, help="Seed of the queries, with --known-items."),
    as_: JudgedAsOption = JudgedAs.REPLAYED,
    days: ServedDaysOption = 7.0,
    compared: ComparedOption = COMPARED,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Measure the promoted model and the baselines on the newest events, with confidence intervals."""
    if known_items:
        print_known_items(queries, seed, wide, as_json)
        return
    if as_ is JudgedAs.SERVED:
        print_as_served(days, compared, wide, as_json)
        return
    parts = build_container(Settings())
    current = read_serving_model(parts)
    if current is None:
        fail("no model is promoted, so there is none to measure; run: reelrank train", "no_model_promoted")
    ranker = load_model(parts.registry.find_directory(current))
    with show_progress_bars() as progress:
        history = read_history(parts)
        judged = learning.collect_judged_requests(history, progress, ranker=ranker)
        if candidates:
            rows = measure_candidate_recall(judged)
            print_json([build_recall_row(row) for row in rows]) if as_json else print_recall(rows)
            return
        evaluation = compare_rankings(history, judged, ranker, progress)
    manifest = read_manifest(parts.registry.find_directory(ranker.name))
    evaluation = replace(evaluation, notes=(*evaluation.notes, describe_cold_start(manifest.cold_start)))
    write_report(parts.settings.reports_dir, evaluation, manifest.gains)
    print_json(evaluation.to_dict()) if as_json else print_evaluation(evaluation, wide)


def print_known_items(queries: int, seed: int, wide: bool, as_json: bool) -> None:
    container = build_container(Settings(deadline_ms=DEADLINE_MS))
    with show_progress_bars() as progress:
        results = evaluate_known_items(container, queries, seed, progress)
    if as_json:
        print_json([asdict(result) for result in results])
        return
    header, *rows = tabulate(results)
    cells = rows if wide else [tuple(map(shorten_interval, row)) for row in rows]
    names = (*header[:-1], "difference")
    print_grid(Grid(names, cells, title="Searches for titles of the catalogue, 95 % intervals"), wide)


@app.command(epilog="Example: `reelrank exploration --days 7 --by surface`")
def exploration(
    days: float = typer.Option(30.0, min=0.01, max=3650.0, help="Use the events of the last so many days."),
    by: SlotGroupOption = None,
    as_json: AsJson = False,
) -> None:
    """Report the click-through of exploration slots, and an off-policy estimate without exploration."""
    since = SYSTEM_CLOCK.now() - timedelta(days=days)
    from_ms, store = round(since.timestamp() * 1000), build_container(Settings()).events
    outcomes = collect_slot_outcomes(store.scan(from_ms, MAX_TIME_MS, SLOT_KINDS, SLOT_COLUMNS))
    if not len(outcomes):
        fail(
            f"no exploration slot was shown in the last {days:g} days; `reelrank serve` uses one slot of "
            "each home and similar-items page with ten films or more, unless REELRANK_EXPLORE_SLOTS is 0",
            "no_exploration_data",
        )
    if by is None:
        value = estimate_slot_value(outcomes)
        print_json(asdict(value)) if as_json else print_value(value)
        return
    values = {name or "not stated": estimate_slot_value(part) for name, part in outcomes.split(by).items()}
    if as_json:
        print_json({name: asdict(value) for name, value in values.items()})
        return
    for name, value in values.items():
        print_value(value, f"{by}: {name}")


def print_value(value: SlotValueEstimate, title: str | None = None) -> None:
    head = ("exploration slots", "clicked, watched or liked (95 % interval)", "sample")
    table = Table(*head, title=title, box=None)
    table.add_row("as shown", str(value.as_drawn), f"{value.draws:,} draws")
    ranked = str(value.as_ranked) if value.as_ranked else "unknown: no slot showed the ranking's own item"
    table.add_row("without exploration", ranked, f"{value.effective:,.1f} draws (effective)")
    out.print(table)


def describe_training_run(training_run: learning.TrainingRun) -> dict[str, object]:
    """Returns the evaluation with the ids of what was trained, for JSON."""
    evaluation = training_run.evaluation.to_dict()
    return {
        **evaluation,
        "model": training_run.model,
        "version": training_run.version,
        "learned_from": training_run.learned_from,
    }


def print_training_run(training_run: learning.TrainingRun, seconds: float) -> None:
    print_evaluation(training_run.evaluation)
    print_recall(training_run.recall)
    out.print(f"learned from {training_run.learned_from}", markup=False, soft_wrap=True)
    out.print(
        f"model {training_run.model}, index version {training_run.version}, {seconds:.0f} s",
        markup=False,
        soft_wrap=True,
    )
