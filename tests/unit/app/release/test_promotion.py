"""Promotion and rollback: index version and model change together or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from reelrank.app.release.promotion import ReleaseManager
from reelrank.app.settings import Settings
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.index_mappings.errors import Conflict, ModelNotFound, NotFound, Unavailable
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.rankers.manifest import ModelRejected, read_manifest, write_manifest
from tests.raised import raises_code
from tests.sample_project import add_model

OTHER, OWN = "0" * 16, "1" * 16
ITEMS = [Document(Item("sea1", "Sea"), {}), Document(Item("sky1", "Sky"), {})]


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return build_container(Settings(data_dir=tmp_path))


@pytest.fixture
def releases(container: Container) -> ReleaseManager:
    return build_release_manager(container)


def make_version(container: Container, name: str, embeddings: str = "") -> str:
    container.engine.create_index(name)
    container.engine.write(name, ITEMS)
    ItemTableStore(container.settings.tables_dir, container.engine).build(name, None, embeddings)
    return name


def add_trained_model(container: Container, name: str, embeddings: str) -> str:
    """A model that names the embeddings it was trained with."""
    directory = container.registry.find_directory(add_model(container, name, 1))
    manifest = read_manifest(directory)
    write_manifest(directory, manifest.model_copy(update={"embeddings_fingerprint": embeddings}))
    return name


def read_pair(container: Container) -> tuple[str | None, str, str]:
    """What the engine serves, and what the pointer names."""
    pointer = container.releases.read_pointer()
    assert pointer is not None
    return container.engine.serving_version(), pointer.serving.index_version, pointer.serving.model


def test_nothing_is_settled_before_anything_was_loaded(
    container: Container, releases: ReleaseManager
) -> None:
    assert releases.settle() is None
    with raises_code(NotFound, "no_previous_release"):
        releases.rollback()


def test_promotion_and_rollback_move_the_pair(container: Container, releases: ReleaseManager) -> None:
    for version, model in (("items-1", "a"), ("items-2", "b")):
        make_version(container, version, model * 16)
        releases.publish(version, add_trained_model(container, model, model * 16), model * 16, "train")
    assert read_pair(container) == ("items-2", "items-2", "b")
    releases.rollback()
    assert read_pair(container) == ("items-1", "items-1", "a")
    releases.rollback()
    assert read_pair(container) == ("items-2", "items-2", "b")


def test_the_first_load_has_nothing_to_roll_back_to(container: Container, releases: ReleaseManager) -> None:
    releases.promote_version(make_version(container, "items-1"), "load")
    with raises_code(NotFound, "no_previous_release"):
        releases.rollback()
    assert [release.index_version for release in releases.list_releases()] == ["items-1"]


def test_a_release_without_an_index_does_not_replace_one(
    container: Container, releases: ReleaseManager
) -> None:
    alone = releases.promote_model(add_model(container, "a", 1))
    releases.promote_version(make_version(container, "items-1"), "load")
    pointer = container.releases.read_pointer()
    assert pointer is not None
    container.releases.replace_pointer(pointer.move_to(pointer.serving, alone), pointer)
    with raises_code(NotFound, "no_previous_release"):
        releases.rollback()
    with raises_code(NotFound, "release_not_found"):
        releases.promote_release(alone.id)
    assert read_pair(container) == ("items-1", "items-1", "a")


def test_promoting_what_serves_changes_nothing(container: Container, releases: ReleaseManager) -> None:
    make_version(container, "items-1")
    releases.promote_version("items-1", "load")
    before = container.releases.read_pointer()
    listed = container.releases.list_releases()
    releases.promote_version("items-1", "load")
    releases.promote_model("engine-order")
    assert before is not None
    releases.promote_release(before.serving.id)
    assert container.releases.read_pointer() == before
    assert container.releases.list_releases() == listed


def test_a_load_keeps_the_model_over_the_embeddings_it_carries_over(
    container: Container, releases: ReleaseManager
) -> None:
    make_version(container, "items-1", OWN)
    releases.publish("items-1", add_trained_model(container, "a", OWN), OWN, "train")
    make_version(container, "items-2", releases.read_serving_embeddings())
    assert releases.promote_version("items-2", "load").embeddings == OWN
    assert read_pair(container) == ("items-2", "items-2", "a")


def test_a_model_of_other_embeddings_moves_its_index_version_with_it(
    container: Container, releases: ReleaseManager
) -> None:
    for version, model in (("items-1", "a"), ("items-2", "b")):
        make_version(container, version, model * 16)
        releases.publish(version, add_trained_model(container, model, model * 16), model * 16, "train")
    releases.promote_model("a")
    assert read_pair(container) == ("items-1", "items-1", "a")


def test_a_model_without_its_embeddings_is_rejected_and_the_old_pair_stays(
    container: Container, releases: ReleaseManager
) -> None:
    make_version(container, "items-1", OWN)
    releases.promote_version("items-1", "load")
    add_trained_model(container, "stranger", OTHER)
    with raises_code(ModelRejected, "embeddings_mismatch"):
        releases.promote_model("stranger")
    assert read_pair(container) == ("items-1", "items-1", "engine-order")


def test_a_model_without_a_fingerprint_serves_over_any_embeddings(
    container: Container, releases: ReleaseManager
) -> None:
    make_version(container, "items-1", OWN)
    releases.promote_version("items-1", "load")
    releases.promote_model(add_model(container, "external", 0))
    assert read_pair(container) == ("items-1", "items-1", "external")


def test_a_model_can_serve_where_there_is_no_index(container: Container, releases: ReleaseManager) -> None:
    releases.promote_model(add_trained_model(container, "a", OWN))
    assert read_pair(container) == (None, "", "a")
    assert releases.rollback().model == "engine-order"


def test_what_is_not_there_is_not_found(releases: ReleaseManager) -> None:
    with raises_code(ModelNotFound, "model_not_found"):
        releases.promote_model("unknown")
    with raises_code(NotFound, "release_not_found"):
        releases.promote_release("unknown")


def test_versions_of_the_pointer_are_not_dropped(container: Container, releases: ReleaseManager) -> None:
    for version in ("items-1", "items-2", "items-3"):
        releases.promote_version(make_version(container, version), "load")
    for version, role in (("items-3", "serving"), ("items-2", "previous")):
        with raises_code(Conflict, "index_version_in_release", match=f"the {role} release; "):
            releases.drop_version(version)
    releases.drop_version("items-1")
    listed = {release.index_version for release in releases.list_releases()}
    assert listed - {""} == {"items-2", "items-3"}


def test_a_promotion_the_engine_refuses_leaves_the_old_pair(
    container: Container, releases: ReleaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.promote_version(make_version(container, "items-1"), "load")
    make_version(container, "items-2")

    def fail_at_last_step(step: str) -> None:
        if step == "follow":
            container.engine.create_index("items-3")
            monkeypatch.setattr(container.engine, "promote", fail)

    def fail(version: str) -> None:
        raise Unavailable("the disk is full")

    with pytest.raises(Unavailable, match="the disk is full"):
        replace(releases, on_step=fail_at_last_step).promote_version("items-2", "load")
    assert read_pair(container) == ("items-1", "items-1", "engine-order")


def test_a_version_promoted_without_a_release_gets_one(
    container: Container, releases: ReleaseManager
) -> None:
    make_version(container, "items-1")
    releases.promote_version("items-1", "load")
    releases.promote_model(add_model(container, "a", 0))
    container.engine.promote(make_version(container, "items-2"))
    releases.settle()
    assert read_pair(container) == ("items-2", "items-2", "a")


def test_a_pointer_to_an_engine_that_was_emptied_names_nothing(
    container: Container, releases: ReleaseManager, tmp_path: Path
) -> None:
    releases.promote_version(make_version(container, "items-1"), "load")
    fresh = build_container(Settings(data_dir=tmp_path / "fresh"))
    moved = build_release_manager(replace(fresh, releases=container.releases))
    pointer = moved.settle()
    assert pointer is not None
    assert pointer.serving.index_version == ""


def test_what_an_earlier_build_served_becomes_the_first_release(
    container: Container, releases: ReleaseManager
) -> None:
    container.engine.promote(make_version(container, "items-1"))
    for name, model in (("CURRENT", "a"), ("PREVIOUS", "b")):
        (container.registry.directory / name).parent.mkdir(exist_ok=True)
        (container.registry.directory / name).write_text(f"{add_model(container, model, 0)}\n")
    pointer = releases.settle()
    assert pointer is not None
    assert pointer.counter == 1
    assert read_pair(container) == ("items-1", "items-1", "a")
    assert releases.rollback().model == "b"


def test_two_promotions_at_once_do_not_both_move_the_pointer(
    container: Container, releases: ReleaseManager
) -> None:
    """The lock file is of one machine; on a cluster two machines meet at the pointer's counter."""
    releases.promote_version(make_version(container, "items-1"), "load")
    make_version(container, "items-2")
    make_version(container, "items-3")
    elsewhere = replace(releases, lock_path=container.settings.data_dir / "elsewhere.lock")

    def promote_elsewhere(step: str) -> None:
        if step == "point":
            elsewhere.promote_version("items-3", "load")

    with raises_code(Conflict, "promotion_overtaken"):
        replace(releases, on_step=promote_elsewhere).promote_version("items-2", "load")
    assert read_pair(container) == ("items-3", "items-3", "engine-order")
