"""Commands that compare ways of training on the data at hand. They promote nothing."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, out, print_json, show_progress_bars
from reelrank.app.cli.lab import feature_table, imbalance_table, label_table, position_table
from reelrank.app.cli.tables.layout import Wide
from reelrank.app.jobs.history import read_history, select_earlier_window
from reelrank.app.jobs.lab.features import describe_effects, measure_features
from reelrank.app.jobs.lab.imbalance import compare_handlings
from reelrank.app.jobs.lab.labels import compare_labels
from reelrank.app.jobs.lab.window import SEEDS, run_backtest
from reelrank.app.jobs.training import (
    EVALUATION_REQUESTS,
    TRAINING_REQUESTS,
    collect_judged_requests,
    collect_training_set,
)
from reelrank.app.settings import Settings
from reelrank.app.simulation.position_lab import compare_ways
from reelrank.app.wiring import build_container
from reelrank.ranking.features.compute import FEATURE_NAMES

app = typer.Typer(
    help="Compare ways of training on the data at hand; nothing is promoted.", no_args_is_help=True
)
RequestsOption = Annotated[int, typer.Option("--requests", min=50, help="Past requests to train on.")]
JudgedOption = Annotated[int, typer.Option("--judged", min=50, help="Later requests to judge.")]


@app.command(epilog="Example: `reelrank lab imbalance`")
def imbalance(
    requests: RequestsOption = TRAINING_REQUESTS,
    judged: JudgedOption = EVALUATION_REQUESTS,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Compare class weights, thinned negatives and SMOTE with doing nothing, on one split by time."""
    container = build_container(Settings())
    with show_progress_bars() as progress:
        history = select_earlier_window(read_history(container))
        training = collect_training_set(history, progress, requests)
        later = collect_judged_requests(history, progress, judged)
        report = compare_handlings(training, later, FEATURE_NAMES, progress)
    paths = imbalance_table.write_plot(report, container.settings.reports_dir)
    if as_json:
        print_json(imbalance_table.build_document(report))
        return
    imbalance_table.print_report(report, wide)
    print_paths(paths)


@app.command(epilog="Example: `reelrank lab features --seeds 1`")
def features(
    requests: RequestsOption = TRAINING_REQUESTS,
    judged: JudgedOption = EVALUATION_REQUESTS,
    seeds: Annotated[int, typer.Option(min=1, max=len(SEEDS), help="Trainings of each change.")] = len(SEEDS),
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Measure the ranking without each group of features, cross and embedding, and with fewer buckets."""
    container = build_container(Settings())
    with show_progress_bars() as progress:
        history = select_earlier_window(read_history(container))
        window = run_backtest(history, requests, judged, progress)
        people = {document.item.people[0] for document in history.documents if document.item.people}
        report = measure_features(window, progress, SEEDS[:seeds], {"people_hashed": len(people)})
    paths = feature_table.write_plot(report, container.settings.reports_dir)
    if as_json:
        print_json(asdict(report) | {"verdict": describe_effects(report)})
        return
    feature_table.print_report(report, wide)
    print_paths(paths)


@app.command(epilog="Example: `reelrank lab position --pages 3000`")
def position(
    pages: Annotated[int, typer.Option(min=200, max=200_000, help="Simulated pages to learn from.")] = 3000,
    judged: Annotated[int, typer.Option(min=50, max=20_000, help="Other pages to judge.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the truth and of the clicks.")] = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Compare corrections for positions on simulated clicks, whose truth is known. Reads no data."""
    with show_progress_bars() as progress:
        report = compare_ways(pages, judged, seed, progress)
    paths = position_table.write_plot(report, Settings().reports_dir)
    if as_json:
        print_json(asdict(report))
        return
    position_table.print_report(report, wide)
    print_paths(paths)


@app.command(epilog="Example: `reelrank lab labels`")
def labels(
    requests: RequestsOption = TRAINING_REQUESTS,
    judged: JudgedOption = EVALUATION_REQUESTS,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Compare the labels that REELRANK_LABEL names: rankers trained on each, on one split by time."""
    container = build_container(Settings())
    with show_progress_bars() as progress:
        history = select_earlier_window(read_history(container))
        report = compare_labels(history, requests, judged, progress)
    paths = label_table.write_plot(report, container.settings.reports_dir)
    if as_json:
        print_json(label_table.build_document(report))
        return
    label_table.print_report(report, wide)
    print_paths(paths)


def print_paths(paths: Sequence[Path]) -> None:
    out.print(f"plots: {', '.join(map(str, paths))}", markup=False, soft_wrap=True)
