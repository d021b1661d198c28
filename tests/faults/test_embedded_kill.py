"""kill -9 during a load, an upsert, a delete or an event write loses nothing that was acknowledged."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.engine import TextMatch

KILLS = 25

WRITER = """
import sys
from pathlib import Path
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item

engine, events = EmbeddedEngine(Path(sys.argv[1])), EmbeddedEvents(Path(sys.argv[1]))
round_ = int(sys.argv[2])

def report(*words):
    sys.stdout.write(" ".join(words) + "\\n")  # one write: unbuffered, print writes word by word
    sys.stdout.flush()

report("started")
for step in range(1000):
    item_id = f"r{round_}s{step}"
    engine.upsert([Document(Item(item_id, f"Film {item_id}"))])
    report("upserted", item_id)
    events.append([Event(f"e-{item_id}", "watch", "ada", step, item_id)])
    report("watched", f"e-{item_id}")
    if step % 3 == 2:
        report("deleting", item_id)
        engine.delete([item_id])
        report("deleted", item_id)
    if step % 5 == 4:
        version = f"items-{item_id}"
        engine.create_index(version)
        serving = engine.serving_version()
        for batch in engine.scan(serving):
            engine.write(version, batch)
        engine.promote(version)
        report("promoted", version)
        engine.drop(serving)
"""


@pytest.mark.slow
def test_a_killed_writer_loses_no_acknowledged_change(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    engine.create_index("items-0")
    engine.promote("items-0")
    rng = np.random.default_rng(5)
    existing: set[str] = set()
    deleted: set[str] = set()
    watched: set[str] = set()
    for kill in range(KILLS):
        for line in run_killed_writer(tmp_path, kill, float(rng.uniform(0.01, 0.6))):
            action, changed_id = line.split()
            if action == "upserted":
                existing.add(changed_id)
            elif action == "deleting":
                existing.discard(changed_id)  # the deletion is not acknowledged, so the item may exist or not
            elif action == "deleted":
                deleted.add(changed_id)
            elif action == "watched":
                watched.add(changed_id)
        check(EmbeddedEngine(tmp_path), EmbeddedEvents(tmp_path), (existing, deleted, watched))
    assert existing
    assert deleted
    assert watched


def run_killed_writer(directory: Path, number: int, after_s: float) -> list[str]:
    """Runs a writer, kills it `after_s` after its start, and returns the changes that it acknowledged."""
    command = [sys.executable, "-c", WRITER, str(directory), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "started\n"
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        output = writer.stdout.read()
    return [line for line in output.splitlines(keepends=False) if not line.startswith("promoted")]


def check(engine: EmbeddedEngine, events: EmbeddedEvents, acknowledged: tuple[set[str], ...]) -> None:
    existing, deleted, watched = acknowledged
    assert None not in engine.fetch(sorted(existing), 1.0)
    assert engine.fetch(sorted(deleted), 1.0) == [None] * len(deleted)
    stored = {event.id for event in events.recent("ada", 100_000, 1.0)}
    assert watched <= stored
    found = {i.decode() for i in engine.match_text(TextMatch("bm25", "film", 100_000), 1.0).ids.tolist()}
    assert existing <= found
    assert not deleted & found
    engine.close()
