"""`python -m benchmarks relevance`: searches of the demo and of SciFact beside BM25 alone, with floors.

Similar items of the demo stand beside item-kNN, with a floor too.

With --home: home pages beside the baselines of the literature, without floors. The demo is prepared in a
temporary directory, or taken from a data directory where it was trained (--demo), which is not changed.
With --engine: titles and vectors of the demo on a running server, beside the embedded engine.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.quality.datasets import VARIABLE, DatasetMissing, find_data_file
from benchmarks.quality.report import Goal
from benchmarks.relevance.collection import measure_collection
from benchmarks.relevance.floors import check_collection, check_hours, check_similar, check_titles
from benchmarks.relevance.home import PLAN, READINGS, SMALL_PLAN, HomeResult, measure_home
from benchmarks.relevance.report import format_collection, format_home, format_titles, write_json
from benchmarks.relevance.server_run import ServerRun, measure_server
from benchmarks.relevance.similar import SMALL_VIEWERS, VIEWERS, measure_similar
from benchmarks.relevance.titles import measure_hours, measure_titles
from reelrank.app.cli.ask import DEADLINE_MS
from reelrank.app.jobs.demo import prepare_demo
from reelrank.app.jobs.history import read_history
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, load_model, read_serving_model
from reelrank.ranking.evaluation.known_items import QUERIES_PER_KIND
from reelrank.ranking.progress import Progress

RESULTS = Path(__file__).parent.parent / "results"
REPORT_EVERY_S = 10.0
SMALL_QUERIES, SMALL_COLLECTION = 120, 100
"""Queries of each kind and of SciFact with --small."""
SMALL_SERVER_QUERIES = 200


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if every floor is reached, 1 if one is missed, 2 if SciFact is not found."""
    options = _build_parser().parse_args(arguments)
    logging.getLogger("gensim").setLevel(logging.WARNING)
    results = Path(options.results) if options.results else None if options.small else RESULTS
    if options.data:
        os.environ[VARIABLE] = str(options.data)
    progress = _build_progress()
    if options.engine:
        return _run_server(options, results, progress)
    try:
        if not (options.home or options.similar):
            find_data_file("scifact", "corpus.jsonl")
        with _open_demo(options.demo, progress) as container:
            if options.home:
                return _run_home(container, options, results, progress)
            if options.similar:
                return _run_similar(container, options.small, results, progress)
            return _run_searches(container, options.small, results, progress)
    except DatasetMissing as reason:
        print(f"relevance is not measured: {reason}", flush=True)
        return 2


def _run_searches(container: Container, small: bool, results: Path | None, progress: Progress) -> int:
    per_kind = SMALL_QUERIES if small else QUERIES_PER_KIND
    titles = measure_titles(container, per_kind, progress)
    hours = measure_hours(container, per_kind, progress)
    model = read_serving_model(container)
    ranker = load_model(container.registry.find_directory(model)) if model else None
    collection = measure_collection(ranker, SMALL_COLLECTION if small else 300, progress)
    similar = _measure_similar(container, small, progress)
    goals = [
        *check_titles(titles),
        check_hours(hours),
        *check_collection(collection),
        *check_similar(similar),
    ]
    print(format_titles(titles), format_collection(collection), format_home(similar), sep="\n")
    print(f"the same first three at any hour: {hours.same} of {hours.queries} searches\n", flush=True)
    if results is not None:
        content = {"titles": titles, "hours": hours, "collection": collection}
        content |= {"similar": similar, "floors": goals}
        write_json(results / "relevance.json", content)
    return _report_floors(goals)


def _run_similar(container: Container, small: bool, results: Path | None, progress: Progress) -> int:
    similar = _measure_similar(container, small, progress)
    goals = check_similar(similar)
    print(format_home(similar), flush=True)
    if results is not None:
        write_json(results / "relevance-similar.json", {"similar": similar, "floors": goals})
    return _report_floors(goals)


def _measure_similar(container: Container, small: bool, progress: Progress) -> list[HomeResult]:
    return measure_similar(read_history(container), SMALL_VIEWERS if small else VIEWERS, progress)


def _run_server(options: argparse.Namespace, results: Path | None, progress: Progress) -> int:
    if options.demo is None or not options.engine_url:
        print("--engine needs --engine-url and --demo", file=sys.stderr, flush=True)
        return 2
    per_kind = SMALL_SERVER_QUERIES if options.small else QUERIES_PER_KIND
    run = ServerRun(options.engine, options.engine_url, options.demo, per_kind)
    return _report_floors(measure_server(run, results, progress))


def _report_floors(goals: Sequence[Goal]) -> int:
    missed = [goal for goal in goals if not goal.is_met]
    print(f"{len(goals) - len(missed)} of {len(goals)} floors are reached", *missed, sep="\n", flush=True)
    return int(bool(missed))


def _run_home(
    container: Container, options: argparse.Namespace, results: Path | None, progress: Progress
) -> int:
    plan = SMALL_PLAN if options.small else PLAN
    measured = measure_home(read_history(container), plan, options.readings.split(","), progress)
    print(format_home(measured), flush=True)
    if results is not None:
        write_json(results / "relevance-home.json", {"home": measured})
    return 0


@contextmanager
def _open_demo(data_dir: Path | None, progress: Progress) -> Iterator[Container]:
    if data_dir is not None:
        yield build_container(Settings(data_dir=data_dir, deadline_ms=DEADLINE_MS))
        return
    with tempfile.TemporaryDirectory() as temporary:
        container = build_container(Settings(data_dir=Path(temporary), deadline_ms=DEADLINE_MS))
        prepare_demo(container, progress)
        yield container


def _build_progress() -> Progress:
    reported_at = time.monotonic()

    def report(step: str, done: int, total: int | None) -> None:
        nonlocal reported_at
        if time.monotonic() > reported_at + REPORT_EVERY_S:
            reported_at = time.monotonic()
            print(f"relevance: {step} ({done} of {total})", file=sys.stderr, flush=True)

    return report


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks relevance", description=__doc__)
    readings = "; ".join(f"{name}: {text}" for name, text in READINGS.items()).replace("%", "%%")
    parser.add_argument("--home", action="store_true", help="measure home pages instead")
    parser.add_argument("--similar", action="store_true", help="measure pages of similar items alone")
    parser.add_argument("--readings", default=",".join(READINGS), help=f"of home pages: {readings}")
    parser.add_argument("--small", action="store_true", help="fewer queries, lower floors; stores no results")
    parser.add_argument("--results", type=Path, help="directory for JSON")
    parser.add_argument("--engine", choices=("elasticsearch", "opensearch"), help="measure a running server")
    parser.add_argument("--engine-url", help="its address, such as http://127.0.0.1:9200")
    parser.add_argument("--demo", type=Path, help="data directory with a trained demo")
    parser.add_argument("--data", type=Path, help=f"folder of the data sets; by default {VARIABLE} names it")
    return parser
