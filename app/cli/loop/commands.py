"""The command of the loop: one run, or a process that repeats it."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from reelrank.app.cli.console import out, print_json, show_progress_bars
from reelrank.app.loop.container_work import ContainerWork
from reelrank.app.loop.machine import Loop
from reelrank.app.loop.schedule import repeat
from reelrank.app.loop.steps import StepResult
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.registry.decisions import FileHistory, StepOutcome

app = typer.Typer()
EXIT_CODES = {StepOutcome.REFUSED: 4, StepOutcome.ROLLED_BACK: 5, StepOutcome.FAILED: 1}
EPILOG = (
    "Exit codes of `--once`: 0 nothing new, waiting for traffic, or promoted; 4 the gate, the shadow or the "
    "canary refused the release; 5 it was rolled back; 1, 2 and 3 as with every command. "
    "Example: `reelrank loop --once`, or `reelrank loop --simulate --seed 1`"
)


@app.command(epilog=EPILOG)
def loop(
    once: Annotated[bool, typer.Option("--once", help="Do what there is to do now, then end.")] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Show it on simulated viewers, in a folder of its own.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of films, viewers and faults, with --simulate.")] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of --simulate; by default simulations/loop-SEED in the data directory."),
    ] = None,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document, with --once or --simulate."),
) -> None:
    """Keep learning: export, label, train, gate, shadow, canary, promote, watch, roll back."""
    settings = Settings()
    if simulate:
        from reelrank.app.cli.loop.simulation import run_simulation

        raise typer.Exit(run_simulation(settings, seed, folder, as_json))
    if not once:
        repeat(lambda: run_once(settings, ignore_progress), settings.loop_interval_minutes)
        return
    with show_progress_bars() as progress:
        result = run_once(settings, progress)
    end_with(result, as_json)


def run_once(settings: Settings, progress: Progress) -> StepResult:
    """Runs the loop of these settings once."""
    work = ContainerWork(build_container(settings), progress)
    directory = settings.loop_dir
    return Loop(work, directory, FileHistory(directory)).run_once()


def end_with(result: StepResult, as_json: bool) -> NoReturn:
    """Prints the last decision and ends with its exit code."""
    if as_json:
        print_json(
            {
                "outcome": result.outcome,
                "verdict": result.verdict,
                "step": result.state.step,
                "release": result.state.release,
            }
        )
    else:
        out.print(f"{result.outcome}: {result.verdict}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_CODES.get(result.outcome, 0))
