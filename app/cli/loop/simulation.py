"""The loop on simulated viewers, for the command: where it happens, and what was decided."""

from pathlib import Path

from reelrank.app.cli.console import print_json, print_plain, show_progress_bars
from reelrank.app.loop.simulated.report import LoopReport, Row
from reelrank.app.loop.simulated.scenes import ignore_row, simulate_loop
from reelrank.app.loop.simulated.world import SimulationSize, prepare_folder
from reelrank.app.settings import Settings

FOLDER = "simulations"


def run_simulation(settings: Settings, seed: int, folder: Path | None, as_json: bool) -> int:
    """Simulates the loop in a folder of its own, prints what it decided; returns the exit code.

    Each release is printed once it is decided. Raises Conflict when the folder has other files.
    """
    directory = folder or settings.data_dir / FOLDER / f"loop-{seed}"
    prepare_folder(directory, seed)
    with show_progress_bars() as progress:
        on_row = ignore_row if as_json else print_row
        report = simulate_loop(directory, seed, SimulationSize(), progress, on_row)
    if as_json:
        print_json(report.to_json())
    else:
        print_summary(report)
    return int(not report.happened)


def print_row(row: Row) -> None:
    """Prints a release: what it is and what was decided, why, and what it is worth by the truth."""
    lines = [
        f"{'as it must' if row.happened else 'NOT AS IT MUST'}: {row.made}",
        f"{row.verdict}: {row.sentence}",
    ]
    if not row.happened:
        lines.append(f"it had to be {row.wanted_verdict}")
    if row.effect is not None:
        lines.append(f"true change of the watch time of home pages: {row.effect.describe()}")
    print_plain("\n  ".join(lines))


def print_summary(report: LoopReport) -> None:
    """Prints whether all of it happened, then how to see more."""
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
