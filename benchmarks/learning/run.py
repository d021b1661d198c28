"""`python -m benchmarks learning`: memory and CPU time of learning, and until a worker is ready, by size.

Histories of generated pages are written into a lake and an event store; then each step runs in a process of
its own, so that its peak memory is its own. Aims: less than 2 GB, less than 60 CPU seconds for a million
impressions, at most 1.1 times the memory for ten times the impressions, and a worker that is ready in 10 s.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.data.catalogue import Catalogue
from benchmarks.learning.histories import History, choose_end, write_history, write_one_viewer
from benchmarks.learning.report import MAX_RSS_MB, list_misses, tabulate, write_results
from benchmarks.learning.steps import ONE_VIEWER, STEPS, Figures
from benchmarks.machine import describe_machine
from reelrank.app.settings import Settings
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import build_container
from reelrank.ranking.progress import ignore_progress

ITEMS, SMALL_ITEMS = 10_000, 300
DAYS, MIN_DAYS, MIN_PER_DAY = 30, 4, 12_500
"""A day of fewer impressions has too few plays to stop a training by: small histories have fewer days."""
SMALL_EVENTS = 50_000
VERSION = "items-generated"
RESULTS = Path(__file__).parents[1] / "results"


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if a step fails. Missed aims are listed below the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks learning", description=__doc__)
    parser.add_argument("--events", default="1e5,1e6", help="numbers of impressions, such as 1e5,1e6,1e7")
    parser.add_argument("--small", action="store_true", help="one small history; writes nothing")
    parser.add_argument("--films", type=int, help="train once on a viewer who watched so many films instead")
    parser.add_argument("--days", type=int, default=DAYS, help="most days that a history covers")
    options = parser.parse_args(arguments)
    if options.films:
        return _measure_one_viewer(options.films)
    sizes = [SMALL_EVENTS] if options.small else [int(float(text)) for text in options.events.split(",")]
    began, machine = time.monotonic(), describe_machine()
    runs = [_measure_size(size, options.days, options.small) for size in sizes]
    print(tabulate(runs), *list_misses(runs), sep="\n", flush=True)
    if not options.small:
        took = round(time.monotonic() - began)
        command = f"python -m benchmarks learning --events {options.events}"
        write_results({"runs": runs, "machine": machine, "command": command, "took_s": took}, RESULTS)
    return 0


def _measure_one_viewer(films: int) -> int:
    """Trains on the history of a viewer who watched every film, and a few others."""
    with tempfile.TemporaryDirectory(prefix="reelrank-learning-") as folder:
        container = build_container(Settings(data_dir=Path(folder)))
        write_one_viewer(Catalogue(films), container)
        peak = int(_run_step(ONE_VIEWER, Path(folder))["rss_mb"])
    print(f"one viewer of {films:,} films: {peak:,} MB, the aim is {MAX_RSS_MB:,}", flush=True)
    return 0


def _measure_size(impressions: int, days: int, is_small: bool) -> dict[str, Any]:
    """Generates a history and runs all steps on it."""
    days = min(days, max(impressions // MIN_PER_DAY, MIN_DAYS))
    with tempfile.TemporaryDirectory(prefix="reelrank-learning-") as folder:
        directory = Path(folder)
        catalogue = Catalogue(SMALL_ITEMS if is_small else ITEMS)
        container = build_container(Settings(data_dir=directory))
        container.engine.create_index(VERSION)
        for batch in catalogue.generate_batches():
            container.engine.write(VERSION, batch)
        ItemTableStore(container.settings.tables_dir, container.engine).build(VERSION, None)
        container.engine.promote(VERSION)
        began = time.monotonic()
        history = History(impressions, days, choose_end(datetime.now(UTC)), catalogue)
        events = write_history(history, container, ignore_progress)
        print(f"{impressions:,}: {events:,} events in {time.monotonic() - began:.0f} s", flush=True)
        steps = [_run_step(step, directory) for step in STEPS]
        sizes = {name: _measure_bytes(directory / name) for name in ("lake", "training-cache", "engine")}
    return {"impressions": impressions, "days": days, "events": events, "bytes": sizes, "steps": steps}


def _run_step(step: str, directory: Path) -> Figures:
    command = [sys.executable, "-m", "benchmarks.learning.steps", step, str(directory)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # as the command `reelrank` sets it
    completed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if completed.returncode:
        raise SystemExit(f"{step} failed:\n{completed.stderr[-3000:]}")
    figures: Figures = json.loads(completed.stdout.splitlines()[-1])
    print(figures, flush=True)
    return figures


def _measure_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
