"""`python -m benchmarks quality`: every data set that is there, judged against its goals."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.quality import demo, movielens, mq2008, scifact
from benchmarks.quality.datasets import VARIABLE, DatasetMissing
from benchmarks.quality.report import Report
from benchmarks.quality.report_files import write_report
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
    """0 when every goal of what was measured is met, 1 when one is missed; 2 when nothing was measured, or
    not everything that was named. What is not measured is told last, with what to do."""
    options = _build_parser().parse_args(arguments)
    logging.getLogger("gensim").setLevel(logging.WARNING)
    results = Path(options.results) if options.results else None if options.small else RESULTS
    parts: dict[str, Measure] = {**PARTS, demo.NAME: partial(demo.measure, data_dir=options.demo)}
    reports, absent = list[Report](), list[str]()
    for name in options.parts or parts:
        started = time.monotonic()
        try:
            report = parts[name](_ProgressReporter(name), options.small)
        except DatasetMissing as reason:
            absent.append(f"{name} is not measured: {reason}")
            continue
        print(report.format_text(), flush=True)
        reports.append(report)
        if results is not None:
            write_report(report, results, time.monotonic() - started)
    print(
        f"measured: {', '.join(report.name for report in reports) or 'nothing'}",
        *absent,
        sep="\n",
        flush=True,
    )
    if absent and (options.parts or not reports):
        return 2
    return int(any(not goal.is_met for report in reports for goal in report.goals))


class _ProgressReporter:
    """Progress for a person who waits: a line now and then, on standard error."""

    def __init__(self, part: str) -> None:
        self.part, self.reported_at = part, time.monotonic()

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if time.monotonic() > self.reported_at + REPORT_EVERY_S:
            self.reported_at = time.monotonic()
            print(f"{self.part}: {step} ({done} of {total})", file=sys.stderr, flush=True)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[[], *PARTS], help="which data sets; all when none is named"
    )
    parser.add_argument(
        "--small", action="store_true", help="less of everything, wider goals, nothing written"
    )
    parser.add_argument("--results", help="where the JSON, the tables and the pictures go")
    parser.add_argument(
        "--demo", type=Path, help="the data directory of a demo that is loaded; without it, it is loaded anew"
    )
    parser.epilog = f"The data sets are looked for in the folder that {VARIABLE} names."
    return parser
