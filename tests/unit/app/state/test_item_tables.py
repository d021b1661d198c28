"""Item tables of index versions: a missing or damaged one is built again, by one builder at a time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.index_mappings.item import Document, Item

BUILDERS = 4


@pytest.fixture
def store(tmp_path: Path) -> ItemTableStore:
    engine = EmbeddedEngine(tmp_path / "engine")
    engine.create_index("items-1")
    engine.write("items-1", [Document(Item(f"f{i}", f"Film {i}")) for i in range(50)])
    engine.promote("items-1")
    return ItemTableStore(tmp_path / "tables", engine)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_table_is_built_again_once_however_many_ask(store: ItemTableStore, is_damaged: bool) -> None:
    if is_damaged:
        store.build("items-1", None)
        (store.directory / "items-1" / "ids.npy").write_bytes(b"")
    with capture_logs() as logs, ThreadPoolExecutor(BUILDERS) as threads:
        tables = list(threads.map(store.open_or_rebuild, ["items-1"] * BUILDERS))
    assert [len(table) for table in tables] == [50] * BUILDERS
    assert [line["event"] for line in logs] == ["the item table is made again; run: reelrank train"]


def test_tables_of_dropped_versions_are_removed(store: ItemTableStore) -> None:
    for version in ("items-0", "items-1"):
        store.build(version, None)
    store.drop_stale()
    assert [path.name for path in store.directory.iterdir()] == ["items-1"]
