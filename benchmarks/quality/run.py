"""`python -m benchmarks quality`: measures every data set that is found and checks its goals."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.quality import demo, movielens, mq2008, scifact
from benchmarks.quality.datasets import VARIABLE, DatasetMissing
from benchmarks.quality.report import Report, write_report
from reelrank.ranking.progress import Progress

Measure = Callable[[Progress, bool], Report]
PARTS: dict[str, Measure] = {
    scifact.NAME: scifact.measure,
    mq2008.NAME: mq2008.measure,
    movielens.NAME: movielens.measure,
    demo.NAME: demo.measure,
}
RESULTS = Path(__file__).parent.parent / "results"
REPORT_EVERY_S = 10.0


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if every goal is met, 1 if one is missed, 2 if nothing or not all of the named was measured.

    The output ends with the data sets that are missing and what to do.
    """
    options = _build_parser().parse_args(arguments)
    logging.getLogger("gensim").setLevel(logging.WARNING)
    results = Path(options.results) if options.results else None if options.small else RESULTS
    parts: dict[str, Measure] = {**PARTS, demo.NAME: partial(demo.measure, data_dir=options.demo)}
    reports, missing = list[Report](), list[str]()
    for name in options.parts or parts:
        started = time.monotonic()
        try:
            report = parts[name](_ProgressReporter(name), options.small)
        except DatasetMissing as reason:
            missing.append(f"{name} is not measured: {reason}")
            continue
        print(report.format_text(), flush=True)
        reports.append(report)
        if results is not None:
            write_report(report, results, time.monotonic() - started)
    print(
        f"measured: {', '.join(report.name for report in reports) or 'nothing'}",
        *missing,
        sep="\n",
        flush=True,
    )
    if missing and (options.parts or not reports):
        return 2
    return int(any(not goal.is_met for report in reports for goal in report.goals))


class _ProgressReporter:
    """Prints progress to standard error every REPORT_EVERY_S seconds."""

    def __init__(self, part: str) -> None:
        self.part, self.reported_at = part, time.monotonic()

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if time.monotonic() > self.reported_at + REPORT_EVERY_S:
            self.reported_at = time.monotonic()
            print(f"{self.part}: {step} ({done} of {total})", file=sys.stderr, flush=True)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="data sets to measure, all by default")
    parser.add_argument(
        "--small", action="store_true", help="less data and wider goals; no results are stored"
    )
    parser.add_argument("--results", help="directory for JSON, tables and plots")
    parser.add_argument(
        "--demo",
        type=Path,
        help="data directory with a loaded demo; without it, the demo is loaded for the run",
    )
    parser.epilog = f"{VARIABLE} names the folder of the data sets."
    return parser
