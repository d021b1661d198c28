"""`python -m benchmarks quality`: every data set that is there, judged against its goals."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from benchmarks.quality import movielens, mq2008, scifact
from benchmarks.quality.datasets import VARIABLE, Absent
from benchmarks.quality.report import write_report
from ranking.progress import silent

PARTS: dict[str, ModuleType] = {part.NAME: part for part in (scifact, mq2008, movielens)}
RESULTS = Path(__file__).parent.parent / "results"


def main(arguments: Sequence[str]) -> int:
    """0 when every goal of what was measured is met, 1 when one is missed."""
    options = _options().parse_args(arguments)
    logging.getLogger("gensim").setLevel(logging.WARNING)
    results = Path(options.results) if options.results else None if options.small else RESULTS
    missed = 0
    for name in options.parts or PARTS:
        started = time.monotonic()
        try:
            report = PARTS[name].measure(silent, options.small)
        except Absent as absent:
            print(f"{absent}\n", file=sys.stderr)
            continue
        print(report.text(), flush=True)
        missed += sum(not goal.is_met for goal in report.goals)
        if results is not None:
            write_report(report, results, time.monotonic() - started)
    return int(missed > 0)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[[], *PARTS], help="which data sets; all when none is named"
    )
    parser.add_argument(
        "--small", action="store_true", help="less of everything, wider goals, nothing written"
    )
    parser.add_argument("--results", help="where the JSON, the tables and the pictures go")
    parser.epilog = f"The data sets are looked for in the folder that {VARIABLE} names."
    return parser
