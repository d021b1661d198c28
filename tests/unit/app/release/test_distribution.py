"""Model files shared by URL: two data directories, one release store, no common registry."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.release.distribution import SHARED_FILES, ModelFiles
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_models, build_release_manager
from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.rankers.manifest import MODEL_FILE, ModelRejected
from reelrank.ranking.registry.releases import create_release
from tests.raised import raises_code
from tests.sample_project import add_model


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def here(tmp_path: Path, shared: Path) -> Container:
    """The data directory that trained and promoted."""
    container = build_container(Settings(data_dir=tmp_path / "here", releases_url=shared.as_uri()))
    build_release_manager(container).promote_model(add_model(container, "first", 0, has_pointwise=True))
    return container


@pytest.fixture
def there(tmp_path: Path, shared: Path, here: Container) -> Container:
    """Another data directory; both read the same pointer, as they do on a cluster."""
    container = build_container(Settings(data_dir=tmp_path / "there", releases_url=shared.as_uri()))
    return replace(container, releases=here.releases)


def test_a_worker_fetches_the_model_it_lacks(here: Container, there: Container) -> None:
    ranker, degraded = build_models(there).current()
    assert (ranker.name, degraded) == ("first", ())
    for name in SHARED_FILES:
        fetched = (there.registry.find_directory("first") / name).read_bytes()
        assert fetched == (here.registry.find_directory("first") / name).read_bytes()


def test_a_promotion_fetches_the_model_it_lacks(here: Container, there: Container) -> None:
    build_release_manager(here).promote_model("engine-order")
    assert build_release_manager(there).promote_model("first").model == "first"
    assert there.registry.find_directory("first").is_dir()


def test_native_code_is_not_shared(here: Container, shared: Path) -> None:
    (here.registry.find_directory("first") / "forest.so").write_bytes(b"\x7fELF")
    files = ModelFiles(here.registry, lambda directory: pytest.fail("not loaded"), shared.as_uri())
    assert set(files.upload("first")) == set(SHARED_FILES)
    assert len(list(shared.iterdir())) == len(SHARED_FILES)


@pytest.mark.parametrize("content", [b"", b"tree\n"])
def test_a_file_that_was_changed_is_rejected(there: Container, shared: Path, content: bytes) -> None:
    pointer = there.releases.read_pointer()
    assert pointer is not None
    (shared / pointer.serving.files[MODEL_FILE]).write_bytes(content)
    ranker, degraded = build_models(there).current()
    assert ranker.name == "engine-order"
    assert "model.txt" in str(degraded[0])
    assert "SHA-256 differs" in str(degraded[0])
    assert there.registry.versions() == []


def test_a_file_that_is_gone_leaves_the_fused_order_until_it_is_back(
    there: Container, shared: Path, tmp_path: Path
) -> None:
    shared.rename(tmp_path / "away")
    models = build_models(there)
    ranker, degraded = models.current()
    assert ranker.name == "engine-order"
    assert "cannot be read from file://" in str(degraded[0])
    (tmp_path / "away").rename(shared)
    assert models.current()[0].name == "first"


@pytest.mark.parametrize("name", ["../../evil.py", "forest.so", "/etc/passwd"])
def test_a_release_cannot_name_other_files(there: Container, shared: Path, name: str) -> None:
    release = create_release(datetime.now(UTC), model="stranger", files={name: "0" * 64})
    files = build_release_manager(there).files
    with raises_code(ModelRejected, "release_file_unknown"):
        files.fetch(release)


def test_without_a_url_a_model_that_is_not_here_is_named(tmp_path: Path, here: Container) -> None:
    alone = build_container(Settings(data_dir=tmp_path / "alone"))
    ranker, degraded = build_models(replace(alone, releases=here.releases)).current()
    assert ranker.name == "engine-order"
    assert "there is no such model as 'first'" in str(degraded[0])


@pytest.mark.parametrize("url", ["nowhere://bucket", "not a url"])
def test_a_url_that_cannot_be_opened_is_named_by_its_setting(tmp_path: Path, url: str) -> None:
    container = build_container(Settings(data_dir=tmp_path, releases_url=url))
    model = add_model(container, "first", 0)
    with raises_code(Unavailable, "release_files_unreachable"):
        build_release_manager(container).promote_model(model)
    assert container.releases.read_pointer() is not None
