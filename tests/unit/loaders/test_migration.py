"""Items from one engine to another, stopped where it hurts most."""

from pathlib import Path

import pytest

from app.engines.embedded.engine import EmbeddedEngine
from index_mappings.errors import Conflict
from index_mappings.item import Document, Item
from loaders.migration import Notes, move_items

FILMS = [Document(Item("a", "Alpha")), Document(Item("b", "Beta"))]


class StoppedBeforeItPromotes(EmbeddedEngine):
    def promote(self, version: str) -> None:
        raise KeyboardInterrupt(version)


def quietly(_what: str, _done: int, _of: int | None) -> None: ...


def serve(engine: EmbeddedEngine, version: str, films: list[Document]) -> None:
    engine.create_index(version)
    engine.write(version, films)
    engine.promote(version)


def test_a_second_version_whose_copy_was_stopped_before_its_promotion_moves_with_the_next_run(
    tmp_path: Path,
) -> None:
    source, target = EmbeddedEngine(tmp_path / "from"), EmbeddedEngine(tmp_path / "to")
    notes = Notes(tmp_path)
    serve(source, "items-1", FILMS[:1])
    move_items(source, target, notes, quietly)
    serve(source, "items-2", FILMS)
    with pytest.raises(KeyboardInterrupt):
        move_items(source, StoppedBeforeItPromotes(tmp_path / "to"), notes, quietly)
    moved = move_items(source, target, notes, quietly)
    assert (moved.version, moved.written, target.serving_version()) == ("items-2", 2, "items-2")


def test_a_catalogue_that_came_from_elsewhere_is_left_alone(tmp_path: Path) -> None:
    source, target = EmbeddedEngine(tmp_path / "from"), EmbeddedEngine(tmp_path / "to")
    serve(source, "items-1", FILMS)
    serve(target, "items-9", FILMS)
    with pytest.raises(Conflict):
        move_items(source, target, Notes(tmp_path), quietly)
