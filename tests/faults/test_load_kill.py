"""kill -9 at any moment of a load from files: the old version serves, the same command goes on from there."""

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
def house(tmp_path: Path) -> Path:
    (tmp_path / "old.csv").write_text("id,title\n" + "".join(f"f{n},Old film {n}\n" for n in range(50)))
    lines = [f"f{n},{'' if n in REJECTED else f'New film {n}'}\n" for n in range(1, ROWS + 1)]
    (tmp_path / "new.csv").write_text("id,title\n" + "".join(lines))
    return tmp_path


def start_load(house: Path, *arguments: str) -> subprocess.Popen[str]:
    settings = {"REELRANK_DATA_DIR": str(house / "data"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, "load", *arguments, "--json"],
        cwd=house,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_load(house: Path, *arguments: str) -> dict[str, object]:
    with start_load(house, *arguments) as load:
        out, err = load.communicate(timeout=120)
    assert load.returncode == 0, err
    report: dict[str, object] = json.loads(out)
    return report


def kill_load(house: Path, after_s: float, *arguments: str) -> bool:
    """Whether the load was killed before it ended by itself. after_s: counted from its first sign of life."""
    before = read_journal(house)
    with start_load(house, *arguments) as load:
        until = time.monotonic() + 60
        while read_journal(house) == before and load.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        try:
            load.wait(after_s)
        except subprocess.TimeoutExpired:
            load.send_signal(signal.SIGKILL)
        load.communicate()
    return load.returncode == -signal.SIGKILL


def read_journal(house: Path) -> bytes:
    try:
        return (house / "data" / "loads" / "items.json").read_bytes()
    except FileNotFoundError:
        return b""


def read_titles(house: Path) -> list[str]:
    engine = EmbeddedEngine(house / "data" / "engine")
    version = engine.serving_version()
    assert version is not None
    found = [document.item.title for batch in engine.scan(version) for document in batch]
    assert len(open_table(house / "data" / "tables" / version)) == len(found)
    engine.close()
    return found


@pytest.mark.slow
def test_a_load_of_items_killed_at_any_moment_goes_on_and_doubles_nothing(house: Path) -> None:
    run_load(house, "items", "old.csv")
    rng = np.random.default_rng(11)
    kills = 0
    while kills < KILLS:
        if kill_load(house, float(rng.uniform(0, 1.5)), "items", "new.csv"):
            kills += 1
            assert len(read_titles(house)) in (50, ROWS - len(REJECTED))
        else:  # it ended: another time of change makes it another load
            os.utime(house / "new.csv", ns=(kills, kills))
    report = run_load(house, "items", "new.csv")
    assert (report["read"], report["rejected"], report["kept"]) == (ROWS, len(REJECTED), ROWS - len(REJECTED))
    assert Counter(read_titles(house)) == Counter(
        f"New film {n}" for n in range(1, ROWS + 1) if n not in REJECTED
    )
    rejects = [json.loads(line)["row"] for line in Path(str(report["rejects"])).read_text().splitlines()]
    assert rejects == list(REJECTED)
    assert read_journal(house) == b""


@pytest.mark.slow
def test_a_load_of_events_killed_and_run_again_stores_each_event_once(house: Path) -> None:
    rows = "".join(f"watch,u{n % 99},f{n % 50},{1_700_000_000_000 + n}\n" for n in range(30_000))
    (house / "watches.csv").write_text("kind,user,item,at_ms\n" + rows)
    store = EmbeddedEvents(house / "data" / "engine")
    rng = np.random.default_rng(12)
    for _ in range(3):
        stored = store.count()
        with start_load(house, "events", "watches.csv") as load:
            while store.count() == stored and load.poll() is None:
                time.sleep(0.01)
            time.sleep(float(rng.uniform(0, 0.3)))
            load.send_signal(signal.SIGKILL)
            load.communicate()
    report = run_load(house, "events", "watches.csv")
    assert (report["read"], report["written"]) == (30_000, 30_000)
    assert store.count() == 30_000
