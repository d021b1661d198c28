"""The models of a worker: the one of the serving release, others by name, and what is rejected."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.state import model_cache
from reelrank.app.state.model_cache import ModelSource, ServedModels
from reelrank.index_mappings.errors import ModelNotFound
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.registry.releases import FileReleases, Pointer, create_release


class NamedRanker(FusedOrder):
    def __init__(self, name: str) -> None:
        self.name = name


def load_named(directory: Path) -> Ranker:
    return NamedRanker(directory.name)


@pytest.fixture
def releases(tmp_path: Path) -> FileReleases:
    return FileReleases(tmp_path / "releases")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    for name in "abcdef":
        (tmp_path / "models" / name).mkdir(parents=True)
    return Registry(tmp_path / "models")


def serve(registry: Registry, releases: FileReleases, load: Callable[[Path], Ranker]) -> ServedModels:
    return ServedModels(ModelSource(registry, releases, load, lambda release: None, lambda model: None))


def test_a_model_is_loaded_once_and_the_least_used_is_dropped(
    registry: Registry, releases: FileReleases
) -> None:
    loads: list[str] = []

    def load(directory: Path) -> Ranker:
        loads.append(directory.name)
        return NamedRanker(directory.name)

    models = serve(registry, releases, load)
    for name in "abcdaea":
        assert models.get(name).name == name
    assert loads == ["a", "b", "c", "d", "e"]
    models.get("b")
    assert loads[-1] == "b"


def test_a_model_that_is_not_there_is_not_found(registry: Registry, releases: FileReleases) -> None:
    models = serve(registry, releases, load_named)
    with pytest.raises(ModelNotFound):
        models.get("unknown")
    assert models.get("engine-order").name == "engine-order"


def test_a_rejected_model_is_tried_again_after_a_repair(
    registry: Registry, releases: FileReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    repaired = False

    def load(directory: Path) -> Ranker:
        if not repaired:
            raise ModelRejected(directory.name, "its file is damaged", "register it again")
        return NamedRanker(directory.name)

    models = serve(registry, releases, load)
    releases.replace_pointer(Pointer(counter=1, serving=create_release(datetime.now(UTC), model="a")), None)
    ranker, degraded = models.current()
    assert ranker.name == "engine-order"
    assert "its file is damaged" in str(degraded[0])
    repaired = True
    assert models.current()[1] == degraded
    monkeypatch.setattr(model_cache, "RETRY_S", 0.0)
    assert models.current()[0].name == "a"


def test_before_the_first_release_the_model_of_an_earlier_build_serves(
    registry: Registry, releases: FileReleases
) -> None:
    (registry.directory / "CURRENT").write_text("b\n")
    models = serve(registry, releases, load_named)
    assert models.current()[0].name == "b"
    assert [version.id for version in models.versions() if version.serving] == ["b"]


def test_a_pointer_that_cannot_be_read_leaves_the_fused_order_and_says_why(
    registry: Registry, releases: FileReleases
) -> None:
    releases.directory.mkdir()
    (releases.directory / "pointer.json").write_text('{"counter": 1')
    ranker, degraded = serve(registry, releases, load_named).current()
    assert ranker.name == "engine-order"
    assert "pointer.json is not a release pointer" in str(degraded[0])


def test_a_store_that_is_away_leaves_the_last_release_serving(
    registry: Registry, releases: FileReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Pointer(counter=1, serving=create_release(datetime.now(UTC), model="a"))
    releases.replace_pointer(first, None)
    models = serve(registry, releases, load_named)
    assert models.current()[0].name == "a"
    second = first.move_to(create_release(datetime.now(UTC), model="b"), first.serving)
    path = releases.directory / "pointer.json"
    path.unlink()
    path.mkdir()
    assert (models.current()[0].name, models.current()[1]) == ("a", ())
    path.rmdir()
    releases.replace_pointer(second, None)
    assert models.current()[0].name == "a"
    monkeypatch.setattr(models, "_read_again_at", 0.0)
    assert models.current()[0].name == "b"
