"""`python -m benchmarks logging`: CPU time of a request with and without the decision log.

The same pages are served in blocks: nothing recorded, the shown items recorded, and whole groups for a tenth
of the requests as well. A block ends when all of it is written: impressions in the event store, decisions in
the lake. Blocks take turns, so that other work on the machine affects all alike.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.markdown import format_table
from benchmarks.request.project import SampleProject, build_project, open_demo_project
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.ports import NoRecorder, Recorder
from reelrank.app.search.service import SearchService
from reelrank.app.wiring import build_service, warm_service
from reelrank.index_mappings.query import Context

OFF, SHOWN, WHOLE = "nothing", "shown items", "and a tenth of the groups whole"
SHARES = {SHOWN: 0.0, WHOLE: 0.1}
PAUSE_EVERY = 50
"""The recorder's queue is bounded and never waited for: a page that finds it full would not be recorded."""
HEAD = (
    "recorded",
    "CPU ms a request",
    "in the request's thread",
    "more than nothing (lowest, highest round)",
)
Rounds = dict[str, list[tuple[float, float]]]


def main(arguments: Sequence[str]) -> int:
    """Prints a table; there is no limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks logging", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few pages of a small catalogue")
    parser.add_argument("--pages", type=int, help="pages of a block")
    parser.add_argument("--rounds", type=int, default=6, help="blocks of each kind")
    parser.add_argument("--demo", type=Path, help="copy of a data directory of the demo; it gets events")
    options = parser.parse_args(arguments)
    pages = options.pages or (40 if options.small else 200)
    with tempfile.TemporaryDirectory() as folder:
        size = 2_000 if options.small else 20_000
        project = open_demo_project(options.demo) if options.demo else build_project(Path(folder, "p"), size)
        rounds = _measure(project, Path(folder, "lake"), pages, 2 if options.small else options.rounds)
    print(format_table(HEAD, format_rows(rounds)), flush=True)
    print(f"{pages} pages a block, {len(rounds[OFF])} blocks of each kind, 7 home pages in 10, else searches")
    return 0


def _measure(project: SampleProject, lake: Path, pages: int, rounds: int) -> Rounds:
    """Returns CPU milliseconds of a request for each block: of all threads, and of the one that served it."""
    service = warm_service(project.container)
    makers = {OFF: NoRecorder, **{name: _prepare(project, lake, share) for name, share in SHARES.items()}}
    measured: Rounds = {name: [] for name in makers}
    for round_ in range(rounds + 1):  # the first warms up
        for name, make in makers.items():
            figures = _serve_block(replace(service, recorder=make()), project, pages, round_)
            if round_:
                measured[name].append(figures)
    return measured


def _prepare(project: SampleProject, lake: Path, share: float) -> Callable[[], Recorder]:
    """Returns what builds a recorder of its own for each block."""
    settings = project.container.settings.model_copy(update={"lake_url": str(lake), "log_share": share})
    container = replace(project.container, settings=settings)
    return lambda: build_service(container).recorder


def _serve_block(
    service: SearchService, project: SampleProject, pages: int, seed: int
) -> tuple[float, float]:
    rng, queries = np.random.default_rng(seed), project.build_queries(pages)
    service.recorder.start()
    began, thread_began = time.process_time(), time.thread_time()
    for number in range(pages):
        kind = "home" if rng.random() < 0.7 else "search"
        viewer = project.viewers[int(rng.integers(len(project.viewers)))]
        context = Context(datetime.now(UTC), "US", "tv")
        service.serve_page(RankingOptions(replace(queries[kind][number], user=viewer, context=context)))
        if number % PAUSE_EVERY == PAUSE_EVERY - 1:
            time.sleep(0.6)
    in_thread = time.thread_time() - thread_began
    service.recorder.close()
    return 1000 * (time.process_time() - began) / pages, 1000 * in_thread / pages


def format_rows(rounds: Rounds) -> list[tuple[str, ...]]:
    """Returns rows for HEAD: means over the blocks, and the difference of paired blocks."""
    off = np.array(rounds[OFF])
    rows = list[tuple[str, ...]]()
    for name, figures in rounds.items():
        measured = np.array(figures)
        means, more = measured.mean(axis=0), measured[:, 0] - off[:, 0]
        spread = "" if name == OFF else f"{more.mean():.2f} ({more.min():.2f}, {more.max():.2f})"
        rows.append((name, f"{means[0]:.2f}", f"{means[1]:.2f}", spread))
    return rows
