"""Several processes: readers see changes of others within two seconds; writers exclude one another."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.item import Document, Item

SEEN_WITHIN_S = 2.0

WRITER = """
import sys
from pathlib import Path
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.item import Document, Item
engine, action = EmbeddedEngine(Path(sys.argv[1])), sys.argv[2]
if action == "delete":
    engine.delete(["old"])
elif action == "promote":
    engine.create_index("items-2")
    engine.write("items-2", [Document(Item("second", "Film of the second version"))])
    engine.promote("items-2")
else:
    for n in range(20):
        engine.upsert([Document(Item(f"{action}-{n}", "Film"))])
"""


@pytest.fixture
def reader(tmp_path: Path) -> EmbeddedEngine:
    engine = EmbeddedEngine(tmp_path)
    engine.create_index("items-1")
    engine.write("items-1", [Document(Item("old", "Old film"))])
    engine.promote("items-1")
    assert search_ids(engine) == {"old"}
    return engine


def search_ids(engine: EmbeddedEngine) -> set[str]:
    return {i.decode() for i in engine.match_text(TextMatch("bm25", "film", 100), 1.0).ids.tolist()}


def start_writer(engine: EmbeddedEngine, action: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(engine.directory), action])


@pytest.mark.slow
@pytest.mark.parametrize(("action", "expected"), [("delete", set[str]()), ("promote", {"second"})])
def test_a_change_by_another_process_is_seen_within_two_seconds(
    reader: EmbeddedEngine, action: str, expected: set[str]
) -> None:
    assert start_writer(reader, action).wait(30) == 0
    until = time.monotonic() + SEEN_WITHIN_S
    while search_ids(reader) != expected:
        assert time.monotonic() < until, f"still {search_ids(reader)}"
        time.sleep(0.05)


@pytest.mark.slow
def test_three_concurrent_writers_lose_no_change(reader: EmbeddedEngine) -> None:
    writers = [start_writer(reader, name) for name in ("a", "b", "c")]
    while any(w.poll() is None for w in writers):
        assert "old" in search_ids(reader)
        time.sleep(0.02)
    assert [w.returncode for w in writers] == [0, 0, 0]
    time.sleep(SEEN_WITHIN_S)
    assert len(search_ids(reader)) == 61
