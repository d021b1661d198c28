"""`python -m benchmarks compute`: training rows by one process, by two, and by Dask, from one made-up lake.

Pages, signals and events are random: only the cost is real. Each place has an empty cache. Seconds of
processor time are of the place's own processes and their children.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as midnight
from pathlib import Path

from benchmarks.markdown import format_table
from reelrank.app.capacity.made_up_pages import DAY, PageSizes
from reelrank.app.capacity.measurement import write_made_up_pages
from reelrank.app.compute.backend import ComputeOptions, Place, open_compute
from reelrank.app.compute.logged_rows import LoggedRowOpener
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.training.partitioned.partition_task import PartitionTask, merge_samples, split_by_date

PLACES = {
    "this process": ComputeOptions(),
    "2 processes": ComputeOptions(workers=2),
    "Dask, 2 workers": ComputeOptions(Place.DASK, workers=2),
}
TRAINING_ROWS = 1_000_000
HEAD = ("place", "rows", "seconds", "processor seconds, with the start", "seconds to start", "times as fast")


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if the places give different samples, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compute", description=__doc__)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--pages", type=int, default=400, help="pages of a day, of 100 items each")
    parser.add_argument("--small", action="store_true", help="few pages")
    options = parser.parse_args(arguments)
    days, pages = (2, 40) if options.small else (options.days, options.pages)
    with tempfile.TemporaryDirectory(prefix="reelrank-compute-") as folder:
        writer = LakeWriter(LakeStorage(str(Path(folder, "lake"))))
        for number in range(days):
            write_made_up_pages(writer, PageSizes(pages), DAY + timedelta(days=number))
        figures = {name: _measure(place, Path(folder), name, days) for name, place in PLACES.items()}
    alone = figures["this process"][1]
    rows = [
        (name, f"{count:,}", f"{seconds:.1f}", f"{cpu:.1f}", f"{start:.1f}", f"{alone / seconds:.2f}")
        for name, (count, seconds, cpu, start) in figures.items()
    ]
    print(format_table(HEAD, rows))
    print(f"{days * pages * 100:,} impressions on {days} days, load {os.getloadavg()[0]:.1f}")
    return int(len({count for count, *_ in figures.values()}) > 1)


def _measure(place: ComputeOptions, folder: Path, name: str, days: int) -> tuple[int, float, float, float]:
    """Returns rows, seconds without the start of processes, processor seconds, and seconds of the start."""
    opener = LoggedRowOpener(
        str(folder / "lake"), folder / "locks", folder / f"cache {name}", 10**10, MAX_TIME_MS
    )
    begin = datetime.combine(DAY, midnight(), UTC)
    task = PartitionTask(opener, Grader(), TRAINING_ROWS)
    cpu, began = sum(os.times()[:4]), time.monotonic()
    with open_compute(place) as compute:
        list(compute.map_partitions(task, [(begin - timedelta(days=1), begin)] * 4))  # imports, connects
        started, from_ = time.monotonic() - began, time.monotonic()
        spans = split_by_date(begin, begin + timedelta(days=days))
        sample = merge_samples(compute.map_partitions(task, spans), TRAINING_ROWS)
        seconds = time.monotonic() - from_
    return sample.rows, seconds, sum(os.times()[:4]) - cpu, started
