"""`python -m benchmarks NAME`: runs one benchmark, or `all` that need no server.

Each has its own options: `python -m benchmarks NAME --help`.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks import diversity, gibberish, hop, lake, logging_cost, spelling, suggest
from benchmarks.endurance import kills, memory, mutations, overload
from benchmarks.engine import run as engine
from benchmarks.experiments import coverage, interleaving_run
from benchmarks.experiments import run as experiments
from benchmarks.exploration import run as exploration
from benchmarks.headline import run as headline
from benchmarks.learning import run as learning
from benchmarks.loop import canary, drift, freshness, gate, training_cost, watch
from benchmarks.loop import simulated as simulated_loop
from benchmarks.loop_faults import loop_kills, soak
from benchmarks.quality import run as quality
from benchmarks.relevance import run as relevance
from benchmarks.request import run as request
from benchmarks.scale import compute, week
from benchmarks.servers import run as servers

BENCHMARKS = {
    "engine": engine.main,
    "headline": headline.main,
    "request": request.main,
    "quality": quality.main,
    "relevance": relevance.main,
    "servers": servers.main,
    "hop": hop.main,
    "overload": overload.main,
    "mutations": mutations.main,
    "kills": kills.main,
    "memory": memory.main,
    "spelling": spelling.main,
    "suggest": suggest.main,
    "gibberish": gibberish.main,
    "diversity": diversity.main,
    "lake": lake.main,
    "compute": compute.main,
    "week": week.main,
    "gate": gate.main,
    "learning": learning.main,
    "canary": canary.main,
    "loop-kills": loop_kills.main,
    "soak": soak.main,
    "drift": drift.main,
    "watch": watch.main,
    "freshness": freshness.main,
    "training-cost": training_cost.main,
    "loop": simulated_loop.main,
    "logging": logging_cost.main,
    "experiments": experiments.main,
    "off-policy": coverage.main,
    "interleaving": interleaving_run.main,
    "exploration": exploration.main,
}
STANDALONE = (
    "headline",
    "engine",
    "request",
    "hop",
    "spelling",
    "suggest",
    "freshness",
    "experiments",
    "quality",
)
"""Run by `all`. Quality comes last, because its output ends with the data sets that are missing."""
EXIT_MESSAGES = {
    0: "every limit was met; aims that were missed are listed below the tables",
    1: "A LIMIT WAS MISSED",
    2: "NOT MEASURED, for the reason above",
}


def main() -> int:
    """Returns the highest exit code: 1 if a limit or goal was missed, 2 if nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["all", *BENCHMARKS])
    name = parser.parse_args(sys.argv[1:2]).name
    return _run_all(sys.argv[2:]) if name == "all" else BENCHMARKS[name](sys.argv[2:])


def _run_all(arguments: Sequence[str]) -> int:
    """Runs all, even after a failure, and prints a line for each."""
    codes, lines = [], []
    for name in STANDALONE:
        began = time.monotonic()
        codes.append(BENCHMARKS[name](arguments))
        lines.append(f"{name}: {EXIT_MESSAGES[codes[-1]]} ({time.monotonic() - began:.0f} s)")
    print("\n".join(lines), flush=True)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
