"""The measured steps, each in a process of its own: `python -m benchmarks.learning.steps STEP DIRECTORY`."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reelrank.app.jobs.lake import export_lake
from reelrank.app.jobs.logged_pages import TrainingSource, collect_logged_training
from reelrank.app.jobs.training import train as run_training
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, warm_service
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.preferences import select_preferences
from reelrank.ranking.embeddings.watches import build_event_table
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.training.lambdarank import train_ranker

MIB = 2**20
Figures = dict[str, Any]


def start_worker(container: Container) -> Figures:
    """Starts what a worker starts, until it could answer. The library and the engine are loaded already."""
    service = warm_service(container)
    counters = container.settings.counters_file
    size = counters.stat().st_size / MIB if counters.exists() else 0.0
    return {"events": service.refresher.state.activity.counted, "snapshot_mb": round(size, 1)}


def export(container: Container) -> Figures:
    """Copies the events into the lake."""
    return {"events": export_lake(container, ignore_progress).events}


def collect(container: Container) -> Figures:
    """Attributes, labels and builds rows, or reads them from the cache."""
    logged = collect_logged_training(container, Grader(), ignore_progress)
    assert logged is not None, "the history is too short to learn from"
    return {
        "rows": len(logged.rows.gains), "requests": logged.requests, "sampled": logged.sampled,
        "hours": logged.hours, "cached_hours": logged.cached_hours,
    }  # fmt: skip


def train(container: Container) -> Figures:
    """Reads rows from the cache and trains the booster."""
    logged = collect_logged_training(container, Grader(), ignore_progress)
    assert logged is not None, "the history is too short to learn from"
    trained = train_ranker(logged.rows, FEATURE_NAMES)
    return {"rounds": trained.rounds, "rows": len(logged.rows.gains)}


def embed(container: Container) -> Figures:
    """Learns embeddings once from all watches."""
    events = build_event_table(container.events.scan(0, MAX_TIME_MS, ("watch",)))
    learned = learn_embeddings(select_preferences(events, MAX_TIME_MS))
    return {"watches": len(events), "items": len(learned.neighbours)}


def train_history(container: Container) -> Figures:
    """Runs a whole training on the loaded history, with embeddings and evaluation."""
    trained = run_training(container, ignore_progress, TrainingSource.HISTORY)
    return {"learned_from": trained.learned_from}


ONE_VIEWER = "one viewer"
STEPS: dict[str, Callable[[Container], Figures]] = {
    "count all events": start_worker,
    "start from the snapshot": start_worker,
    "export events": export,
    "build rows": collect,
    "read rows again": collect,
    "train": train,
    "embeddings": embed,
}
APART: dict[str, Callable[[Container], Figures]] = {ONE_VIEWER: train_history}


def measure(step: str, directory: Path) -> Figures:
    """Runs a step; returns its figures with wall and CPU seconds and the peak RSS of the process in MB."""
    container = build_container(Settings(data_dir=directory, deadline_ms=60_000))
    began, cpu_began = time.perf_counter(), time.process_time()
    figures = (STEPS | APART)[step](container)
    return {
        "step": step,
        "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(time.process_time() - cpu_began, 2),
        "rss_mb": read_peak_mb(),
        **figures,
    }


def read_peak_mb() -> int:
    """Returns the peak memory of this process. `getrusage` would count what its parent had when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
