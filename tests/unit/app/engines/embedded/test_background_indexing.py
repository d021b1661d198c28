"""Text of a large version is indexed by a separate process while documents are being written."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelrank.app.engines.embedded import background_indexing
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.text.text_index import TextIndex
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.item import Document, Item

SOON = 5.0
FILMS = [Document(Item(f"f{number:03}", f"Film {number}")) for number in range(60)]

KILLED = """
import os, signal, sys
from pathlib import Path
from reelrank.app.engines.embedded import background_indexing
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.item import Document, Item

background_indexing.MIN_BACKGROUND_DOCUMENTS = 10
engine = EmbeddedEngine(Path(sys.argv[1]))
engine.create_index("items-1")
engine.write("items-1", [Document(Item(f"f{number}", "Film")) for number in range(20)])
print(engine.text_indexer._processes["items-1"].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedEngine:
    monkeypatch.setattr(background_indexing, "MIN_BACKGROUND_DOCUMENTS", 10)
    engine = EmbeddedEngine(tmp_path)
    engine.create_index("items-1")
    return engine


def search_ids(engine: EmbeddedEngine, text: str) -> list[str]:
    matches = engine.match_text(TextMatch("bm25", text, 100), SOON)
    return sorted(name.decode() for name in matches.ids.tolist())


def test_text_is_indexed_before_the_last_document_is_written(engine: EmbeddedEngine) -> None:
    engine.write("items-1", FILMS[:30])
    lock = engine.directory / "words" / "items-1" / "unfinished"
    until = time.monotonic() + 20
    while not lock.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert lock.exists()
    engine.write("items-1", FILMS[30:])
    engine.promote("items-1")
    assert search_ids(engine, "film") == [film.item.id for film in FILMS]


def test_a_rewritten_item_is_found_only_by_its_new_text(engine: EmbeddedEngine) -> None:
    engine.write("items-1", FILMS)
    engine.write("items-1", [Document(Item("f007", "Renamed"))])
    engine.promote("items-1")
    assert search_ids(engine, "renamed") == ["f007"]
    assert "f007" not in search_ids(engine, "film")
    assert engine.derived.open_text_index("items-1").index.searcher().num_docs == len(FILMS)


def test_dropping_an_unfinished_version_ends_its_text_indexing(engine: EmbeddedEngine) -> None:
    engine.write("items-1", FILMS)
    process = engine.text_indexer._processes["items-1"]
    engine.drop("items-1")
    assert process.returncode == 0
    assert not (engine.directory / "words" / "items-1").exists()


def test_text_indexing_ends_with_a_killed_loader_and_can_resume(tmp_path: Path) -> None:
    loader = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=False
    )
    pid, until = int(loader.stdout), time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    assert TextIndex(tmp_path / "words" / "items-1").seq == -1
    engine = EmbeddedEngine(tmp_path)
    engine.promote("items-1")
    assert len(search_ids(engine, "film")) == 20
