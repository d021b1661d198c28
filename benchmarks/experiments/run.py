"""`python -m benchmarks experiments`: whether experiments can be believed.

A/A experiments on viewers of the simulator, wrong splits, what CUPED narrows, and the time and memory of a
report by the size of the log. `--verdicts` runs four experiments over HTTP and checks what is said of each.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.experiments.made_up_lake import EXPERIMENT, START, MadeUpExperiment, write_lake
from benchmarks.experiments.made_up_verdicts import CASES, find_verdict
from benchmarks.experiments.population import make_habits, simulate_population
from benchmarks.experiments.rates import count_false_alarms, count_mismatches, measure_narrowing
from benchmarks.experiments.verdicts import run_verdicts
from benchmarks.markdown import format_table
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.experiment_log import read_experiment_log
from reelrank.loaders.logged.experiment_pages import LogSpan

RUNS, SMALL_RUNS = 1000, 40
VIEWERS, DAYS, PAST_DAYS = 3000, 14, 14
SIMULATED, SMALL_SIMULATED, SMALL_DAYS = 1500, 300, 4
EVENTS_PER_VIEWER = 78
"""Of 14 days with a page a day."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks experiments", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few runs, in seconds")
    parser.add_argument("--events", type=int, default=0, help="only measure a report of so many events")
    parser.add_argument("--runs", type=int, default=0, help="A/A experiments")
    parser.add_argument("--verdicts", action="store_true", help="only run four experiments over HTTP")
    options = parser.parse_args(argv)
    if options.events:
        measure_report(options.events)
        return 0
    if options.verdicts:
        return print_verdicts()
    runs = options.runs or (SMALL_RUNS if options.small else RUNS)
    days, past = (SMALL_DAYS, SMALL_DAYS) if options.small else (DAYS, PAST_DAYS)
    population = simulate_population(SMALL_SIMULATED if options.small else SIMULATED, days, past)
    rates = [*count_false_alarms(population, runs, VIEWERS, days), *count_mismatches(1000)]
    print(f"{runs:,} A/A experiments of {VIEWERS:,} viewers and {days} days, and 1,000 splits")
    head = ("what", "count", "rate (99 % interval)", "aim", "met")
    print(format_table(head, [rate.describe() for rate in rates]), flush=True)
    narrowed = [
        (name, *row)
        for name, viewers in (("simulator", population), ("viewers with habits", make_habits(days, past)))
        for row in measure_narrowing(viewers, 20_000, days)
    ]
    titles = ("viewers", "measure", "rho", "sqrt(1 - rho^2)", "width by CUPED", "within 5 %")
    print(format_table(titles, narrowed))
    rows = []
    for name, (made_up, expected) in CASES.items():
        verdict, sentence = find_verdict(made_up)
        rows.append((name, verdict, "yes" if verdict is expected else "NO", sentence))
    print(format_table(("made-up experiment", "verdict", "right", "sentence"), rows))
    return int(not all(rate.is_met for rate in rates) or any("NO" in row for row in (*narrowed, *rows)))


def print_verdicts() -> int:
    """Prints what is said of each of four experiments; returns 1 if one verdict is not the right one."""
    outcomes = run_verdicts()
    rows = [
        (one.name, one.verdict, "yes" if one.is_expected and one.is_on_page else "NO", one.sentence)
        for one in outcomes
    ]
    print(format_table(("experiment", "verdict", "right, and on its page", "sentence"), rows))
    return int(not all(one.is_expected and one.is_on_page for one in outcomes))


def measure_report(events: int) -> None:
    """Writes a lake of about so many events, then prints CPU time and memory of reading it."""
    with tempfile.TemporaryDirectory(prefix="reelrank-bench-") as directory:
        storage = LakeStorage(directory)
        written = write_lake(storage, MadeUpExperiment(viewers=events // EVENTS_PER_VIEWER, effect=0.02))
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        end = START + timedelta(days=7)
        span = LogSpan(EXPERIMENT, START, end, end + timedelta(days=1), ("control", "treatment"))
        log = read_experiment_log(Lake(storage), span)
        seconds = time.process_time() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"{written:,} events, {len(log):,} viewers: {seconds:.0f} CPU seconds, largest memory "
            f"{memory / 1e6:.2f} GB ({before / 1e6:.2f} GB after the log was made up)"
        )
