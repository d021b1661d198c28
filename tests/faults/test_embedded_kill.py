"""kill -9 at any moment of a load, an upsert, a delete or an event loses nothing acknowledged."""

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

def say(*words):
    sys.stdout.write(" ".join(words) + "\\n")  # at once: unbuffered, print writes word by word
    sys.stdout.flush()

def film(name):
    return Document(Item(name, f"Film {name}"))

say("begin")
for step in range(1000):
    name = f"r{round_}s{step}"
    engine.upsert([film(name)])
    say("upserted", name)
    events.append([Event(f"e-{name}", "watch", "ada", step, name)])
    say("watched", f"e-{name}")
    if step % 3 == 2:
        say("deleting", name)
        engine.delete([name])
        say("deleted", name)
    if step % 5 == 4:
        version = f"items-{name}"
        engine.create_index(version)
        serving = engine.serving_version()
        for batch in engine.scan(serving):
            engine.write(version, batch)
        engine.promote(version)
        say("promoted", version)
        engine.drop(serving)
"""


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_acknowledged_and_serves_nothing_half_written(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    engine.create_index("items-0")
    engine.promote("items-0")
    rng = np.random.default_rng(5)
    there: set[str] = set()
    gone: set[str] = set()
    watched: set[str] = set()
    for kill in range(KILLS):
        for line in run_killed_writer(tmp_path, kill, float(rng.uniform(0.01, 0.6))):
            what, name = line.split()
            if what == "upserted":
                there.add(name)
            elif what == "deleting":
                there.discard(name)  # from here on it may be there or not
            elif what == "deleted":
                gone.add(name)
            elif what == "watched":
                watched.add(name)
        check(EmbeddedEngine(tmp_path), EmbeddedEvents(tmp_path), (there, gone, watched))
    assert there
    assert gone
    assert watched


def run_killed_writer(directory: Path, number: int, after_s: float) -> list[str]:
    """What a writer acknowledged before it was killed, a moment after it began."""
    command = [sys.executable, "-c", WRITER, str(directory), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begin\n"
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
    return [line for line in rest.splitlines(keepends=False) if not line.startswith("promoted")]


def check(engine: EmbeddedEngine, events: EmbeddedEvents, acknowledged: tuple[set[str], ...]) -> None:
    there, gone, watched = acknowledged
    assert None not in engine.fetch(sorted(there), 1.0)
    assert engine.fetch(sorted(gone), 1.0) == [None] * len(gone)
    kept = {event.id for event in events.recent("ada", 100_000, 1.0)}
    assert watched <= kept
    found = {i.decode() for i in engine.match_text(TextMatch("bm25", "film", 100_000), 1.0).ids.tolist()}
    assert there <= found
    assert not gone & found
    engine.close()
