"""The loop on simulated viewers, for the command: where it happens, and the table of what was decided."""

from pathlib import Path

from reelrank.app.cli.console import print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.layout import Grid, print_grid
from reelrank.app.loop.simulated.report import LoopReport, Row
from reelrank.app.loop.simulated.scenes import simulate_loop
from reelrank.app.loop.simulated.world import SimulationSize, prepare_folder
from reelrank.app.settings import Settings

HEADER = ("release", "decided", "as it must", "watch time by the truth", "why")
FOLDER = "simulations"


def run_simulation(settings: Settings, seed: int, folder: Path | None, as_json: bool) -> int:
    """Simulates the loop in a folder of its own, prints what it decided; returns the exit code.

    Raises Conflict when the folder has other files.
    """
    directory = folder or settings.data_dir / FOLDER / f"loop-{seed}"
    prepare_folder(directory, seed)
    with show_progress_bars() as progress:
        report = simulate_loop(directory, seed, SimulationSize(), progress)
    if as_json:
        print_json(report.to_json())
    else:
        print_report(report)
    return int(not report.happened)


def print_report(report: LoopReport) -> None:
    """Prints a line for each release, then how to see more."""
    print_grid(Grid(HEADER, [format_row(row) for row in report.rows], cut=("why",)))
    print_plain(
        f"{report.pages:,} pages of simulated viewers, {report.failed:,} of them failed; "
        f"{report.seconds:,.0f} s, {report.cpu_s:,.0f} s of CPU time"
    )
    missing = [row.made for row in report.rows if not row.happened]
    print_plain(f"did not happen: {'; '.join(missing)}" if missing else "all of it happened as it must")
    print_plain(
        f"every decision: REELRANK_DATA_DIR={report.directory} reelrank releases history\n"
        f"operator pages: REELRANK_DATA_DIR={report.directory} reelrank serve, then open /ops"
    )


def format_row(row: Row) -> tuple[str, ...]:
    """Returns the cells of a release."""
    effect = "" if row.effect is None else row.effect.describe()
    return row.made, row.verdict, "yes" if row.happened else "NO", effect, row.sentence
