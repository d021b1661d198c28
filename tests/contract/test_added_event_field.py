"""A field that is declared once reaches the API, files, every store (also an old one), scans and Parquet."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from reelrank.app.settings import Settings
from reelrank.index_mappings.event import EVENT_FIELDS
from tests.servers.server import Server, create_prefix, remove_indices

ROOT = Path(__file__).parents[2]
SCHEMA_3 = Path(__file__).parent / "schema_3"
OLD_EVENT = {"id": "old", "kind": "watch", "user": "ada", "at_ms": 5, "item": "alien", "watched_ms": 60,
             "degraded": "bm25", "simulated": True}  # fmt: skip


@pytest.fixture
def settings(server: Server | None, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Settings of a project whose event store is of event schema version 3 and holds OLD_EVENT."""
    settings: dict[str, Any] = {"data_dir": str(tmp_path / "data")}
    if server is None:
        directory = Settings.model_validate(settings).engine_dir
        directory.mkdir(parents=True)
        with closing(sqlite3.connect(directory / "truth.sqlite")) as old:
            old.executescript((SCHEMA_3 / "store.sql").read_text())
        yield settings
        return
    prefix = create_prefix()
    create_old_stream(server, f"{prefix}events")
    yield {**settings, **server.build_settings(prefix)}
    with closing(server.open_cluster()) as cluster:
        remove_indices(cluster, prefix)


def create_old_stream(server: Server, stream: str) -> None:
    template = orjson.loads((SCHEMA_3 / "events-template.json").read_bytes())
    with closing(server.open_cluster()) as cluster:
        cluster.request_or_raise(
            "PUT", f"/_index_template/{stream}", {**template, "index_patterns": [stream]}
        )
        document = {"@timestamp": 5, **OLD_EVENT}
        cluster.request_or_raise("PUT", f"/{stream}/_create/old?refresh=true", document)


def run_with_added_fields(settings: dict[str, Any], directory: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.contract.added_field", json.dumps(settings), str(directory)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    report: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return report


def test_a_field_declared_once_reaches_every_store_and_reader(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    report = run_with_added_fields(settings, tmp_path)
    old, posted, loaded = pq.read_table(tmp_path / "events.parquet").to_pylist()
    added = [(row["id"], row["mood"], row["volume"]) for row in (old, posted, loaded)]
    assert added == [("old", "", None), ("posted", "calm", 0), ("loaded", "tense", 11)]
    assert report["narrow"] == {"volume": [None, 0, 11], "mood": ["", "calm", "tense"]}
    assert report["recent"] == {"loaded": "tense", "posted": "calm", "old": ""}
    assert report["followed"] == [None, 0, 11]
    assert (report["template"]["mood"], report["template"]["volume"]) == (
        {"type": "keyword"},
        {"type": "integer"},
    )
    assert "How the viewer felt." in report["openapi"]
    defaults = {field.name: field.type.default for field in EVENT_FIELDS}
    assert {name: value for name, value in old.items() if name in defaults} == {**defaults, **OLD_EVENT}


def test_a_server_indexes_the_added_fields_of_an_old_stream(
    settings: dict[str, Any], server: Server | None, tmp_path: Path
) -> None:
    if server is None:
        pytest.skip("SQLite has no mapping")
    run_with_added_fields(settings, tmp_path)
    stream = f"{settings['engine_prefix']}events"
    with closing(server.open_cluster()) as cluster:
        found = cluster.search(stream, {"query": {"term": {"mood": "calm"}}}, 5.0)
    assert [hit["_id"] for hit in found] == ["posted"]
