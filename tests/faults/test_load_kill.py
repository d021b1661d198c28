"""kill -9 during a load from files: the old version keeps serving, and the same command resumes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.ranking.items.table import open_table

COMMAND = (sys.executable, "-c", "from reelrank.app.cli.main import main; main()")
ROWS = 6000
REJECTED = tuple(range(17, ROWS, 997))
KILLS = 10


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "old.csv").write_text("id,title\n" + "".join(f"f{n},Old film {n}\n" for n in range(50)))
    lines = [f"f{n},{'' if n in REJECTED else f'New film {n}'}\n" for n in range(1, ROWS + 1)]
    (tmp_path / "new.csv").write_text("id,title\n" + "".join(lines))
    return tmp_path


def start_load(project: Path, *arguments: str) -> subprocess.Popen[str]:
    settings = {"REELRANK_DATA_DIR": str(project / "data"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, "load", *arguments, "--json"],
        cwd=project,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_load(project: Path, *arguments: str) -> dict[str, object]:
    with start_load(project, *arguments) as load:
        output, errors = load.communicate(timeout=120)
    assert load.returncode == 0, errors
    report: dict[str, object] = json.loads(output)
    return report


def kill_load(project: Path, after_s: float, *arguments: str) -> bool:
    """Kills a load `after_s` after its first journal entry; returns False if it had ended by then."""
    before = read_journal(project)
    with start_load(project, *arguments) as load:
        until = time.monotonic() + 60
        while read_journal(project) == before and load.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        try:
            load.wait(after_s)
        except subprocess.TimeoutExpired:
            load.send_signal(signal.SIGKILL)
        load.communicate()
    return load.returncode == -signal.SIGKILL


def read_journal(project: Path) -> bytes:
    try:
        return (project / "data" / "loads" / "items.json").read_bytes()
    except FileNotFoundError:
        return b""


def read_titles(project: Path) -> list[str]:
    engine = EmbeddedEngine(project / "data" / "engine")
    version = engine.serving_version()
    assert version is not None
    found = [document.item.title for batch in engine.scan(version) for document in batch]
    assert len(open_table(project / "data" / "tables" / version)) == len(found)
    engine.close()
    return found


@pytest.mark.slow
def test_a_killed_load_of_items_resumes_and_writes_no_row_twice(project: Path) -> None:
    run_load(project, "items", "old.csv")
    rng = np.random.default_rng(11)
    kills = 0
    while kills < KILLS:
        if kill_load(project, float(rng.uniform(0, 1.5)), "items", "new.csv"):
            kills += 1
            assert len(read_titles(project)) in (50, ROWS - len(REJECTED))
        else:  # the load has ended; a new modification time makes the next run a new load
            os.utime(project / "new.csv", ns=(kills, kills))
    report = run_load(project, "items", "new.csv")
    assert (report["read"], report["rejected"], report["kept"]) == (ROWS, len(REJECTED), ROWS - len(REJECTED))
    assert Counter(read_titles(project)) == Counter(
        f"New film {n}" for n in range(1, ROWS + 1) if n not in REJECTED
    )
    rejects = [json.loads(line)["row"] for line in Path(str(report["rejects"])).read_text().splitlines()]
    assert rejects == list(REJECTED)
    assert read_journal(project) == b""


@pytest.mark.slow
def test_a_killed_and_repeated_load_of_events_stores_each_once(project: Path) -> None:
    rows = "".join(f"watch,u{n % 99},f{n % 50},{1_700_000_000_000 + n}\n" for n in range(30_000))
    (project / "watches.csv").write_text("kind,user,item,at_ms\n" + rows)
    store = EmbeddedEvents(project / "data" / "engine")
    rng = np.random.default_rng(12)
    for _ in range(3):
        stored = store.count()
        with start_load(project, "events", "watches.csv") as load:
            while store.count() == stored and load.poll() is None:
                time.sleep(0.01)
            time.sleep(float(rng.uniform(0, 0.3)))
            load.send_signal(signal.SIGKILL)
            load.communicate()
    report = run_load(project, "events", "watches.csv")
    assert (report["read"], report["written"]) == (30_000, 30_000)
    assert store.count() == 30_000
