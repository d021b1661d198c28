"""What every release store does, in a data directory or on a cluster."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.engines.server.documents.releases import ServerReleases
from reelrank.index_mappings.errors import Conflict
from reelrank.ranking.registry.releases import (
    FileReleases,
    Pointer,
    Release,
    ReleaseStore,
    create_release,
)
from tests.raised import raises_code
from tests.servers.server import Server, create_prefix, remove_indices


@pytest.fixture
def releases(server: Server | None, tmp_path: Path) -> Iterator[ReleaseStore]:
    if server is None:
        yield FileReleases(tmp_path / "releases")
        return
    prefix, cluster = create_prefix(), server.open_cluster()
    yield ServerReleases(cluster, f"{prefix}releases")
    remove_indices(cluster, prefix)
    cluster.close()


def make_release(version: str, model: str = "engine-order") -> Release:
    return create_release(
        datetime.now(UTC),
        index_version=version,
        model=model,
        embeddings="e" * 16,
        files={"model.txt": "0" * 64},
    )


def test_a_new_store_has_no_pointer_and_no_releases(releases: ReleaseStore) -> None:
    assert releases.read_pointer() is None
    assert releases.list_releases() == []


def test_a_pointer_comes_back_as_it_was_written(releases: ReleaseStore) -> None:
    first = Pointer(counter=1, serving=make_release("items-1"))
    releases.replace_pointer(first, None)
    assert releases.read_pointer() == first
    second = first.move_to(make_release("items-2", "m"), first.serving)
    releases.replace_pointer(second, first)
    assert releases.read_pointer() == second
    assert second.counter == 2


def test_a_pointer_that_has_moved_is_not_replaced(releases: ReleaseStore) -> None:
    first = Pointer(counter=1, serving=make_release("items-1"))
    releases.replace_pointer(first, None)
    second = first.move_to(make_release("items-2"), first.serving)
    releases.replace_pointer(second, first)
    late = first.move_to(make_release("items-3"), first.serving)
    for expected in (first, None):
        with raises_code(Conflict, "promotion_overtaken"):
            releases.replace_pointer(late, expected)
    assert releases.read_pointer() == second


def test_fields_of_a_later_build_survive_a_promotion(releases: ReleaseStore) -> None:
    body = {"counter": 1, "serving": make_release("items-1"), "wave": {"share": 0.1}}
    first = Pointer.model_validate(body)
    releases.replace_pointer(first, None)
    read = releases.read_pointer()
    assert read is not None
    releases.replace_pointer(read.move_to(make_release("items-2"), read.serving), read)
    moved = releases.read_pointer()
    assert moved is not None
    assert moved.model_extra == {"wave": {"share": 0.1}}


def test_releases_are_listed_newest_first_without_removed_ones(releases: ReleaseStore) -> None:
    made = [make_release(f"items-{n}") for n in range(3)]
    for release in made:
        releases.add(release)
    releases.replace_pointer(Pointer(counter=1, serving=made[0]), None)
    releases.remove(made[1].id)
    releases.remove("release-unknown")
    assert [release.index_version for release in releases.list_releases()] == ["items-2", "items-0"]
