"""Backup and restore: what serves, events, lake and keys are the same in an empty directory."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reelrank.app.access.key_store import KeyStore
from reelrank.app.jobs.backup import LIST_FILE, back_up, restore
from reelrank.app.jobs.lake import export_lake
from reelrank.app.search.page import RankingOptions
from reelrank.app.settings import Settings
from reelrank.app.wiring import (
    Container,
    build_container,
    build_lake_storage,
    build_release_manager,
    warm_service,
)
from reelrank.index_mappings.decision import EVENTS
from reelrank.index_mappings.errors import BadRequest, Conflict
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Query
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.sample_project import add_model, build_project

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    parts = build_project(tmp_path_factory.mktemp("from") / "data", NOW)
    add_model(parts, "first", 1)
    build_release_manager(parts).promote_model("first")
    export_lake(parts, ignore_progress)
    KeyStore(parts.settings.keys_dir, lambda: NOW).create("shop", ["read"])
    return parts


@pytest.fixture(scope="module")
def backup(parts: Container, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("backup") / "monday"
    report = back_up(parts, target, ignore_progress)
    assert (report.files > 8, report.notes) == (True, ())
    return target


def restore_to(backup: Path, directory: Path) -> Container:
    settings = Settings.model_validate({"data_dir": directory / "data", "deadline_ms": 5000})
    restore(settings, backup, ignore_progress)
    return build_container(settings)


def describe(parts: Container) -> dict[str, object]:
    """What a restored project must have in common with that of the backup."""
    service = warm_service(parts)
    page = service.serve_page(RankingOptions(Query(user="u1")))
    lake = Lake(build_lake_storage(parts.settings))
    rows = lake.scan(EVENTS, NOW - timedelta(days=2), NOW + timedelta(days=1), ("id", "user_key"))
    return {
        "page": [(hit.item.id, hit.score) for hit in page.hits],
        "model": page.model,
        "release": parts.releases.read_pointer(),
        "events": parts.events.count(),
        "lake": sorted(map(str, (row for batch in rows for row in batch.to_pylist()))),
        "keys": KeyStore(parts.settings.keys_dir, lambda: NOW).read(),
    }


def test_a_restored_project_serves_the_same_and_goes_on(
    parts: Container, backup: Path, tmp_path: Path
) -> None:
    restored = restore_to(backup, tmp_path)
    expected = describe(parts)
    assert describe(restored) == expected
    assert expected["model"] == "first"
    later = Event("later", "watch", "u1", round(NOW.timestamp() * 1000), "sea1")
    restored.events.append([later])
    assert export_lake(restored, ignore_progress).events == 1


def test_a_backup_replaces_nothing_and_goes_into_an_empty_directory_only(
    parts: Container, backup: Path
) -> None:
    with raises_code(Conflict, "backup_exists"):
        back_up(parts, backup, ignore_progress)
    with raises_code(Conflict, "restore_not_empty"):
        restore(parts.settings, backup, ignore_progress)


def test_a_damaged_backup_is_refused_and_leaves_nothing(parts: Container, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    back_up(parts, target, ignore_progress)
    model = next(target.rglob("model.txt"))
    model.write_bytes(model.read_bytes()[:-1])
    with raises_code(BadRequest, "backup_damaged"):
        restore_to(target, tmp_path)
    (target / LIST_FILE).unlink()
    with raises_code(BadRequest, "backup_damaged"):
        restore_to(target, tmp_path)
    assert not (tmp_path / "data").exists() or not any((tmp_path / "data").iterdir())


def test_a_cluster_keeps_catalogue_and_events_itself(tmp_path: Path) -> None:
    stated = {
        "data_dir": tmp_path / "data", "engine": "elasticsearch", "engine_url": "http://127.0.0.1:1",
        "lake_url": str(tmp_path / "lake"),
    }  # fmt: skip
    report = back_up(build_container(Settings.model_validate(stated)), tmp_path / "backup", ignore_progress)
    assert ["cluster" in note or "lake" in note for note in report.notes] == [True, True]
