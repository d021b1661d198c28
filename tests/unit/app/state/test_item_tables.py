"""Item tables of index versions: a missing or damaged one is built again, by one builder at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.items.name_columns import NameColumns
from reelrank.ranking.items.table import open_table
from reelrank.ranking.items.table_facts import METADATA_FILE, SCHEMA

BUILDERS = 4


@pytest.fixture
def store(tmp_path: Path) -> ItemTableStore:
    engine = EmbeddedEngine(tmp_path / "engine")
    engine.create_index("items-1")
    engine.write("items-1", [Document(Item(f"f{i}", f"Film {i}")) for i in range(50)])
    engine.promote("items-1")
    return ItemTableStore(tmp_path / "tables", engine)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_a_list(path: Path) -> None:
    path.write_text("[1, 2]")


@pytest.mark.parametrize("damage", [Path.unlink, truncate, empty, replace_by_a_list])
@pytest.mark.parametrize("file", ["ids.npy", "year.npy", "facts.json"])
def test_a_damaged_table_is_built_again(
    store: ItemTableStore, file: str, damage: Callable[[Path], None]
) -> None:
    store.build("items-1", None)
    damage(store.directory / "items-1" / file)
    assert len(store.open_or_rebuild("items-1")) == 50
    assert len(open_table(store.directory / "items-1")) == 50


def test_a_missing_table_is_built_once_however_many_ask(store: ItemTableStore) -> None:
    with capture_logs() as logs, ThreadPoolExecutor(BUILDERS) as threads:
        tables = list(threads.map(store.open_or_rebuild, ["items-1"] * BUILDERS))
    assert [len(table) for table in tables] == [50] * BUILDERS
    assert [line["event"] for line in logs] == ["building the item table"]


def test_tables_of_dropped_versions_are_removed(store: ItemTableStore) -> None:
    store.build("items-1", None)
    (store.directory / "items-0").mkdir()
    store.drop_stale()
    assert [path.name for path in store.directory.iterdir()] == ["items-1"]


def test_a_table_of_an_older_schema_is_built_again_with_its_fold_in(store: ItemTableStore) -> None:
    fold_in = FoldIn(np.eye(63, dtype=np.float32), 0.1, 40.0, 2.0)
    store.build("items-1", fold_in)
    metadata = store.directory / "items-1" / METADATA_FILE
    metadata.write_text(metadata.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    table = store.open_or_rebuild("items-1")
    assert table.fold_in is not None
    assert (table.fold_in.regularization, table.fold_in.scale) == (0.1, 2.0)
    assert np.array_equal(table.fold_in.gram, fold_in.gram)


def read_names(store: ItemTableStore, version: str) -> dict[str, bytes]:
    prefixes = ("title_", "suggest_", "words_")
    files = (store.directory / version).glob("*.npy")
    return {path.name: path.read_bytes() for path in files if path.name.startswith(prefixes)}


def test_a_table_of_the_same_texts_takes_its_names_from_the_serving_one(
    store: ItemTableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.build("items-1", None)
    store.engine.create_index("items-2")
    store.engine.write("items-2", [Document(Item(f"f{i}", f"Film {i}")) for i in range(50)])
    with monkeypatch.context() as patched:
        patched.setattr(NameColumns, "_build_anew", None)  # would fail
        store.build("items-2", None)
    assert read_names(store, "items-2") == read_names(store, "items-1") != {}


@pytest.mark.parametrize("damage", [Path.unlink, truncate, empty])
def test_names_of_a_damaged_table_are_not_taken(
    store: ItemTableStore, damage: Callable[[Path], None]
) -> None:
    store.build("items-1", None)
    names = read_names(store, "items-1")
    damage(store.directory / "items-1" / "title_compact.npy")
    assert len(store.open_or_rebuild("items-1")) == 50
    assert read_names(store, "items-1") == names


def test_a_table_of_other_texts_has_names_of_its_own(store: ItemTableStore) -> None:
    store.build("items-1", None)
    store.engine.create_index("items-2")
    store.engine.write("items-2", [Document(Item(f"f{i}", f"Movie {i}")) for i in range(50)])
    store.build("items-2", None)
    assert (
        read_names(store, "items-2")["words_hashes.npy"] != read_names(store, "items-1")["words_hashes.npy"]
    )
