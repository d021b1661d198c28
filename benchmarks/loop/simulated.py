"""`python -m benchmarks loop`: the whole loop on simulated viewers, for seeds 0 to N - 1.

Each seed is one `reelrank loop --simulate`: a better release must be promoted, five bad ones refused by the
gate, and harmful ones taken back, within half an hour on two cores.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson

from benchmarks.machine import describe_machine
from benchmarks.markdown import format_table
from reelrank.app.cli.loop.simulation import print_row
from reelrank.app.loop.simulated.report import LoopReport
from reelrank.app.loop.simulated.scenes import simulate_loop
from reelrank.app.loop.simulated.world import SimulationSize, prepare_folder
from reelrank.ranking.progress import ignore_progress

RESULTS = Path(__file__).parents[1] / "results" / "loop.json"
MAX_S = 1800.0
"""The aim for a seed, on two cores that do nothing else. CPU time is compared, so others may work."""


def main(argv: Sequence[str]) -> int:
    """Returns 1 if a seed did not go as it must, or took too long, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks loop", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to N - 1")
    parser.add_argument("--first", type=int, default=0, help="begin with this seed; adds to the results")
    parser.add_argument("--keep", type=Path, help="keep the data of each seed below this folder")
    options = parser.parse_args(argv)
    if options.first >= options.seeds:
        parser.error(f"--first {options.first} leaves no seed below --seeds {options.seeds}")
    with tempfile.TemporaryDirectory(prefix="reelrank-loop-") as temporary:
        folder = options.keep or Path(temporary)
        reports = [run_seed(seed, folder / f"loop-{seed}") for seed in range(options.first, options.seeds)]
    write_results(reports, " ".join(["python -m benchmarks loop", *argv]))
    return int(not all(report.happened and report.cpu_s < MAX_S for report in reports))


def run_seed(seed: int, directory: Path) -> LoopReport:
    """Runs one seed in this folder, and prints its table."""
    prepare_folder(directory, seed)
    report = simulate_loop(directory, seed, SimulationSize(), ignore_progress, print_row)
    rows = [
        (
            row.made,
            row.verdict,
            "yes" if row.happened else "NO",
            "" if row.effect is None else row.effect.describe(),
            ", ".join(row.failed),
            f"{row.figures['viewers']:,.0f}" if "viewers" in row.figures else "",
        )
        for row in report.rows
    ]
    head = ("release", "decided", "as it must", "watch time by the truth", "failed checks", "viewers")
    print(
        f"seed {seed}: {report.pages:,} pages, {report.failed} failed, {report.seconds:,.0f} s, "
        f"{report.cpu_s:,.0f} s of CPU time\n{format_table(head, rows)}\n",
        flush=True,
    )
    return report


def write_results(reports: Sequence[LoopReport], command: str) -> None:
    """Writes the figures of these seeds, beside those of other seeds that are there."""
    known = (
        {}
        if not RESULTS.exists()
        else {one["seed"]: one for one in orjson.loads(RESULTS.read_bytes())["seeds"]}
    )
    known |= {report.seed: report.to_json() | {"directory": ""} for report in reports}
    figures = {
        "command": command,
        "machine": describe_machine(),
        "seeds": [known[seed] for seed in sorted(known)],
    }
    RESULTS.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
