"""Commands that bring data in and look at what is there."""

import time

import typer

from app.cli.console import fail, out, print_json, progress_bars
from app.cli.learn import print_outcome
from app.demo import prepare_demo
from app.doctor import diagnose
from app.settings import Settings
from app.wiring import build_parts
from loaders.demo import SOURCES

app = typer.Typer()


@app.command(epilog="Example: `reelrank demo`")
def demo() -> None:
    """Index real films, learn from real ratings, print how good the ranking is; only what is not current."""
    started = time.monotonic()
    with progress_bars() as progress:
        report = prepare_demo(build_parts(Settings()), round(time.time() * 1000), progress)
    if report.join is not None:
        join = report.join
        films, ratings = join.joined_films / join.films, join.joined_ratings / join.ratings
        out.print(f"joined {films:.1%} of {join.films} films and {ratings:.1%} of {join.ratings} ratings")
    for source in SOURCES:
        out.print(f"data: {source.name}; {source.licence}; {source.citation}", markup=False)
    if report.outcome is None:
        out.print("everything is current; nothing was done again")
    else:
        print_outcome(report.outcome, time.monotonic() - started)


@app.command(epilog="Example: `reelrank doctor --json`")
def doctor(as_json: bool = typer.Option(False, "--json", help="One JSON document.")) -> None:
    """Say what is there, what disagrees with what, and how to mend it. Exit code 1 if anything does."""
    diagnosis = diagnose(build_parts(Settings()))
    if as_json:
        print_json({"facts": diagnosis.facts, "complaints": diagnosis.complaints})
    else:
        for name, fact in diagnosis.facts.items():
            out.print(f"{name:<20} {fact}", markup=False)
    if diagnosis.complaints:
        fail("; ".join(diagnosis.complaints))
