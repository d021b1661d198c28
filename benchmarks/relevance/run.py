"""`python -m benchmarks relevance`: home pages beside the baselines of the literature.

The demo is measured in a temporary directory, or in a data directory with a loaded demo (--demo).
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import orjson

from benchmarks.markdown import format_table
from benchmarks.relevance.home import PLAN, READINGS, SMALL_PLAN, HomeResult, measure_home
from reelrank.app.jobs.demo import load_demo_data
from reelrank.app.jobs.training import read_history
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.loaders.demo import load_demo
from reelrank.ranking.progress import Progress

REPORT_EVERY_S = 10.0


def main(arguments: Sequence[str]) -> int:
    """Returns 0 when everything was measured."""
    options = _build_parser().parse_args(arguments)
    logging.getLogger("gensim").setLevel(logging.WARNING)
    progress = _build_progress()
    with _open_demo(options.demo, progress) as data_dir:
        history = read_history(build_container(Settings(data_dir=data_dir)))
        plan = SMALL_PLAN if options.small else PLAN
        results = measure_home(history, plan, options.readings.split(","), progress)
    print(format_home(results), flush=True)
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
        content = orjson.dumps([asdict(each) for each in results], option=orjson.OPT_INDENT_2)
        (options.results / "relevance-home.json").write_bytes(content + b"\n")
    return 0


def format_home(results: Sequence[HomeResult]) -> str:
    """Returns a table for each reading, as Markdown."""
    head = ("system", "NDCG@10", "served minus it", "served is")
    parts = []
    for reading in dict.fromkeys(each.reading for each in results):
        own = [each for each in results if each.reading == reading]
        rows = [
            (each.system, str(each.ndcg), str(each.difference or ""), str(each.verdict or "")) for each in own
        ]
        title = f"### {reading} ({own[0].viewers} viewers, {own[0].pages} pages)"
        parts.append(f"{title}\n\n{format_table(head, rows)}\n")
    return "\n".join(parts)


@contextmanager
def _open_demo(data_dir: Path | None, progress: Progress) -> Iterator[Path]:
    if data_dir is not None:
        yield data_dir
        return
    with tempfile.TemporaryDirectory() as temporary:
        container = build_container(Settings(data_dir=Path(temporary)))
        load_demo_data(container, load_demo(round(time.time() * 1000)), progress)
        yield Path(temporary)


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
    parser.add_argument("--home", action="store_true", help="measure home pages")
    parser.add_argument(
        "--readings",
        default=",".join(READINGS),
        help="of home pages: "
        + "; ".join(f"{name}: {text}" for name, text in READINGS.items()).replace("%", "%%"),
    )
    parser.add_argument("--small", action="store_true", help="fewer requests and viewers")
    parser.add_argument("--results", type=Path, help="directory for JSON")
    parser.add_argument("--demo", type=Path, help="data directory with a loaded demo")
    return parser
