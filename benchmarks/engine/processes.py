"""Measures another process: time to open the engine, memory, and how soon it sees changes of this process."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from benchmarks.engine.loading import VERSION
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.item import Document, Item

WORKER = """
import json, sys, time
from pathlib import Path

def memory():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return {"own": own / 1024, "proportional": kib["Pss"] / 1024, "resident": kib["Rss"] / 1024}

import faiss, scipy.sparse, tantivy
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from benchmarks.data.catalogue import Catalogue
from reelrank.index_mappings.engine import TextMatch, VectorMatch
from reelrank.index_mappings.fields import VECTOR_FIELDS
from benchmarks.engine.matching import VECTOR_FILTERS
catalogue = Catalogue(int(sys.argv[2]))
texts = catalogue.build_text_queries(100)
vectors = {field: catalogue.build_vector_queries(field, 50) for field in VECTOR_FIELDS}
before = memory()
begun = time.perf_counter()
engine = EmbeddedEngine(Path(sys.argv[1]))
engine.is_ready()
opened = time.perf_counter() - begun
for text in texts:
    engine.match_text(TextMatch("bm25", text, 300), 60.0)
for field, queries in vectors.items():
    for filters in VECTOR_FILTERS.values():
        for vector in queries:
            engine.match_vector(VectorMatch("knn", field, vector, 100, filters), 60.0)
print(json.dumps({"opened_s": opened, "imports_mib": before, "working_mib": memory()}), flush=True)
seen = lambda: engine.match_text(TextMatch("bm25", "promotedword", 5), 60.0).ids.tolist()
for line in sys.stdin:
    until = time.monotonic() + 60
    while bool(seen()) != (line.strip() == "there") and time.monotonic() < until:
        time.sleep(0.005)
    print(time.time(), flush=True)
"""


def measure_worker(engine: EmbeddedEngine, size: int) -> dict[str, object]:
    """Starts a worker; then changes items and promotes versions, and measures when the worker sees it."""
    command = [sys.executable, "-c", WORKER, str(engine.directory), str(size)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as worker:  # type: ignore[call-overload]
        assert worker.stdin is not None
        assert worker.stdout is not None
        figures: dict[str, object] = json.loads(worker.stdout.readline())
        figures["seen_after_s"] = _measure_visibility(engine, worker.stdin, worker.stdout)
        worker.stdin.close()
    return figures


def _measure_visibility(engine: EmbeddedEngine, stdin: IO[str], stdout: IO[str]) -> dict[str, float]:
    """Returns seconds from the return of a call to the first response of the worker that shows the change."""

    def measure_delay(state: str) -> float:
        returned = time.time()
        stdin.write(state + "\n")
        stdin.flush()
        return round(float(stdout.readline()) - returned, 3)

    figures = {}
    document = Document(Item("v-promoted", "promotedword"))
    begun = time.perf_counter()
    engine.upsert([document])
    figures["upsert took"] = round(time.perf_counter() - begun, 3)
    figures["upsert"] = measure_delay("there")
    begun = time.perf_counter()
    engine.delete([document.item.id])
    figures["delete took"] = round(time.perf_counter() - begun, 3)
    figures["delete"] = measure_delay("gone")
    engine.create_index("items-small")
    engine.write("items-small", [document])
    engine.promote("items-small")
    figures["promote to a small version"] = measure_delay("there")
    begun = time.perf_counter()
    engine.promote(VERSION)
    figures["promote back took"] = round(time.perf_counter() - begun, 3)
    figures["promote back"] = measure_delay("gone")
    return figures


def measure_disk_mib(directory: Path) -> dict[str, float]:
    """Returns the size of each part of the directory of the engine."""
    parts = {"truth": "truth.sqlite*", "words": "words/**/*", "segments": "segments/**/*"}
    return {
        name: round(sum(p.stat().st_size for p in directory.glob(glob) if p.is_file()) / 2**20, 1)
        for name, glob in parts.items()
    }
