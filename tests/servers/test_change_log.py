"""The change log of a server across promotions, drops and earlier builds."""

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from tests.servers.films import build_film, create_two_versions, load
from tests.servers.server import build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)
SOON = 5.0


def test_an_external_index_with_the_prefix_is_not_a_version(engine: ServerEngine) -> None:
    load(engine, "items-1", ["a"])
    engine.cluster.request_or_raise("PUT", f"/{engine.layout.index_name('items-external')}", {})
    assert [version.name for version in engine.versions()] == ["items-1"]


def list_logged_ids(engine: ServerEngine) -> list[str]:
    return [change.item_id for changes in engine.change_log.scan_since(-1) for change in changes]


def test_dropping_a_version_prunes_changes_that_no_other_needs(engine: ServerEngine) -> None:
    """The serving version needs those since it was created: workers read them into their item tables."""
    create_two_versions(engine)
    engine.upsert([build_film("early")])
    engine.promote("items-2")
    load(engine, "items-3", ["a"])
    engine.upsert([build_film("late")])
    engine.drop("items-1")
    assert list_logged_ids(engine) == ["early", "late"]
    engine.promote("items-3")
    engine.drop("items-2")
    assert list_logged_ids(engine) == ["late"]
    assert {document.item.id for document in engine.read_changes("items-3", None)[0]} == {"late"}


def test_a_change_logged_by_an_earlier_build_is_copied(
    engine: ServerEngine,
) -> None:
    create_two_versions(engine)
    engine.upsert([build_film("a", "Changed")])
    engine.cluster.request_or_raise("PUT", f"/{engine.change_log.index}/_doc/a", {"item": "a"})
    engine.promote("items-2")
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]


def test_epochs_continue_from_the_log_when_nothing_serves(engine: ServerEngine) -> None:
    create_two_versions(engine)
    for version in ("items-2", "items-1"):
        engine.upsert([build_film("a", version)])
        engine.promote(version)
    engine.upsert([build_film("a", "Before")])
    engine.cluster.request_or_raise("DELETE", f"/{engine.layout.index_name('items-1')}")
    load(engine, "items-3", ["a"])
    engine.promote("items-2")
    engine.upsert([build_film("a", "After")])
    engine.promote("items-3")
    assert engine.fetch(["a"], SOON) == [build_film("a", "After").item]
