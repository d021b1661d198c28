"""Migration from the embedded engine to a server while in use: nothing is lost or duplicated."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.loaders.items.reindex import reindex
from reelrank.ranking.embeddings.learn_embeddings import NO_EMBEDDINGS
from tests.sample_project import FILMS, build_project
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-9", "opensearch-2"), indirect=True
)
COMMAND = (sys.executable, "-c", "from reelrank.app.cli.main import main; main()")
SOON = 5.0


@dataclass(frozen=True, slots=True)
class MigrationSides:
    """The same data directory on the embedded engine and on the server."""

    source: Container
    target: Container
    variables: dict[str, str]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments],
            env=os.environ | self.variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def migrate(self) -> dict[str, object]:
        done = self.run("migrate", "--json")
        assert done.returncode == 0, done.stderr
        report: dict[str, object] = json.loads(done.stdout)
        return report


@pytest.fixture
def sides(server: Server, prefix: str, tmp_path: Path) -> MigrationSides:
    here = build_project(tmp_path / "data", datetime.now(UTC))
    variables = {
        "REELRANK_DATA_DIR": str(tmp_path / "data"),
        "REELRANK_ENGINE": server.product,
        "REELRANK_ENGINE_URL": server.url,
        "REELRANK_ENGINE_PREFIX": prefix,
        "REELRANK_DEADLINE_MS": "5000",
    }
    settings = {name.removeprefix("REELRANK_").lower(): value for name, value in variables.items()}
    return MigrationSides(here, build_container(Settings.model_validate(settings)), variables)


def build_watch(event_id: str) -> Event:
    return Event(event_id, "watch", "u1", round(datetime.now(UTC).timestamp() * 1000), "sea1", 90, 100)


def read_documents(parts: Container) -> dict[str, Document]:
    version = parts.engine.serving_version()
    assert version is not None
    return {document.item.id: document for batch in parts.engine.scan(version) for document in batch}


def read_events(parts: Container) -> list[dict[str, object]]:
    return [row for batch in parts.events.scan(0, 2**62) for row in batch.to_pylist()]


def test_a_migration_in_use_loses_no_event(sides: MigrationSides) -> None:
    first = sides.migrate()
    assert (first["items"], first["events"], first["events_there"]) == (24, 240, 240)
    sides.source.events.append([build_watch("meanwhile")])  # the embedded service is still in use
    sides.source.engine.upsert(
        [Document(Item("sea1", "Sea story renamed")), Document(Item("new", "New film"))]
    )
    sides.source.engine.delete(["sea2"])
    sides.target.events.append([build_watch("already there")])  # and the service on the server has started
    sides.target.engine.upsert([Document(Item("space1", "Renamed on the server"))])
    second = sides.migrate()
    assert (second["items"], second["deleted"], second["events"]) == (2, 1, 1)
    assert (second["events_here"], second["events_there"]) == (241, 242)
    here, there = read_documents(sides.source), read_documents(sides.target)
    assert list(there) == list(here)
    assert there.pop("space1").item.title == "Renamed on the server"
    for name, document in there.items():
        assert document.item == here[name].item
        assert list(document.neighbours) == list(here[name].neighbours)
        assert {field: vector.tolist() for field, vector in document.vectors.items()} == {
            field: np.asarray(vector, np.float32).tolist() for field, vector in here[name].vectors.items()
        }
    assert [row for row in read_events(sides.target) if row["id"] != "already there"] == read_events(
        sides.source
    )
    third = sides.migrate()
    assert (third["items"], third["deleted"], third["events"]) == (0, 0, 0)


def test_changes_on_the_target_survive_a_load_on_the_source(sides: MigrationSides) -> None:
    sides.migrate()
    sides.target.engine.upsert(
        [Document(Item("space1", "Renamed there")), Document(Item("new", "New there"))]
    )
    sides.target.engine.delete(["sea2"])
    sides.source.engine.upsert([Document(Item("sea1", "Sea story renamed"))])
    options = LoadOptions(created_at=datetime.now(UTC))
    reindexed = reindex(sides.source.engine, sides.source.encoder, NO_EMBEDDINGS, options).version
    second = sides.migrate()
    there = read_documents(sides.target)
    assert (second["version"], second["items"], second["kept"]) == (reindexed, 24, 3)
    titles = [there[name].item.title for name in ("space1", "new", "sea1")]
    assert titles == ["Renamed there", "New there", "Sea story renamed"]
    assert there.keys() == read_documents(sides.source).keys() - {"sea2"} | {"new"}


def test_embeddings_of_source_and_target_are_not_mixed(sides: MigrationSides) -> None:
    sides.migrate()
    sides.source.events.append([build_watch("meanwhile")])
    for parts in (sides.source, sides.target):
        load_catalogue(FILMS, parts.engine, parts.encoder, LoadOptions(created_at=datetime.now(UTC)))
    serving = sides.target.engine.serving_version()
    refused = sides.run("migrate")
    assert (refused.returncode, "reelrank index promote items-" in refused.stderr) == (1, True)
    assert (sides.target.engine.serving_version(), sides.target.events.count()) == (serving, 241)


def test_the_doctor_finds_the_item_table_after_a_migration(sides: MigrationSides) -> None:
    sides.migrate()
    status = json.loads(sides.run("doctor", "--json").stdout)["status"]
    assert (status["item table"], status["events"]) == ("24 items", 240)


def test_a_target_with_another_catalogue_is_refused(sides: MigrationSides) -> None:
    sides.target.engine.create_index("items-other")
    sides.target.engine.write("items-other", [Document(Item("a", "A"))])
    sides.target.engine.promote("items-other")
    refused = sides.run("migrate")
    assert (refused.returncode, "items-other" in refused.stderr) == (1, True)
    assert sides.target.engine.serving_version() == "items-other"
