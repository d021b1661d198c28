"""`python -m benchmarks engine`: compares the embedded engine with bare tantivy, faiss and SQLite by size."""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.data.catalogue import Catalogue
from benchmarks.engine.growth import read_results, write_growth
from benchmarks.engine.limits import AIMS, MARGINS, find_breaches
from benchmarks.engine.loading import compare_loading, load_bare, load_bare_vectors, load_engine
from benchmarks.engine.matching import measure_fetch, measure_text, measure_vectors
from benchmarks.engine.processes import measure_disk_mib, measure_worker
from benchmarks.engine.report import format_engine_report
from benchmarks.machine import describe_machine
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.ranking.progress import Progress

Figures = dict[str, object]
FIELDS = ("text", "factors")
SIZES, SMALL_SIZES = (10_000, 100_000, 1_000_000), (5_000, 25_000)
"""The larger of the small sizes has enough vectors for an IVF index."""
RESULTS = Path(__file__).parent.parent / "results"


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if every limit is met, else 1."""
    options = _build_parser().parse_args(arguments)
    sizes = options.documents or (SMALL_SIZES if options.small else SIZES)
    breaches = []
    with tempfile.TemporaryDirectory(prefix="reelrank-results-") as temporary:
        results = Path(options.results or (temporary if options.small else RESULTS))
        for size in sizes:
            figures = measure_engine(size, _report_progress)
            report = format_engine_report(figures)
            results.mkdir(parents=True, exist_ok=True)
            (results / f"engine-{size}.json").write_text(json.dumps(figures, indent=1) + "\n")
            (results / f"engine-{size}.md").write_text(report + "\n")
            print(f"\n{report}\n", flush=True)
            limits = AIMS if options.strict else MARGINS
            breaches += [
                f"breached at {size} documents: {breach}" for breach in find_breaches(figures, limits)
            ]
        measured = read_results(results)
        if len(measured) > 1:
            slopes = write_growth(measured, results / "engine-growth")
            print("Slopes of growth:", ", ".join(f"{name} {slope}" for name, slope in slopes.items()))
            if not options.small:
                print(f"Plotted in {results / 'engine-growth.svg'}\n", flush=True)
    print("\n".join(breaches), file=sys.stderr)
    return int(bool(breaches))


def _report_progress(step: str, done: int, total: int | None) -> None:
    print(f"{step} ({done} of {total})", file=sys.stderr, flush=True)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks engine", description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", help="sizes of the catalogue, one run each")
    parser.add_argument("--small", action="store_true", help="small sizes; no results are stored")
    parser.add_argument("--strict", action="store_true", help="check the aims instead of wide margins")
    parser.add_argument("--results", help="directory for figures, tables and plots")
    return parser


def measure_engine(size: int, progress: Progress) -> Figures:
    """Loads `size` documents into the engine and the libraries, in a temporary directory, and measures."""
    catalogue, begun = Catalogue(size), time.monotonic()
    at_start = describe_machine()
    with tempfile.TemporaryDirectory(prefix="reelrank-bench-") as temporary:
        directory = Path(temporary)
        progress("loading the engine", 0, 6)
        engine = EmbeddedEngine(directory / "engine")
        batches = list(catalogue.generate_batches())
        gc.freeze()
        engine_times = load_engine(batches, engine)
        progress("loading bare tantivy, SQLite and faiss", 1, 6)
        bare, text, store = load_bare(batches, directory)
        del batches
        vectors = load_bare_vectors(engine, bare)
        figures: Figures = {
            "documents": size,
            "command": f"python -m benchmarks engine --documents {size}",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": at_start,
            "loading": compare_loading(size, engine_times, bare),
            "disk_mib": measure_disk_mib(engine.directory),
        }
        progress("searching text", 2, 6)
        figures["words"] = measure_text(catalogue, engine, text)
        progress("searching vectors", 3, 6)
        figures["vectors"] = {
            field: measure_vectors(catalogue, engine, vectors[field], field) for field in FIELDS
        }
        progress("fetching", 4, 6)
        ids = [catalogue.id_of(number) for number in range(0, size, max(size // 2_000, 1))]
        figures["fetch_20"] = measure_fetch(engine, store, ids)
        progress("measuring another process", 5, 6)
        figures["worker"] = measure_worker(engine, size)
        engine.close()
    figures["load_at_end"] = describe_machine()["load"]
    figures["took_s"] = round(time.monotonic() - begun)
    progress("done", 6, 6)
    return figures
