"""Derived files of the embedded engine: damaged ones are rebuilt, live changes cover the segment."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded import compaction, derived
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.segments.files import list_segments
from reelrank.index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.item import Document, FloatVector, Item, Neighbour
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Filters

SOON = 5.0


def build_unit_vector(index: int) -> FloatVector:
    vector = np.zeros(64, np.float32)
    vector[index] = 1
    return vector


FILMS = [
    Document(
        Item(f"f{n:03}", f"Film {n}", genres=(("Drama", "Comedy")[n % 2],)),
        {"factors": build_unit_vector(n)},
        (Neighbour(f"f{n + 1:03}", 1.0),),
    )
    for n in range(60)
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    engine = EmbeddedEngine(tmp_path)
    engine.create_index("items-1")
    engine.write("items-1", FILMS)
    engine.promote("items-1")
    engine.close()
    return tmp_path


def list_ids(matches: Matches) -> list[str]:
    return [name.decode() for name in matches.ids.tolist()]


def search_each_kind(engine: EmbeddedEngine) -> list[list[str]]:
    """Returns the ids that one request of each kind finds."""
    films = Filters(genres=("drama", "comedy"))
    return [
        list_ids(engine.match_text(TextMatch("bm25", "7", 2, films), SOON)),
        list_ids(
            engine.match_vector(VectorMatch("factors", "factors", build_unit_vector(7), 2, films), SOON)
        ),
        list_ids(engine.match_ids(NeighbourMatch("neighbours", (Neighbour("f008", 1.0),), 2, films), SOON)),
    ]


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing segments": lambda d: shutil.rmtree(d / "segments"),
    "a missing text index": lambda d: shutil.rmtree(d / "words"),
    "truncated columns": lambda d: truncate(next((d / "segments").rglob("columns.bin"))),
    "truncated segment metadata": lambda d: truncate(next((d / "segments").rglob("facts.json"))),
    "a missing text index metadata": lambda d: next((d / "words").rglob("meta.json")).unlink(),
    "truncated text index metadata": lambda d: truncate(next((d / "words").rglob("meta.json"))),
    "a missing text index file": lambda d: next((d / "words").rglob("*.store")).unlink(),
    "a text index of an earlier build": lambda d: next((d / "words").rglob("preparation")).unlink(),
    "a text index of a later build": lambda d: next((d / "words").rglob("preparation")).write_text("99"),
    "a truncated text index file": lambda d: truncate(next((d / "words").rglob("*.idx"))),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_missing_or_damaged_files_are_rebuilt_from_the_database(directory: Path, damage: str) -> None:
    DAMAGES[damage](directory)
    assert search_each_kind(EmbeddedEngine(directory)) == [["f007"], ["f007", "f000"], ["f007"]]


def test_a_change_replaces_the_document_in_the_segment(directory: Path) -> None:
    engine = EmbeddedEngine(directory)
    engine.upsert([Document(Item("f007", "Film 7", genres=("Western",)), {"factors": build_unit_vector(1)})])
    engine.upsert([Document(Item("new", "Film 7", genres=("Drama",)), {"factors": build_unit_vector(7)})])
    engine.delete(["f000"])
    assert search_each_kind(engine) == [["new"], ["new", "f001"], []]
    western = Filters(genres=("Western",))
    near = engine.match_vector(VectorMatch("factors", "factors", build_unit_vector(7), 5, western), SOON)
    carrying = engine.match_ids(NeighbourMatch("n", (Neighbour("f008", 1.0),), 5, western), SOON)
    assert (list_ids(near), list_ids(carrying)) == (["f007"], ["f007"])


def test_layered_merged_and_compacted_changes_rank_alike(directory: Path) -> None:
    engine = EmbeddedEngine(directory)
    for n in range(10):
        engine.upsert(
            [Document(Item(f"f{n:03}", f"Film {n}, again"), {"factors": build_unit_vector(59 - n)})]
        )
        engine.delete([f"f{n + 30:03}"])
        engine.is_ready()
    wanted = (np.arange(64) / 300).astype(np.float32)
    request = VectorMatch("factors", "factors", wanted, 60)
    layered = engine.match_vector(request, SOON)
    opened_anew = EmbeddedEngine(directory).match_vector(request, SOON)
    engine.derived.compact("items-1")
    compacted = EmbeddedEngine(directory)
    assert list_ids(layered) == list_ids(opened_anew) == list_ids(compacted.match_vector(request, SOON))
    assert len(layered) == 50
    assert compacted.serving.get_view().snapshot.changed_rows == 0


def test_a_compaction_by_another_process_is_adopted(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MIN_COMPACT_CHANGES", 3)
    engine = EmbeddedEngine(directory)
    engine.upsert(FILMS[:2])
    assert engine.serving.get_view().snapshot.changed_rows == 2
    engine.upsert(FILMS[2:5])
    engine.compactor.wait()
    engine.serving.invalidate()
    assert engine.serving.get_view().snapshot.changed_rows == 0
    assert len(list_segments(directory / "segments" / "items-1")) == 1


def test_the_next_build_removes_what_a_killed_one_left(directory: Path) -> None:
    folder = directory / "segments" / "items-1"
    (folder / ".tmp-dead").mkdir()
    EmbeddedEngine(directory).upsert(FILMS[:1])
    compaction.main(str(directory), "items-1")
    assert [path.name.isdigit() for path in folder.iterdir()] == [True]


def test_a_reader_applies_changes_that_a_killed_writer_did_not_index(directory: Path) -> None:
    reader, writer = EmbeddedEngine(directory), EmbeddedEngine(directory)
    assert reader.is_ready()
    with writer.database.transaction() as connection:
        connection.execute("update documents set deleted = 1, seq = 99 where id = 'f007'")
    reader.serving.invalidate()
    assert search_each_kind(reader)[0] == []
    view = reader.serving.get_view()
    assert view.text_seq == view.snapshot.seq == 99


def test_a_drop_removes_documents_files_and_earlier_leftovers(directory: Path) -> None:
    engine = EmbeddedEngine(directory)
    for name in ("items-2", "items-3"):
        engine.create_index(name)
        engine.write(name, FILMS)
        engine.promote(name)
    with engine.database.transaction() as connection:
        connection.execute("delete from versions where name = 'items-1'")  # as a kill in a drop leaves it
    engine.drop("items-2")
    left = engine.database.connect().execute("select distinct version from documents").fetchall()
    assert left == [("items-3",)]
    assert [path.name for path in (directory / "words").iterdir()] == ["items-3"]
    assert [path.name for path in (directory / "segments").iterdir()] == ["items-3"]
