"""`python -m benchmarks engine`: the embedded engine beside bare tantivy, faiss and SQLite, size by size."""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.engines.embedded.engine import EmbeddedEngine
from benchmarks.data.catalogue import Catalogue
from benchmarks.engine.growth import read_results, write_growth
from benchmarks.engine.limits import AIMS, MARGINS, breaches
from benchmarks.engine.loading import load_bare, load_bare_vectors, load_engine, loading_figures
from benchmarks.engine.matching import fetch_figures, text_figures, vector_figures
from benchmarks.engine.processes import disk_mib, worker_figures
from benchmarks.engine.report import engine_report
from benchmarks.machine import machine
from ranking.progress import Progress

Figures = dict[str, object]
FIELDS = ("text", "factors")
SIZES, SMALL_SIZES = (10_000, 100_000, 1_000_000), (5_000, 25_000)
"""The larger small one has enough vectors for cells."""
RESULTS = Path(__file__).parent.parent / "results"


def main(arguments: Sequence[str]) -> int:
    """0 when every limit is kept, 1 when one is breached."""
    options = _options().parse_args(arguments)
    sizes = options.documents or (SMALL_SIZES if options.small else SIZES)
    broken = []
    with tempfile.TemporaryDirectory(prefix="reelrank-results-") as place:
        results = Path(options.results or (place if options.small else RESULTS))
        for size in sizes:
            figures = engine_figures(size, _say)
            report = engine_report(figures)
            results.mkdir(parents=True, exist_ok=True)
            (results / f"engine-{size}.json").write_text(json.dumps(figures, indent=1) + "\n")
            (results / f"engine-{size}.md").write_text(report + "\n")
            print(f"\n{report}\n", flush=True)
            limits = AIMS if options.strict else MARGINS
            broken += [f"breached at {size} documents: {each}" for each in breaches(figures, limits)]
        measured = read_results(results)
        if len(measured) > 1:
            slopes = write_growth(measured, results / "engine-growth")
            print("Slopes of growth:", ", ".join(f"{what} {slope}" for what, slope in slopes.items()))
            if not options.small:
                print(f"Plotted in {results / 'engine-growth.svg'}\n", flush=True)
    print("\n".join(broken), file=sys.stderr)
    return int(bool(broken))


def _say(what: str, done: int, of: int | None) -> None:
    print(f"{what} ({done} of {of})", file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks engine", description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", help="sizes of the catalogue, each a run")
    parser.add_argument("--small", action="store_true", help="small sizes, nothing kept")
    parser.add_argument("--strict", action="store_true", help="judge by the aims, not by wide margins")
    parser.add_argument("--results", help="where the figures, tables and pictures go")
    return parser


def engine_figures(size: int, progress: Progress) -> Figures:
    """Loads `size` documents into both, in a directory that is removed at the end, and measures."""
    catalogue, begun = Catalogue(size), time.monotonic()
    at_start = machine()
    with tempfile.TemporaryDirectory(prefix="reelrank-bench-") as place:
        directory = Path(place)
        progress("loading the engine", 0, 6)
        engine = EmbeddedEngine(directory / "engine")
        batches = list(catalogue.batches())
        gc.freeze()
        ours = load_engine(batches, engine)
        progress("loading bare tantivy, SQLite and faiss", 1, 6)
        bare, text, store = load_bare(batches, directory)
        del batches
        vectors = load_bare_vectors(engine, bare)
        figures: Figures = {
            "documents": size,
            "command": f"python -m benchmarks engine --documents {size}",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": at_start,
            "loading": loading_figures(size, ours, bare),
            "disk_mib": disk_mib(engine.directory),
        }
        progress("matching words", 2, 6)
        figures["words"] = text_figures(catalogue, engine, text)
        progress("matching vectors", 3, 6)
        figures["vectors"] = {
            field: vector_figures(catalogue, engine, vectors[field], field) for field in FIELDS
        }
        progress("fetching", 4, 6)
        ids = [catalogue.id_of(number) for number in range(0, size, max(size // 2_000, 1))]
        figures["fetch_20"] = fetch_figures(engine, store, ids)
        progress("a worker of its own", 5, 6)
        figures["worker"] = worker_figures(engine, size)
        engine.close()
    figures["load_at_end"] = machine()["load"]
    figures["took_s"] = round(time.monotonic() - begun)
    progress("done", 6, 6)
    return figures
