"""Commands that set up the demo, check the project, back it up and restore it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, fail, out, print_json, print_plain, show_progress_bars
from reelrank.app.cli.learn import describe_training_run
from reelrank.app.cli.serve import Check, check_service, start_service
from reelrank.app.cli.tables.quality import describe_gain, render_training_run
from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.jobs.backup import BackupReport, back_up
from reelrank.app.jobs.backup import restore as restore_backup
from reelrank.app.jobs.demo import DemoReport, prepare_demo
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.loaders.demo import SOURCES
from reelrank.ranking.durable import write_file

app = typer.Typer()
TABLES_NAME = "evaluation.txt"


@app.command(epilog="Example: `reelrank demo --no-serve`")
def demo(
    serve: Annotated[bool, typer.Option(help="Serve the API and the page when everything is ready.")] = True,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Index real films, learn from real ratings, measure the ranking, serve. Finished steps are skipped."""
    started = time.monotonic()
    try:
        with show_progress_bars() as progress:
            report = prepare_demo(build_container(Settings()), progress)
    except ModuleNotFoundError as error:
        fail(
            f"the demo's data is not installed ({error.name}); run: pip install 'reelrank[demo]'",
            "demo_not_installed",
        )
    if as_json:
        print_json(_describe_report(report))
    else:
        _print_report(report)
    settings = Settings()  # before the check, which serves on a free port
    if check:
        check_service()
    if not as_json:
        _print_gain(report, settings, time.monotonic() - started)
    if serve and not check:
        start_service(open_page=True)


def _describe_report(report: DemoReport) -> dict[str, object]:
    training_run = None if report.training_run is None else describe_training_run(report.training_run)
    return {
        "join": report.join and asdict(report.join),
        "training_run": training_run,
        "sources": [asdict(source) for source in SOURCES],
    }


def _print_report(report: DemoReport) -> None:
    """Prints what was joined and where it is from; the tables of a training run go to a file."""
    if report.join is not None:
        join = report.join
        films, ratings = join.joined_films / join.films, join.joined_ratings / join.ratings
        out.print(f"joined {films:.1%} of {join.films} films and {ratings:.1%} of {join.ratings} ratings")
    for source in SOURCES:
        line = f"data: {source.name}; {source.licence}; {source.citation}"
        out.print(line, markup=False, soft_wrap=True)
    if report.training_run is not None:
        tables = render_training_run(report.training_run.evaluation, report.training_run.recall)
        write_file(Settings().reports_dir / TABLES_NAME, tables.encode())


def _print_gain(report: DemoReport, settings: Settings, seconds: float) -> None:
    """Prints in three sentences what the demo learned, where the numbers are, and what to do next."""
    if report.training_run is None:
        first = "Everything is up to date; no step was repeated."
    else:
        first = describe_gain(report.training_run.evaluation, seconds)
    address = f"http://{settings.host}:{settings.port}/"
    print_plain(first)
    print_plain(f"The measures are in {settings.reports_dir}: evaluation.txt, evaluation.json and pictures.")
    print_plain(
        f"Next, look at {address} while `reelrank serve` runs, or at a catalogue of your own: "
        "reelrank load items FILE --dry-run"
    )


@app.command(epilog="Example: `reelrank doctor --json`")
def doctor(as_json: AsJson = False) -> None:
    """Check index, item table and model, and say how to repair what is wrong. Exit code 1 if anything is.

    A step that a new project still needs, such as training, is a hint and no error.
    """
    diagnosis = diagnose(build_container(Settings()))
    if as_json:
        names_of_0_1 = {"facts": diagnosis.status, "complaints": diagnosis.problems}
        print_json({**asdict(diagnosis), **names_of_0_1})
    else:
        for name, value in diagnosis.status.items():
            out.print(f"{name:<20} {value}", markup=False)
        for hint in diagnosis.hints:
            print_plain(f"hint: {hint}")
    if diagnosis.problems:
        fail("; ".join(diagnosis.problems), "problems_found")


@app.command(epilog="Example: `reelrank backup backups/monday`")
def backup(
    directory: Annotated[Path, typer.Argument(help="A new directory.")], as_json: AsJson = False
) -> None:
    """Copy catalogue, events, lake, models, releases and keys into a new directory, also while serving."""
    with show_progress_bars() as progress:
        report = back_up(build_container(Settings()), directory, progress)
    _print_backup(report, f"backed up into {directory}", as_json)


@app.command(epilog="Example: `reelrank restore backups/monday`, with REELRANK_DATA_DIR=restored")
def restore(
    directory: Annotated[Path, typer.Argument(help="What `backup` made.")], as_json: AsJson = False
) -> None:
    """Copy a backup into REELRANK_DATA_DIR, which must be empty, after a check of every file."""
    settings = Settings()
    with show_progress_bars() as progress:
        report = restore_backup(settings, directory, progress)
    _print_backup(report, f"restored into {settings.data_dir}", as_json)


def _print_backup(report: BackupReport, done: str, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report))
        return
    print_plain(f"{report.files:,} files ({report.bytes / 1e6:,.1f} MB) {done}")
    for note in report.notes:
        print_plain(f"note: {note}")
