"""Migration of items between engines, with interruptions around the promotion."""

from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.errors import Conflict
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item
from reelrank.loaders.migration.ledger import MigrationLedger
from reelrank.loaders.migration.migrate import ItemMigrationReport, move_items
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code

FILMS = [Document(Item("a", "Alpha")), Document(Item("b", "Beta"))]


class StopsBeforePromotion(EmbeddedEngine):
    def promote(self, version: str) -> None:
        raise KeyboardInterrupt(version)


class StopsAfterPromotion(EmbeddedEngine):
    def promote(self, version: str) -> None:
        super().promote(version)
        raise KeyboardInterrupt(version)


def serve(engine: EmbeddedEngine, version: str, films: list[Document]) -> None:
    engine.create_index(version)
    engine.write(version, films)
    engine.promote(version)


def build_film(item_id: str, title: str) -> Document:
    return Document(Item(item_id, title))


class MigrationSides:
    """A source engine, a target engine and the directory of the ledger."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source, self.target = EmbeddedEngine(directory / "from"), EmbeddedEngine(directory / "to")

    def move(self) -> ItemMigrationReport:
        return move_items(self.source, self.target, MigrationLedger(self.directory), ignore_progress)

    def read_titles(self) -> dict[str, str]:
        """Returns titles by item id at the target."""
        version = self.target.serving_version()
        assert version is not None
        return {d.item.id: d.item.title for batch in self.target.scan(version) for d in batch}


@pytest.fixture
def sides(tmp_path: Path) -> MigrationSides:
    return MigrationSides(tmp_path)


def test_a_copy_stopped_before_promotion_completes_in_the_next_run(sides: MigrationSides) -> None:
    serve(sides.source, "items-1", FILMS)
    sides.move()
    sides.target.upsert([build_film("a", "Renamed there")])
    serve(sides.source, "items-2", [*FILMS, build_film("c", "Gamma")])
    stopped = StopsBeforePromotion(sides.directory / "to")
    with pytest.raises(KeyboardInterrupt):
        move_items(sides.source, stopped, MigrationLedger(sides.directory), ignore_progress)
    assert sides.move() == ItemMigrationReport("items-2", 3, 0, preserved=1)
    assert sides.read_titles() == {"a": "Renamed there", "b": "Beta", "c": "Gamma"}
    assert sides.move() == ItemMigrationReport("items-2", 0, 0)


def test_a_run_killed_right_after_promotion_counts_as_complete(sides: MigrationSides) -> None:
    serve(sides.source, "items-1", FILMS)
    stopped = StopsAfterPromotion(sides.directory / "to")
    with pytest.raises(KeyboardInterrupt):
        move_items(sides.source, stopped, MigrationLedger(sides.directory), ignore_progress)
    assert sides.target.serving_version() == "items-1"
    assert sides.move() == ItemMigrationReport("items-1", 0, 0)


def test_changes_only_at_the_target_survive_a_full_copy(sides: MigrationSides) -> None:
    names = ("both", "there", "gone there", "gone here", "gone there new here", "same")
    serve(sides.source, "items-1", [build_film(name.replace(" ", "-"), "First") for name in names])
    sides.move()
    there = ("both", "there", "gone-here", "new-there")
    sides.target.upsert([build_film(name, "Changed there") for name in there])
    sides.target.delete(["gone-there", "gone-there-new-here"])
    here = {"both": "Changed here", "gone-there-new-here": "Changed here", "new-here": "New"}
    first = dict.fromkeys(("there", "gone-there", "same"), "First")
    serve(sides.source, "items-2", [build_film(name, title) for name, title in (first | here).items()])
    moved = sides.move()
    expected = here | {"there": "Changed there", "new-there": "Changed there", "same": "First"}
    assert sides.read_titles() == expected
    assert moved == ItemMigrationReport("items-2", len(expected), 0, preserved=3)


def test_changes_keep_learned_fields_of_a_retrained_target(sides: MigrationSides) -> None:
    vector = np.ones(VECTOR_FIELDS["factors"].size, np.float32)
    serve(sides.source, "items-1", [Document(Item("a", "Alpha"), {"factors": vector}), FILMS[1]])
    sides.move()
    serve(
        sides.target,
        "items-2",
        [Document(Item("a", "Alpha"), {"factors": 2 * vector}), build_film("c", "Gamma")],
    )
    sides.source.upsert([build_film("a", "Renamed here")])
    assert sides.move() == ItemMigrationReport("items-2", 1, 0)
    assert sides.read_titles() == {"a": "Renamed here", "c": "Gamma"}
    ((learned, _),) = sides.target.scan("items-2")
    assert learned.vectors["factors"].tolist() == (2 * vector).tolist()


def test_new_versions_on_both_sides_are_a_conflict(sides: MigrationSides) -> None:
    serve(sides.source, "items-1", FILMS)
    sides.move()
    serve(sides.source, "items-2", FILMS)
    serve(sides.target, "items-3", FILMS)
    with raises_code(Conflict, "both_engines_changed", match="reelrank index promote items-1,"):
        sides.move()
    sides.target.promote("items-1")
    assert sides.move().version == "items-2"


def test_a_target_with_another_catalogue_is_a_conflict(sides: MigrationSides) -> None:
    serve(sides.source, "items-1", FILMS)
    serve(sides.target, "items-9", FILMS)
    with raises_code(Conflict, "migration_target_in_use"):
        sides.move()
